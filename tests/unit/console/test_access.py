"""Who gets in, where they are led, and what they are told."""

import json
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from tests.browser.world import World
from tests.unit.console.forms import HTMX, send

from tidegate.console.access import Need, own_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", "/"),
        ("/settings/audit?who=mem_1&what=key.", "/settings/audit?who=mem_1&what=key."),
        ("/%F0%9F%8C%8A", "/%F0%9F%8C%8A"),
        ("", ""),
        ("settings", ""),
        ("//evil.example", ""),
        ("///evil.example", ""),
        ("/\\evil.example", ""),
        ("/\t/evil.example", ""),
        ("/a\nb", ""),
        ("/a b", ""),
        ("/🌊", ""),
        ("https://evil.example/", ""),
        ("javascript:alert(1)", ""),
        ("/" + "x" * 2000, ""),
    ],
)
def test_a_path_of_ours(text: str, path: str) -> None:
    assert own_path(text) == path


@pytest.mark.parametrize(
    ("need", "roles"),
    [
        (Need.ANYONE, {"member", "admin", "owner"}),
        (Need.MEMBER, {"member", "admin", "owner"}),
        (Need.ADMIN, {"admin", "owner"}),
        (Need.OWNER, {"owner"}),
    ],
)
def test_needs(need: Need, roles: set[str]) -> None:
    assert {role for role in ("member", "admin", "owner") if need.met_by(role)} == roles


@pytest.mark.parametrize("cookie", ["x", "", "é", "x" * 5000])
def test_a_made_up_login_is_none(world: World, client: TestClient, cookie: str) -> None:
    headers = {b"cookie": f"tidegate_login={cookie}".encode()}
    response = client.get("/settings/audit?what=key.", headers=headers)
    back = quote("/settings/audit?what=key.", safe="/")
    assert (response.status_code, response.headers["location"]) == (303, f"/sign-in?next={back}")


def test_a_dialog_of_someone_signed_out_leads_the_page_to_the_sign_in(
    world: World, client: TestClient
) -> None:
    current = {"hx-current-url": "http://localhost:4180/settings/members?x=1"}
    response = client.get("/invite", headers=HTMX | current)
    assert response.status_code == 204
    assert response.headers["hx-redirect"] == "/sign-in?next=/settings/members%3Fx%3D1"
    for elsewhere in ("https://evil.example//x", "", "\\", "http://[", "http://h//evil.example"):
        response = client.get("/invite", headers=HTMX | {"hx-current-url": elsewhere})
        assert response.headers["hx-redirect"] == "/sign-in"


def test_a_refusal_of_a_part_is_told_on_the_page_that_stays(owner: TestClient) -> None:
    response = owner.get("/settings/members/mem_x", headers=HTMX)
    assert (response.status_code, response.text) == (404, "")
    assert response.headers["hx-reswap"] == "none"
    toast = json.loads(response.headers["hx-trigger"])["tg:toast"]
    assert toast == {
        "target": "body",
        "text": "There is no such member in this organization.",
        "failed": True,
    }


def test_what_was_done_is_told_once_on_the_next_page(owner: TestClient) -> None:
    response = send(owner, "/account/name", {"name": "Maya 🌊 <b>"})
    assert (response.status_code, response.headers["location"]) == (303, "/account")
    first = owner.get("/account")
    assert '<p class="tg-toast" data-toast>Your name is saved.</p>' in first.text
    assert "Maya 🌊 &lt;b&gt;" in first.text
    assert "data-toast" not in owner.get("/account").text


def test_a_made_up_message_is_only_text(owner: TestClient) -> None:
    owner.cookies.set("tidegate_toast", quote("<script>alert(1)</script>" + "x" * 1000))
    page = owner.get("/account").text
    assert "<script>alert" not in page
    assert "x" * 301 not in page


def test_a_change_in_a_dialog_renews_the_page_behind_it(world: World, owner: TestClient) -> None:
    member = world.services.members.add(world.organization_id, "ümit@brightwater.dev")
    response = send(owner, f"/settings/members/{member.member_id}/remove", htmx=True)
    assert response.status_code == 204
    events = json.loads(response.headers["hx-trigger"])
    assert events["tg:changed"] == {"target": "body"}
    assert events["tg:toast"]["text"] == "ümit@brightwater.dev is removed."
    assert response.headers["hx-trigger"].isascii()


@pytest.mark.parametrize("path", ["/settings/members", "/account", "/sign-in"])
def test_nothing_of_a_page_is_inline_or_from_elsewhere(owner: TestClient, path: str) -> None:
    page = owner.get(path).text
    assert " style=" not in page
    assert "<style" not in page
    assert "hx-on" not in page
    assert "<script>" not in page
    assert "javascript:" not in page
