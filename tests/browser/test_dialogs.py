"""What every dialog does: focus, keys, refusals, and how it looks to everyone."""

import re
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect
from tests.browser.conftest import OpenPage
from tests.browser.walking import BOTH, dialog_of, focused, settle
from tests.browser.world import World

from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import Actor
from tidegate.services.enrolment import Enrolled

pytestmark = pytest.mark.browser

NOAH = "noah.kim@brightwater.dev"
SOON_MS = 30_000  # as a rule 2 s; a busy machine is no fault
WIDTHS = [360, 768, 1440]


def noahs_key(world: World) -> Enrolled:
    member = world.services.members.by_email(world.organization_id, NOAH)
    keys = world.services.enrolment.list_keys(world.organization_id)
    [key] = [each for each in keys if each.record.member_id == member.member_id]
    return Enrolled(member.member_id, key.record.key_id, "", "")


def opened(page: Page, name: str) -> Locator:
    page.get_by_role("link", name=name).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def test_the_focus_goes_round_in_a_dialog_and_back_to_where_it_was(
    used_world: World, open_page: OpenPage
) -> None:
    page = open_page(used_world)
    opener = page.get_by_role("link", name=f"Manage OpenCode of {NOAH}")
    opener.focus()
    page.keyboard.press("Enter")
    dialog_of(page, f"OpenCode · {NOAH}")
    assert focused(page) == f"OpenCode · {NOAH}"  # the title: nothing is pressed by mistake
    inside = "document.activeElement.closest('#tg-dialog') !== null"
    stops = []
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(inside)
        stops.append(focused(page))
    assert stops[0] == "Close"
    assert stops.count("Close") == 2
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(inside)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    expect(opener).to_be_focused()
    assert page.locator("#tg-dialog-body").inner_html() == ""


def test_what_destroys_is_never_focused_first(used_world: World, open_page: OpenPage) -> None:
    page = open_page(used_world)
    dialog = opened(page, f"Manage OpenCode of {NOAH}")
    dialog.get_by_role("link", name="Unenrol…").click()
    dialog_of(page, f"Unenrol OpenCode of {NOAH}?")
    assert focused(page) == "Keep it"
    page.keyboard.press("Enter")
    dialog_of(page, f"OpenCode · {NOAH}")


def test_the_first_request_turns_the_dialog_green_by_itself(
    used_world: World, open_page: OpenPage
) -> None:
    page = open_page(used_world)
    dialog = opened(page, "New coding agent for aiko.tanaka@brightwater.dev")
    dialog.get_by_role("radio", name=re.compile("Codex")).check()
    dialog.get_by_role("button", name="Enrol").click()
    expect(dialog.get_by_text("Waiting for the first request…")).to_be_visible()
    expect(dialog.locator(".tg-elapsed")).to_have_text(re.compile(r"0:0\d"))
    keys = used_world.services.enrolment.list_keys(used_world.organization_id)
    key = keys[-1].record
    enrolled = Enrolled(key.member_id, key.key_id, "", "")
    used_world.use(enrolled, TokenCounts(input=1), Cost(input=1), agent=key.agent)
    expect(dialog.get_by_text("The first request is in")).to_be_visible(timeout=SOON_MS)
    expect(dialog.locator(".tg-waiting-over")).to_be_visible()
    dialog.get_by_role("button", name="Done").click()
    expect(page.get_by_role("link", name=re.compile("Manage Codex of aiko"))).to_be_visible()


def test_nobody_is_asked_once_the_dialog_is_closed(used_world: World, open_page: OpenPage) -> None:
    ben = used_world.enroll("ben@brightwater.dev", "codex")
    page = open_page(used_world)
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url) if "/waiting" in sent.url else None)
    dialog = opened(page, "Setup steps of ben@brightwater.dev")
    with page.expect_request(f"**/agents/{ben.key_id}/waiting"):
        pass
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    before = len(asked)
    page.wait_for_timeout(2500)
    assert len(asked) <= before + 1  # one may have been under way


def test_a_refused_form_keeps_what_was_typed_and_leads_to_the_fault(
    used_world: World, open_page: OpenPage
) -> None:
    open_page.expect("status of 422")
    page = open_page(used_world)
    dialog = opened(page, "Invite a member")
    email = dialog.get_by_label("Email")
    email.fill("rana at brightwater")
    dialog.get_by_role("radio", name=re.compile("^Admin")).check()
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("is no email address")).to_be_visible()
    expect(email).to_be_focused()
    expect(email).to_have_value("rana at brightwater")
    expect(email).to_have_accessible_description(re.compile("is no email address"))
    expect(dialog.get_by_role("radio", name=re.compile("^Admin"))).to_be_checked()


def test_a_message_can_be_closed_while_a_dialog_is_open(
    used_world: World, open_page: OpenPage
) -> None:
    open_page.expect("status of 404")
    page = open_page(used_world)
    dialog = opened(page, f"Manage OpenCode of {NOAH}")
    key_id = noahs_key(used_world).key_id
    used_world.services.enrolment.unenroll(used_world.organization_id, key_id)
    compression = dialog.get_by_role("switch", name="Token compression")
    compression.click()
    message = page.get_by_text("This agent is not enrolled, or was unenrolled meanwhile.")
    expect(message).to_be_visible()
    expect(compression).to_be_checked()  # rolled back
    page.get_by_role("button", name="Close the message").click()
    expect(message).not_to_be_visible()
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name=f"Manage OpenCode of {NOAH}")).to_have_count(0)


def test_what_is_no_dialog_is_not_put_into_one(used_world: World, open_page: OpenPage) -> None:
    open_page.expect("status of 500")
    page = open_page(used_world)
    page.route(
        "**/invite",
        lambda route: route.fulfill(status=500, content_type="text/plain", body="Something failed"),
    )
    page.get_by_role("link", name="Invite a member").first.click()
    expect(page.get_by_text("Something failed")).to_be_visible()
    expect(page.get_by_role("dialog")).not_to_be_visible()
    page.unroute("**/invite")
    opened(page, "Invite a member")


def test_an_answer_that_comes_after_escape_is_not_shown(
    used_world: World, open_page: OpenPage
) -> None:
    page = open_page(used_world)
    dialog = opened(page, "New coding agent for aiko.tanaka@brightwater.dev")
    answers: list[Route] = []
    page.route("**/agents/new", lambda route: answers.append(route))  # noqa: PLW0108
    dialog.get_by_role("button", name="Enrol").click()
    page.wait_for_timeout(100)
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    with page.expect_response("**/agents/new"):
        answers[0].continue_()
    expect(page.get_by_role("link", name=re.compile("Manage Codex of aiko"))).to_be_visible()
    expect(dialog).not_to_be_visible()
    assert page.locator("#tg-dialog-body").inner_html() == ""


def test_a_login_that_ended_leads_to_the_sign_in_page(
    used_world: World, open_page: OpenPage
) -> None:
    page = open_page(used_world)
    page.context.clear_cookies()
    page.get_by_role("link", name="Invite a member").first.click()
    expect(page).to_have_url(re.compile("/sign-in"))


@pytest.mark.parametrize("path", ["reveal", "setup"])
def test_without_scripts_the_forms_lead_to_pages(
    used_world: World, open_page: OpenPage, path: str
) -> None:
    key_id = noahs_key(used_world).key_id
    page = open_page(used_world, f"/agents/{key_id}", java_script_enabled=False)
    if path == "reveal":
        page.get_by_role("button", name="Reveal").click()
        expect(page.locator(".tg-line-text")).to_have_text(re.compile("tg_"))
    else:
        page.get_by_role("link", name="Set up…").click()
        page.get_by_role("button", name="Make a code").click()
        expect(page.get_by_text("tidegate login")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto(f"/agents/{key_id}")
    page.get_by_role("switch", name="Debug mode").click()
    page.get_by_role("button", name="Turn on").click()
    page.goto(f"/agents/{key_id}")
    expect(page.get_by_role("switch", name="Debug mode")).to_be_checked()


def shown(world: World, page: Page, name: str) -> None:
    """Open the dialog of that name."""
    key = noahs_key(world)
    invitation = world.services.invitations.invite(
        world.organization_id,
        f"rana.{time.monotonic_ns()}@brightwater.dev",
        "member",
        by_role="owner",
        actor=Actor(world.owner_id),
    ).invitation
    path = {
        "invite": "/invite",
        "withdraw": f"/invitations/{invitation.invitation_id}/withdraw",
        "enrol": f"/members/{key.member_id}/agents/new",
        "setup": f"/agents/{key.key_id}/setup",
        "manage": f"/agents/{key.key_id}",
        "debug": f"/agents/{key.key_id}/debug",
        "rotate": f"/agents/{key.key_id}/rotate",
        "unenrol": f"/agents/{key.key_id}/unenrol",
    }[name]
    page.evaluate(
        """path => {
            const link = document.createElement("a");
            Object.assign(link, { href: path, textContent: "open" });
            link.dataset.dialog = "";
            document.getElementById("main").append(link);
            link.click();
            link.remove();
        }""",
        path,
    )
    expect(page.locator("#tg-dialog-title")).to_be_visible()


@BOTH
def test_axe_finds_nothing_in_any_dialog(
    used_world: World, open_page: OpenPage, width: int, scheme: str
) -> None:
    key_id = noahs_key(used_world).key_id
    actor = Actor(used_world.owner_id)
    used_world.services.enrolment.set_debug(
        used_world.organization_id, key_id, hours=1, actor=actor
    )
    page = open_page(used_world, width=width, color_scheme=scheme)
    for name in ("invite", "withdraw", "enrol", "setup", "manage", "debug", "rotate", "unenrol"):
        shown(used_world, page, name)
        settle(page)
        violations = Axe().run(page, context="#tg-dialog").response["violations"]
        found = [f"{name}: {v['id']}: {n['html']}" for v in violations for n in v["nodes"]]
        assert found == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).not_to_be_visible()


def test_dialogs_fit_their_window_whatever_people_are_called(
    used_world: World, open_page: OpenPage
) -> None:
    member_id = noahs_key(used_world).member_id
    name = "\N{RIGHT-TO-LEFT OVERRIDE}محمد🌊<script>alert(1)</script>" + "w" * 50
    used_world.services.members.rename(
        used_world.organization_id, member_id, name, actor=Actor(used_world.owner_id)
    )
    page = open_page(used_world)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 640})
        for each in (
            "invite",
            "withdraw",
            "enrol",
            "setup",
            "manage",
            "debug",
            "rotate",
            "unenrol",
        ):
            shown(used_world, page, each)
            box = page.locator("#tg-dialog").bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["y"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= 640
            wide = page.evaluate(
                "[...document.querySelectorAll('#tg-dialog, .tg-view, .tg-view-body')]"
                ".filter(each => each.scrollWidth > each.clientWidth).map(each => each.className)"
            )
            assert wide == []
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).not_to_be_visible()
