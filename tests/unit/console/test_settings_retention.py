"""Settings, Retention: what is kept for how long, and that nothing is deleted unasked."""

import re

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.forms import send

pytestmark = pytest.mark.slow

PATH = "/settings/retention"


def form(client: TestClient, **fields: str) -> dict[str, str]:
    found = re.search(r'name="seen" value="(\w+)"', client.get(PATH).text)
    assert found
    return {"ledger_days": "", "capture_days": "3", "seen": found[1]} | fields


def kept(world: World) -> tuple[int, int]:
    now = world.services.organizations.get(world.organization_id)
    return now.ledger_days, now.capture_days


def test_what_goes_and_what_stays_is_told(owner: TestClient) -> None:
    page = owner.get(PATH).text
    assert "What goes, and what stays" in page
    assert "Sums are kept for ever" in page
    assert "there are 0 captures" in page


def test_the_days_are_set_and_written_down(world: World, owner: TestClient) -> None:
    answer = send(owner, PATH, form(owner, ledger_days="90", capture_days="30", sure="yes"))
    assert answer.headers["location"] == PATH
    assert kept(world) == (90, 30)
    entry = world.services.audit_log.page(world.organization_id).entries[0]
    assert (entry.action, entry.actor) == ("organization.update", world.owner_id)
    assert entry.detail == {
        "ledger_days": "90",
        "before_ledger_days": "0",
        "capture_days": "30",
        "before_capture_days": "3",
    }
    send(owner, PATH, form(owner, ledger_days=""))  # longer needs no consent
    assert kept(world) == (0, 3)


def test_nothing_is_deleted_without_consent(world: World, owner: TestClient) -> None:
    answer = send(owner, PATH, form(owner, ledger_days="30"))
    assert answer.status_code == 422
    assert "from before 23 Oct 2026 are deleted for good" in answer.text
    assert 'name="sure" value="yes"' in answer.text
    assert 'value="30"' in answer.text
    assert kept(world) == (0, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("ledger_days", value) for value in ("6", "3651", "-7", "7.5", "x", "１０", "9" * 7)),  # noqa: RUF001
        *(("capture_days", value) for value in ("", "0", "31", "-1", "3 days")),
    ],
)
def test_wrong_days(world: World, owner: TestClient, field: str, value: str) -> None:
    answer = send(owner, PATH, form(owner, sure="yes", **{field: value}))
    assert answer.status_code == 422
    assert f'id="{field}-fault"' in answer.text
    assert kept(world) == (0, 3)


def test_a_stale_form_changes_nothing(world: World, owner: TestClient) -> None:
    fields = form(owner, capture_days="7")
    send(owner, PATH, form(owner, capture_days="5"))
    assert send(owner, PATH, fields).status_code == 409
    assert kept(world) == (0, 5)
