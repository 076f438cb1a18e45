"""Lists page by page, while things come and go."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.unit.console.api_v1.programs import Programs

from tidegate.console.api_v1.paging import PageQuery, page_of, read_cursor, write_cursor
from tidegate.console.api_v1.problems import ProblemRaised

pytestmark = pytest.mark.slow


@given(
    st.sets(st.text(min_size=1, max_size=5), max_size=30),
    st.lists(st.text(min_size=1, max_size=5), max_size=30),
    st.integers(1, 7),
)
def test_each_thing_once_whatever_is_added_and_deleted(
    there: set[str], coming: list[str], limit: int
) -> None:
    """What was there throughout is listed once; nothing is listed twice."""
    present, listed, cursor = set(there), [], ""
    changes = iter(coming)
    while True:
        page, after = page_of("t", PageQuery(limit, cursor), sorted(present, reverse=True), str)
        listed += page
        if after is None:
            break
        assert len(page) == limit
        cursor = after
        for change in changes:
            present ^= {change}
            break
    assert len(listed) == len(set(listed))
    assert set(listed) >= there - set(coming)


@given(st.text(), st.text(min_size=1))
def test_a_cursor_leads_back_to_its_place(list_name: str, after: str) -> None:
    cursor = write_cursor(list_name, after)
    assert read_cursor(list_name, cursor) == after
    with pytest.raises(ProblemRaised):
        read_cursor(f"{list_name}!", cursor)


@given(st.text(min_size=1))
def test_made_up_cursors_are_refused(cursor: str) -> None:
    with pytest.raises(ProblemRaised):
        read_cursor("members", cursor)


def _pages(program: TestClient, path: str, limit: int) -> list[Any]:
    found, cursor = [], ""
    while True:
        page = program.get(path, params={"limit": limit, "cursor": cursor}).json()
        assert len(page["items"]) <= limit
        found.append(page["items"])
        if page["next_cursor"] is None:
            return found
        cursor = page["next_cursor"]


@pytest.mark.parametrize(
    "path", ["/members", "/invitations", "/me/access-tokens", "/audit-log", "/me/logins"]
)
def test_every_list_in_pages_is_the_whole(programs: Programs, path: str) -> None:
    world, api = programs.world, programs.of("owner")
    for n in range(5):
        world.services.members.add(world.organization_id, f"m{n}@brightwater.dev")
        api.post("/invitations", json={"email": f"i{n}@brightwater.dev"})
        api.post("/me/access-tokens", json={"name": f"token {n}"})
        world.login()
    whole = _pages(api, path, 200)[0]
    pages = _pages(api, path, 2)
    assert len(whole) >= 5
    assert [item for page in pages for item in page] == whole
    assert [len(page) for page in pages[:-1]] == [2] * (len(pages) - 1)


def test_whoever_joins_between_two_pages_moves_nothing(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    for email in ("b@b.dev", "d@b.dev", "f@b.dev"):
        world.services.members.add(world.organization_id, email)
    first = api.get("/members?limit=2").json()
    world.services.members.add(world.organization_id, "a@b.dev")
    second = api.get("/members", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    third = api.get("/members", params={"limit": 2, "cursor": second["next_cursor"]}).json()
    emails = [m["email"] for page in (first, second, third) for m in page["items"]]
    assert emails == ["maya@brightwater.dev", "b@b.dev", "d@b.dev", "f@b.dev", "a@b.dev"]


def test_what_is_done_between_two_pages_of_the_audit_log_moves_nothing(
    programs: Programs,
) -> None:
    api = programs.of("owner")
    whole = [entry["id"] for entry in api.get("/audit-log").json()["items"]]
    first = api.get("/audit-log?limit=1").json()
    api.patch("/organization", json={"week_start": 7})
    rest = api.get("/audit-log", params={"cursor": first["next_cursor"]}).json()
    assert [entry["id"] for entry in first["items"] + rest["items"]] == whole


def test_a_cursor_of_another_list_is_refused(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    world.services.members.add(world.organization_id, "b@b.dev")
    cursor = api.get("/members?limit=1").json()["next_cursor"]
    for path in ("/invitations", "/credentials", "/audit-log", "/me/logins"):
        answer = api.get(path, params={"cursor": cursor})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "cursor"


def test_the_audit_log_by_filters(programs: Programs) -> None:
    world, api = programs.world, programs.of("owner")
    world.now_us += 3_600_000_000
    api.patch("/organization", json={"week_start": 7})

    def actions(**params: str) -> list[str]:
        found = api.get("/audit-log", params=params).json()["items"]
        return [entry["action"] for entry in found]

    assert actions(action="organization.u") == ["organization.update"]
    assert actions(actor=world.owner_id, start="2026-11-22T13:00:00Z")[:1] == [
        "organization.update"
    ]
    assert "organization.update" not in actions(end="2026-11-22T14:00:00+01:00")
    assert actions(target="nothing") == []
    assert api.get("/audit-log?start=2026-11-22T13:00:00").status_code == 422
