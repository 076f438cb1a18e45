"""What agents say of their sessions: understood, refused with a sentence, or kept for later."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest
from tests.unit.services.world import DAY_US, MINUTE_US, World

from tidegate.core.identity import session_id
from tidegate.core.model import Link, SessionCall, UsageEvent
from tidegate.core.session_tools import (
    ADD_COMMIT,
    ADD_PULL_REQUEST,
    SET_NAME,
    SET_REPOSITORY,
    digest,
)
from tidegate.services.enrolment import Enrolled
from tidegate.services.session_calls import Caller, SessionCalls, Told
from tidegate.store.ports import SpoolBatch
from tidegate.store.sessions import SessionRow

pytestmark = pytest.mark.slow

APP, DOCS = "github.com/acme/app", "github.com/acme/docs"
SHA = "64994bf856105700228b7927d11b68e985aaf101"


class Desk:
    """A developer's key, the requests of its sessions, and its agent's calls."""

    def __init__(self, world: World, organization_id: str = "") -> None:
        self.world = world
        self.organization_id = organization_id or world.organization_id
        self.drains = 0
        self.calls = SessionCalls(world.store, self._drain, world.clock)
        self._numbers = count(1)
        self._waiting: list[UsageEvent] = []
        self.enrolled = self.enroll("dev@example.com")

    def enroll(self, email: str) -> Enrolled:
        return self.world.enrolment.enroll(self.organization_id, email, "claude_code")

    def _drain(self) -> int:
        self.drains += 1
        events, self._waiting = self._waiting, []
        usage = self.world.store.usage
        file = f"spool-{self.organization_id}"
        start = usage.offset(file)
        usage.record(SpoolBatch(file=file, start=start, end=start + len(events), events=events))
        return len(events)

    def request(self, client: str = "abc", *, key: Enrolled | None = None, **more: Any) -> str:
        """A request of a session, which is in the ledger after the next drain; the session."""
        who = key or self.enrolled
        session = session_id(self.organization_id, who.key_id, client)
        self.world.clock.now_us += MINUTE_US
        fields: dict[str, Any] = {
            "event_id": f"req_{self.organization_id}_{next(self._numbers)}",
            "organization_id": self.organization_id,
            "member_id": who.member_id,
            "key_id": who.key_id,
            "agent": "claude_code",
            "dialect": "anthropic_messages",
            "session_id": session,
            "client_session": client,
            "started_us": self.world.clock.now_us,
            "status": 200,
            "outcome": "ok",
        }
        self._waiting.append(UsageEvent(**(fields | more)))
        return session

    def call(
        self, tool: str, arguments: Mapping[str, object], *, key: Enrolled | None = None, **how: str
    ) -> Told:
        key_id = (key or self.enrolled).key_id
        caller = Caller(organization_id=self.organization_id, key_id=key_id, **how)
        self.world.clock.now_us += 1_000_000
        return self.calls.call(caller, tool, arguments)

    def here(self, tool: str, **arguments: object) -> Told:
        """A call in the session that `request` is of."""
        return self.call(tool, arguments, client_session="abc")

    def row(self, session: str) -> SessionRow | None:
        self._drain()
        return self.world.store.usage.sessions.one(self.organization_id, session)

    def links(self, session: str) -> list[tuple[str, str]]:
        """What agents said of it, without the times."""
        self._drain()
        links = self.world.store.usage.links.of(self.organization_id, session)
        return sorted({(link.kind, link.value) for link in links if link.method == "mcp"})


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


@pytest.mark.parametrize(
    ("tool", "arguments", "noted"),
    [
        (SET_REPOSITORY, {"repo": "acme/docs"}, [("repository", DOCS)]),
        (
            SET_REPOSITORY,
            {"repo": " https://u:tok@GitHub.com/acme/docs.git?x=1 "},
            [("repository", DOCS)],
        ),
        (
            SET_REPOSITORY,
            {"repo": "git@ghe.acme.dev:team/x.git"},
            [("repository", "ghe.acme.dev/team/x")],
        ),
        (ADD_PULL_REQUEST, {"pullRequest": "#12"}, [("pull_request", f"{APP}#12")]),
        (ADD_PULL_REQUEST, {"pullRequest": 12}, [("pull_request", f"{APP}#12")]),
        (
            ADD_PULL_REQUEST,
            {"pullRequest": "12", "repo": "acme/docs"},
            [("repository", DOCS), ("pull_request", f"{DOCS}#12")],
        ),
        (
            ADD_PULL_REQUEST,
            {"pullRequest": "acme/docs#12", "sessionId": None},
            [("repository", DOCS), ("pull_request", f"{DOCS}#12")],
        ),
        (
            ADD_PULL_REQUEST,
            {"pullRequest": "https://github.com/acme/docs/pull/12/files#r1"},
            [("repository", DOCS), ("pull_request", f"{DOCS}#12")],
        ),
        (
            ADD_PULL_REQUEST,
            {"pullRequest": "https://gitlab.com/g/s/app/-/merge_requests/3"},
            [("repository", "gitlab.com/g/s/app"), ("pull_request", "gitlab.com/g/s/app#3")],
        ),
        (ADD_COMMIT, {"sha": SHA.upper()}, [("commit", SHA)]),
        (
            ADD_COMMIT,
            {"sha": SHA[:7], "branch": "mend/it", "repo": "acme/docs"},
            [("repository", DOCS), ("branch", "mend/it"), ("commit", SHA[:7])],
        ),
    ],
)
def test_what_is_noted(
    desk: Desk, tool: str, arguments: dict[str, object], noted: list[tuple[str, str]]
) -> None:
    session = desk.request(repository=APP)
    told = desk.here(tool, **arguments)
    assert told.text.startswith("Noted: "), told
    assert not told.is_error
    assert [link for link in desk.links(session) if link != ("repository", APP)] == sorted(noted)
    again = desk.here(tool, **arguments)
    assert again.text.startswith("Already noted"), again
    assert not again.is_error
    assert [link for link in desk.links(session) if link != ("repository", APP)] == sorted(noted)


@pytest.mark.parametrize(
    ("tool", "arguments", "hint"),
    [
        (SET_REPOSITORY, {}, "Give repo"),
        (SET_REPOSITORY, {"repo": ""}, "Give repo"),
        (SET_REPOSITORY, {"repo": "app"}, "no repository"),
        (SET_REPOSITORY, {"repo": "/home/dev/app"}, "no repository"),
        (SET_REPOSITORY, {"repo": "file:///etc/passwd"}, "no repository"),
        (SET_REPOSITORY, {"repo": "acme/../../x"}, "no repository"),
        (SET_REPOSITORY, {"repo": "x" * 2_001}, "short text"),
        (SET_REPOSITORY, {"repo": ["acme/app"]}, "short text"),
        (SET_REPOSITORY, {"repo": {"a": 1}}, "short text"),
        (SET_REPOSITORY, {"repo": 7}, "short text"),
        (ADD_PULL_REQUEST, {"pullRequest": "latest"}, "no pull request"),
        (ADD_PULL_REQUEST, {"pullRequest": 0}, "no pull request"),
        (ADD_PULL_REQUEST, {"pullRequest": -1}, "no pull request"),
        (ADD_PULL_REQUEST, {"pullRequest": True}, "short text"),
        (ADD_PULL_REQUEST, {"pullRequest": 12.5}, "short text"),
        (ADD_PULL_REQUEST, {"pullRequest": "9" * 30}, "no pull request"),
        (ADD_PULL_REQUEST, {"pullRequest": "12", "repo": "app"}, "no repository"),
        (ADD_PULL_REQUEST, {"pullRequest": "javascript:alert(1)#12"}, "no pull request"),
        (ADD_COMMIT, {"sha": "HEAD"}, "git rev-parse HEAD"),
        (ADD_COMMIT, {"sha": "64994b"}, "7 to 64"),
        (ADD_COMMIT, {"sha": SHA, "branch": "a..b"}, "branch"),
        (ADD_COMMIT, {"sha": SHA, "repo": "app"}, "no repository"),
        (SET_NAME, {"name": " \n"}, "Give name"),
        (SET_NAME, {"name": "x" * 101}, "longer than 100"),
        (SET_NAME, {"name": "a\x00b"}, "control"),
        ("deleteSession", {}, "There is no tool"),
        ("\u202e" * 3_000, {}, "There is no tool"),
    ],
)
def test_what_is_wrong_gets_a_sentence(
    desk: Desk, tool: str, arguments: dict[str, object], hint: str
) -> None:
    session = desk.request(repository=APP)
    told = desk.here(tool, **arguments)
    assert told.is_error
    assert hint in told.text
    assert told.text.isprintable()
    assert len(told.text) < 400
    assert desk.links(session) == []


def test_a_secret_is_not_kept(desk: Desk) -> None:
    session = desk.request()
    secret = "ghp_" + "a1B2" * 9
    told = desk.here(SET_NAME, name=f"Use {secret}")
    row = desk.row(session)
    assert row is not None
    assert secret not in row.name + told.text


def test_names(desk: Desk) -> None:
    session = desk.request()
    assert desk.here(SET_NAME, name="  Mend\n the tide ").text == (
        "The session is called “Mend the tide” now."
    )
    assert desk.here(SET_NAME, name="Mend the tide").text.startswith("The session is already")
    desk.here(SET_NAME, name="Mend more")
    row = desk.row(session)
    assert row is not None
    assert (row.name, row.name_method) == ("Mend more", "mcp")
    links = desk.world.store.usage.links
    assert links.set_name(desk.organization_id, session, "Ours", method="person")
    told = desk.here(SET_NAME, name="Theirs")
    assert "A person has named" in told.text
    assert not told.is_error
    row = desk.row(session)
    assert row is not None
    assert row.name == "Ours"


def test_a_number_alone(desk: Desk) -> None:
    """Is of the session's repository, else of the launch's; else it is asked for."""
    session = desk.request()
    told = desk.here(ADD_PULL_REQUEST, pullRequest="#12")
    assert told.is_error
    assert "Give the pull request's URL" in told.text
    desk.here(SET_REPOSITORY, repo="gitlab.com/acme/app")
    assert not desk.here(ADD_PULL_REQUEST, pullRequest="!12").is_error
    assert ("pull_request", "gitlab.com/acme/app#12") in desk.links(session)
    for client in "xy":
        desk.request(client, launch_id="lch_1", repository=APP)
    waits = desk.call(ADD_PULL_REQUEST, {"pullRequest": "7"}, launch_id="lch_1", call_id="t7")
    assert not waits.is_error
    seen = SessionCall("t7", ADD_PULL_REQUEST, digest({"pullRequest": "7"}))
    session = desk.request("x", launch_id="lch_1", calls=(seen,))
    assert ("pull_request", f"{APP}#7") in desk.links(session)


def test_a_short_hash_of_a_known_commit_is_no_news(desk: Desk) -> None:
    session = desk.request(links=(Link("commit", SHA, "tool"),))
    assert desk.here(ADD_COMMIT, sha=SHA[:9]).text.startswith("Already")
    assert desk.links(session) == []


def test_named_sessions(desk: Desk) -> None:
    """By the agent's id or ours; of this key alone."""
    mine = desk.request("mine")
    others_key = desk.enroll("other@example.com")
    others = desk.request("theirs", key=others_key)
    organization_id, _ = desk.world.other_organization("far@example.com")
    far = Desk(desk.world, organization_id)
    far_session = far.request("far")
    for given in ("mine", mine):
        told = desk.call(SET_NAME, {"name": given, "sessionId": given}, client_session="abc")
        row = desk.row(mine)
        assert row is not None
        assert row.name == given, told
    for given in ("theirs", others, "far", far_session, "made-up", "ses_" + "0" * 32):
        told = desk.call(SET_NAME, {"name": "Taken", "sessionId": given})
        assert told.is_error
        assert "not one of this key's" in told.text
    for owner, session in ((desk, others), (far, far_session)):
        row = owner.row(session)
        assert row is not None
        assert row.name == ""


def test_a_call_before_the_sessions_first_request(desk: Desk) -> None:
    """Codex names its session, which we may not have seen yet: nothing is lost."""
    for arguments in ({"repo": "acme/docs"}, {"repo": "acme/docs", "sessionId": "abc"}):
        told = desk.call(SET_REPOSITORY, arguments, client_session="abc")
        assert told.text.startswith("Noted. It is attached")
    assert desk.here(SET_NAME, name="Early").text.startswith("Noted. It is attached")
    session = desk.request()
    assert desk.links(session) == [("repository", DOCS)]
    row = desk.row(session)
    assert row is not None
    assert (row.name, row.repository) == ("Early", DOCS)


@pytest.mark.parametrize("by_id", [True, False])
def test_a_call_is_resolved_by_the_conversation(desk: Desk, by_id: bool) -> None:
    """Claude Code's carries the model's id of the call, OpenCode's nothing but its arguments."""
    first = desk.request("one", launch_id="lch_1")
    second = desk.request("two", launch_id="lch_1")
    arguments = {"repo": "acme/docs"}
    call_id = "toolu_1" if by_id else ""
    told = desk.call(SET_REPOSITORY, arguments, launch_id="lch_1", call_id=call_id)
    assert told.text.startswith("Noted. It is attached")
    others = desk.enroll("other@example.com")
    seen = SessionCall("toolu_1", SET_REPOSITORY, digest(arguments))
    stranger = desk.request("two", key=others, calls=(seen,))
    assert desk.links(stranger) == desk.links(first) == desk.links(second) == []
    desk.request("two", launch_id="lch_1", calls=(seen,))
    assert desk.links(second) == [("repository", DOCS)]
    assert desk.links(first) == []


def test_the_only_session_of_a_launch(desk: Desk) -> None:
    session = desk.request("one", launch_id="lch_1")
    told = desk.call(SET_REPOSITORY, {"repo": "acme/docs"}, launch_id="lch_1", call_id="t")
    assert told.text == f"Noted: {DOCS}."
    assert desk.links(session) == [("repository", DOCS)]
    others = desk.enroll("other@example.com")
    told = desk.call(SET_REPOSITORY, {"repo": "acme/app"}, key=others, launch_id="lch_1")
    assert told.text.startswith("Noted. It is attached")
    assert desk.links(session) == [("repository", DOCS)]


def test_what_nothing_claims_goes_to_the_launchs_newest_session_of_then(desk: Desk) -> None:
    for client in ("one", "two"):
        desk.request(client, launch_id="lch_1")
    newest = desk.request("three", launch_id="lch_1")
    desk.call(SET_REPOSITORY, {"repo": "acme/docs"}, launch_id="lch_1", call_id="t")
    later = desk.request("four", launch_id="lch_1")
    assert desk.calls.expire() == 0
    assert desk.links(newest) == []
    desk.world.clock.now_us += DAY_US + MINUTE_US
    assert desk.calls.expire() == 1
    assert desk.calls.expire() == 0
    assert desk.links(newest) == [("repository", DOCS)]
    assert desk.links(later) == []


def test_a_session_takes_so_many(desk: Desk) -> None:
    desk.calls = SessionCalls(desk.world.store, lambda: 0, desk.world.clock, most_links=3)
    session = desk.request()
    desk.row(session)
    told = [desk.here(ADD_COMMIT, sha=f"{number:07x}") for number in range(5)]
    assert [each.is_error for each in told] == [False] * 3 + [True] * 2
    assert "no more are kept" in told[-1].text
    assert len(desk.links(session)) == 3
