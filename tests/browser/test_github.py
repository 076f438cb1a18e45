"""Connecting GitHub in the browser: App, installation, webhook, and what the page says of it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import OpenPage
from tests.browser.walking import dialog_of
from tests.browser.world import World
from tests.fake_github import FakeGithub, serving
from tests.github_payloads import merged, pull_request, repository

pytestmark = pytest.mark.browser


def test_from_the_first_click_to_the_first_webhook(world: World, open_page: OpenPage) -> None:
    with serving(FakeGithub()) as fake:
        of = fake.repositories[1] = repository(1, "brightwater/gateway", 10)
        open_page.expect("status of 422")  # of the organization that is none
        page = open_page(world, "/settings/github")
        expect(page.get_by_role("heading", name="GitHub is not connected")).to_be_visible()
        page.get_by_role("link", name="Connect GitHub").click()
        first = page.locator("form").filter(has=page.get_by_role("button", name="Continue"))
        first.get_by_label("Organization on GitHub").fill("bright water")
        first.get_by_role("button", name="Continue").click()
        expect(first).to_contain_text("as in its address")
        first.get_by_label("Organization on GitHub").fill("brightwater")
        first.get_by_label("Address").fill(fake.url)
        first.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Continue on 127.0.0.1").click()
        expect(page.get_by_text("Waiting for installation")).to_be_visible()
        assert fake.manifests[0]["default_permissions"] == {
            "metadata": "read",
            "pull_requests": "read",
        }
        page.get_by_role("link", name="Install on GitHub").click()
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        with ThreadPoolExecutor() as job:  # this thread has the browser's loop
            assert job.submit(world.services.github.sync.run, world.organization_id).result()
        page.reload()
        host = fake.url.removeprefix("http://")
        expect(page.get_by_text(f"{host}/brightwater/gateway")).to_be_visible()
        expect(page.get_by_text("none yet; until one comes")).to_be_visible()
        (app,) = fake.apps.values()
        payload = pull_request(of, 12, 300, **merged(300))
        assert fake.deliver(app, "pull_request", payload, "d1") == 204
        page.reload()
        expect(page.get_by_text("pull_request.closed")).to_be_visible()
        fake.mode = "broken"
        page.get_by_role("button", name="Test").click()
        expect(page.get_by_text("trouble of its own (502)")).to_be_visible()
        page.get_by_role("link", name="Disconnect GitHub").click()
        question = dialog_of(page, f"Disconnect the App {app.name}?")
        question.get_by_role("button", name="Disconnect").click()
        expect(page.get_by_role("heading", name="GitHub is not connected")).to_be_visible()
