"""Settings, Compression: level, default, lock and holdout, and what was measured."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.forms import send
from tests.unit.console.test_logs_page import TOKENS, cost, text_of

from tidegate.console.settings_compression import read_share, share_text
from tidegate.core.model import OrganizationRecord
from tidegate.services.audit import COMMAND_LINE
from tidegate.services.errors import InvalidField

pytestmark = pytest.mark.slow

PATH = "/settings/compression"


def form(client: TestClient, **fields: str) -> dict[str, str]:
    found = re.search(r'name="seen" value="(\w+)"', client.get(PATH).text)
    assert found
    usual = {"level": "lossless", "default": "yes", "holdout": "0", "seen": found[1]}
    return usual | fields


def now(world: World) -> OrganizationRecord:
    return world.services.organizations.get(world.organization_id)


def test_the_settings_are_kept_and_written_down(world: World, owner: TestClient) -> None:
    fields = form(owner, level="trims", locked="yes", holdout="12.5", default="")
    assert send(owner, PATH, fields).headers["location"] == PATH
    kept = now(world)
    assert (kept.compression_level, kept.holdout_permille) == ("trims", 125)
    assert (kept.compression_default, kept.compression_locked) == (False, True)
    [entry, *_] = world.services.audit_log.page(world.organization_id).entries
    assert entry.detail == {
        "compression_level": "trims",
        "before_compression_level": "lossless",
        "compression_default": "False",
        "before_compression_default": "True",
        "compression_locked": "True",
        "before_compression_locked": "False",
        "holdout_permille": "125",
        "before_holdout_permille": "0",
    }
    page = owner.get(PATH).text
    assert 'value="trims" checked' in page
    assert 'value="12.5"' in page
    assert "counts for new sessions" in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("level", ""),
        ("level", "off"),
        *(("holdout", value) for value in ("-1", "50.1", "51", "0.05", "x", "1e1", "٣")),
    ],
)
def test_what_is_wrong_is_told_at_its_field(
    world: World, owner: TestClient, field: str, value: str
) -> None:
    answer = send(owner, PATH, form(owner, **{field: value}))
    assert answer.status_code == 422
    assert f'id="{field}-fault"' in answer.text
    assert now(world) == world.services.organizations.get(world.organization_id)
    assert now(world).compression_level == "lossless"


def test_a_stale_form_changes_nothing(world: World, owner: TestClient) -> None:
    fields = form(owner, level="trims")
    send(owner, PATH, form(owner, level="references"))
    assert send(owner, PATH, fields).status_code == 409
    assert now(world).compression_level == "references"


@pytest.mark.parametrize(
    ("text", "permille"),
    [("", 0), ("5", 50), ("5.0", 50), ("2,5", 25), (" 50 % ", 500), (".5", 5), ("05", 50)],
)
def test_shares(text: str, permille: int) -> None:
    assert read_share(text) == permille
    assert read_share(share_text(permille)) == permille


@pytest.mark.parametrize("text", ["5..", "5.55", "1000", "%%", "five"])
def test_no_shares(text: str) -> None:
    with pytest.raises(InvalidField):
        read_share(text)


def test_a_comparison_says_nothing_too_early(world: World, owner: TestClient) -> None:
    assert "No session was left out yet." in owner.get(PATH).text
    key = world.enroll("aiko@brightwater.dev")
    for number in range(40):
        kind = "holdout" if number % 4 == 0 else "lossless"
        usd = 0.02 if kind == "holdout" else 0.01
        session: dict[str, Any] = {"session_id": f"ses_{number}", "client_session": str(number)}
        world.use(key, TOKENS, cost(usd + number / 2_000), compression=kind, **session)
    page = text_of(owner.get(PATH).text)
    assert "Sessions 30 10" in page
    assert "Requests per session 1.0 1.0" in page
    assert "Too few to say anything: 10 of about" in page
    assert "less" not in page.partition("Sessions 30 10")[2].replace("left-out", "")


def test_enough_sessions_tell_the_difference(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    for number in range(80):
        kind, usd = ("holdout", 0.02) if number % 2 else ("lossless", 0.018)
        session: dict[str, Any] = {"session_id": f"ses_{number}", "client_session": str(number)}
        world.use(key, TOKENS, cost(usd + number % 3 / 10_000), compression=kind, **session)
    page = text_of(owner.get(PATH).text)
    assert (
        "A request of a compressed session costs 9.9 % less" in page or "costs 10.0 % less" in page
    )
    assert "in 95 of 100 such comparisons" in page


@pytest.mark.parametrize("default", [True, False])
def test_a_lock_fixes_the_switch_of_a_key(world: World, owner: TestClient, default: bool) -> None:
    key = world.enroll("aiko@brightwater.dev")
    world.services.compression.set(
        world.organization_id, locked=True, default=default, actor=COMMAND_LINE
    )
    page = owner.get(f"/agents/{key.key_id}").text
    [switch] = re.findall(r'<button[^>]*id="tg-compression"[^>]*>', page)
    assert "disabled" in switch
    assert f'aria-checked="{str(default).lower()}"' in switch
    assert "Your organization decides on this for all keys." in page
    assert f"/agents/{key.key_id}/compression" not in page
    refused = send(owner, f"/agents/{key.key_id}/compression", {"on": "yes"})
    assert refused.status_code in {409, 422}
    setup = owner.get(f"/agents/{key.key_id}/setup").text
    assert ("Tool-result compression is on" in setup) is default


def test_an_open_switch_says_when_it_applies(world: World, owner: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    assert "Applies to new sessions." in owner.get(f"/agents/{key.key_id}").text


def test_members_do_not_see_it(world: World, client: TestClient) -> None:
    member = world.services.members.add(world.organization_id, "elena@brightwater.dev")
    client.cookies.set("tidegate_login", world.login(member.member_id))
    assert client.get(PATH).status_code == 403
