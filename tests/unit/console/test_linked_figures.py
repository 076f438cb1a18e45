"""Figures of other pages: each leads to the very requests that it is the sum of."""

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.browser.world import PUBLIC_URL, World, made_world
from tests.unit.console.forms import HTMX
from tests.unit.console.test_logs_page import TOKENS, cost, plain, rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def team(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The owner of the demo's team, for tests that change nothing."""
    data_dir = tmp_path_factory.mktemp("logs") / "data"
    shutil.copytree(migrated, data_dir)
    with made_world(data_dir, migrate=False) as world:
        world.demo()
        client = TestClient(world.app, base_url=PUBLIC_URL)
        client.cookies.set("tidegate_login", world.login())
        yield client


def linked_figures(page: str) -> list[tuple[str, int]]:
    found = re.findall(
        r'<a class="tg-rows" href="([^"]+)"><data value="(\d+)" title="([^"]+)"', page
    )
    return [(html.unescape(href), int(n)) for href, n, title in found if "session" not in title]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?range=24h",
        "/?range=24h&chart=table",
        "/?range=7d&sort=tokens&chart=table&view=table",
        "/?range=custom&first=2026-10-20&last=2026-11-18&sort=requests",
        "/my-usage",
        "/my-usage?range=24h&chart=table",
    ],
)
def test_every_figure_is_the_sum_of_the_rows_that_it_leads_to(team: TestClient, path: str) -> None:
    figures = linked_figures(team.get(path).text)
    assert len(figures) > 5
    for href, value in dict(figures).items():
        if href.startswith("/sessions"):  # a card's: sessions may have worked elsewhere too
            assert team.get(href).status_code == 200
            continue
        totals = team.get(href.replace("/logs", "/logs/totals", 1), headers=HTMX).text
        sums = [int(each) for each in re.findall(r'<data value="(\d+)"', totals)]
        assert value in sums, href


def test_my_usage_leads_to_ones_own_rows(world: World, client: TestClient) -> None:
    key = world.enroll("aiko@brightwater.dev")
    world.use(key, TOKENS, cost(3), model="", model_asked="", agent="codex")
    client.cookies.set("tidegate_login", world.login(key.member_id))
    figures = linked_figures(client.get("/my-usage").text)
    assert figures
    assert any("model=-" in href for href, _ in figures)
    for href, _ in figures:
        assert f"member={key.member_id}" in href
        assert len(rows(client.get(href).text)) == 1


def test_the_rates_stand_in_the_lines(team: TestClient) -> None:
    event_id = rows(team.get("/logs?outcome=ok").text)[0]
    lines = re.findall(
        r"<th scope=\"row\">[^<]+</th><td[^>]*>([\d,]+) <span>x</span></td>"
        r"<td[^>]*>\$([\d.]+) <span>=</span></td><td[^>]*>\$([\d.]+)</td>",
        plain(team.get(f"/logs/{event_id}").text),
    )
    assert len(lines) >= 2
    for units, rate, amount in lines:
        exact = int(units.replace(",", "")) * float(rate) / 1e6
        assert float(amount) == pytest.approx(exact, abs=2e-9)
