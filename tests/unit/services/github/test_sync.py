"""Asking GitHub for what webhooks did not tell, on its good days and on its bad ones."""

import asyncio

import msgspec
import pytest
from tests.github_payloads import at_us, merged, pull_request, repository
from tests.unit.services.github.conftest import Connected

from tidegate.jobs.github import GithubJob
from tidegate.services.github_sync import HOOKED_US, POLLED_US, TURN_US, is_due
from tidegate.services.log import NoLog
from tidegate.store.forge import ForgeStatus

pytestmark = pytest.mark.slow

MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US


@pytest.fixture
def installed(connected: Connected) -> Connected:
    connected.install()
    of = connected.fake.repositories[1]
    for number, payload in {
        5: pull_request(of, 5, 300, **merged(300)),
        6: pull_request(of, 6, 400),
    }.items():
        connected.fake.pulls[1, number] = payload["pull_request"]
    return connected


def asked(connected: Connected, part: str) -> int:
    return sum(part in each for each in connected.fake.asked)


def test_a_pass_reads_repositories_and_pull_requests(installed: Connected) -> None:
    done = installed.github.sync.run(installed.organization_id)
    assert (done.repositories, done.pull_requests, done.fault) == (2, 2, "")
    name = f"{installed.host}/acme/app"
    found = installed.forge.pull_requests(installed.organization_id, [(name, 5), (name, 6)])
    assert [(p.state, p.additions) for p in found.values()] == [("merged", 1), ("open", 1)]
    status = installed.forge.status(installed.organization_id)
    assert (status.last_error, status.last_success_us) == ("", at_us(10_000))


def test_what_did_not_change_is_not_read_again(installed: Connected) -> None:
    installed.github.sync.run(installed.organization_id)
    installed.fake.asked.clear()
    done = installed.github.sync.run(installed.organization_id)
    assert done.pull_requests == 0
    assert asked(installed, "/pulls/") == 0
    assert asked(installed, "access_tokens") == 0  # the token is good for an hour
    changed = pull_request(installed.fake.repositories[1], 6, 900, title="Later")
    installed.fake.pulls[1, 6] = changed["pull_request"]
    done = installed.github.sync.run(installed.organization_id)
    assert done.pull_requests == 1


def test_access_that_is_taken_away(installed: Connected) -> None:
    installed.github.sync.run(installed.organization_id)
    installed.fake.installations[1].repositories = [2]
    installed.world.clock.now_us += MINUTE_US
    installed.github.sync.run(installed.organization_id)
    state = installed.github.states.get(installed.organization_id)
    assert [each.name for each in state.repositories] == [f"{installed.host}/acme/site"]
    assert state.installations[0].repositories == 1


def test_an_installation_that_is_gone(installed: Connected) -> None:
    del installed.fake.installations[1]
    done = installed.github.sync.run(installed.organization_id)
    assert done == msgspec.structs.replace(done, repositories=0, fault="")
    assert installed.github.states.get(installed.organization_id).installations == ()


@pytest.mark.parametrize(
    ("mode", "wait_minutes"), [("limit", 15), ("secondary", 2), ("broken", 1), ("forbidden", 1)]
)
def test_a_fault_is_shown_and_github_left_alone(
    installed: Connected, mode: str, wait_minutes: int
) -> None:
    installed.fake.mode = mode
    done = installed.github.sync.run(installed.organization_id)
    status = installed.forge.status(installed.organization_id)
    assert status.last_error == done.fault != ""
    wait_us = status.retry_us - installed.world.clock.now_us
    assert abs(wait_us - wait_minutes * MINUTE_US) <= 5_000_000
    installed.github.connection.refresh(installed.organization_id)
    assert installed.github.sync.due() == []
    installed.fake.mode = ""
    installed.world.clock.now_us += wait_us
    assert installed.github.sync.due() == [installed.organization_id]
    assert installed.github.sync.run(installed.organization_id).fault == ""


def test_faults_in_a_row_make_it_wait_longer(installed: Connected) -> None:
    installed.fake.mode = "broken"
    waits = []
    for _ in range(6):
        installed.github.sync.run(installed.organization_id)
        status = installed.forge.status(installed.organization_id)
        waits.append((status.retry_us - installed.world.clock.now_us) // MINUTE_US)
        installed.world.clock.now_us = status.retry_us
    assert waits == [1, 2, 5, 15, 30, 30]


def test_one_repository_that_refuses_does_not_stop_the_others(installed: Connected) -> None:
    installed.github.sync.run(installed.organization_id)
    installed.fake.repositories[1]["full_name"] = "acme/renamed"  # after the list was read
    installed.fake.repositories[2] |= {"updated_at": "2026-03-01T02:00:00Z"}
    late = pull_request(installed.fake.repositories[2], 8, 800)["pull_request"]
    installed.fake.pulls[2, 8] = late
    done = installed.github.sync.run(installed.organization_id)
    assert done.fault == ""
    name = f"{installed.host}/acme/site"
    assert installed.forge.pull_requests(installed.organization_id, [(name, 8)])


def test_replicas_take_turns(installed: Connected) -> None:
    forge, other = installed.forge, installed.replica().sync
    now_us = installed.world.clock.now_us
    assert forge.begin_sync(installed.organization_id, "first", now_us, now_us + TURN_US)
    assert other.run(installed.organization_id).repositories == 0
    installed.world.clock.now_us += TURN_US  # the first one died
    assert other.run(installed.organization_id).repositories == 2


def test_a_pass_that_is_stopped_goes_on_later(installed: Connected) -> None:
    done = installed.github.sync.run(installed.organization_id, lambda: False)
    assert "cut short" in done.fault
    status = installed.forge.status(installed.organization_id)
    assert status.retry_us == installed.world.clock.now_us + MINUTE_US
    assert installed.github.sync.run(installed.organization_id).pull_requests == 2


NOW_US = at_us(0)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (ForgeStatus(), True),
        (ForgeStatus(last_sync_us=NOW_US - POLLED_US), True),
        (ForgeStatus(last_sync_us=NOW_US - POLLED_US + 1), False),
        (ForgeStatus(last_sync_us=NOW_US - POLLED_US, last_delivery_us=NOW_US - 1), False),
        (ForgeStatus(last_sync_us=NOW_US - HOOKED_US, last_delivery_us=NOW_US - 1), True),
        (ForgeStatus(last_sync_us=NOW_US - POLLED_US, last_delivery_us=NOW_US - DAY_US), True),
        (ForgeStatus(last_sync_us=NOW_US - 9, requested_us=NOW_US - 1), True),
        (ForgeStatus(retry_us=NOW_US + 1, requested_us=NOW_US), False),
        (ForgeStatus(last_sync_us=NOW_US - 9, retry_us=NOW_US), True),
    ],
)
def test_when_github_is_asked(status: ForgeStatus, expected: bool) -> None:
    assert is_due(status, NOW_US) is expected


def test_the_job_asks_for_whom_it_is_due(installed: Connected) -> None:
    job = GithubJob(installed.github.sync, NoLog(), lambda: 0.0)
    stop = asyncio.Event()
    assert job.run_once(stop) == 1
    assert job.run_once(stop) == 0
    assert installed.forge.status(installed.organization_id).last_success_us


def test_old_deliveries_are_forgotten(installed: Connected) -> None:
    payload = pull_request(repository(1, "acme/app", 20), 5, 100)
    installed.hook("pull_request", payload, "d1")
    assert installed.github.sync.forget_old() == 0
    installed.world.clock.now_us += 31 * DAY_US
    assert installed.github.sync.forget_old() == 1
