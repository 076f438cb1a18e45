"""What the console's pages weigh and how soon they are painted, in Chromium and by Lighthouse.

python -m tests.bench.pages --events 10000000 --keep DIRECTORY

"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from playwright.sync_api import Browser, Page
from tests.bench import lighthouse, team
from tests.bench.lighthouse import NoLighthouse, Scores
from tests.bench.team_store import NOW_US, ORGANIZATION
from tests.browser.chromium import HEIGHT_PX, chromium, executable, sign_in
from tests.browser.serving import served_world
from tests.browser.world import World

_MOST_PAINT_MS: Final = 300
_MOST_FIRST_BYTES: Final = 300_000
_MOST_REFRESH_BYTES: Final = 40_000
_ROUNDS: Final = 7
_TEAM: Final = "/"
_ASK_AGAIN: Final = """
async (held) => {
    const live = document.getElementById("tg-live");
    const headers = { "HX-Request": "true", ...(held && { "If-None-Match": live.dataset.tag }) };
    const answer = await fetch(live.dataset.parts, { headers, cache: "no-store" });
    await answer.text();
    return answer.status;
}"""
_LEGEND: Final = """\
Chromium without a cache, the page over HTTP/1.1 from this machine, an event drained before each
visit; medians. Bytes are those of the network, heads included. A refresh is what the page fetches
every 15 seconds. Lighthouse: desktop preset, medians of 3."""


class Visits(NamedTuple):
    """The Team page as Chromium saw it."""

    paint_ms: float
    best_paint_ms: float
    first_bytes: float
    refresh_bytes: float
    unchanged_status: int
    unchanged_bytes: float

    @property
    def faults(self) -> list[str]:
        """What is not as it should be."""
        limits = (
            (self.paint_ms, _MOST_PAINT_MS, "ms to the first paint"),
            (self.first_bytes, _MOST_FIRST_BYTES, "bytes on a first visit"),
            (self.refresh_bytes, _MOST_REFRESH_BYTES, "bytes of a refresh"),
        )
        found = [f"{value:,.0f} {what}" for value, most, what in limits if value > most]
        if self.unchanged_status != 304:
            found.append(f"{self.unchanged_status} where nothing changed")
        return found


class Findings(NamedTuple):
    """All that was measured; without Lighthouse, why."""

    visits: Visits
    scores: list[Scores]
    no_lighthouse: str

    @property
    def faults(self) -> list[str]:
        return [
            *self.visits.faults,
            *(f"Lighthouse on {s.page}: {dict(s.scores)}" for s in self.scores if not s.is_met),
        ]


def measure(events: int = team.EVENTS, *, keep: Path | None = None) -> Findings:
    """Measure the pages with so many events stored."""
    with tempfile.TemporaryDirectory() as scratch:
        place = keep or Path(scratch) / "store"
        team.ready_store(place, events).close()
        with served_world(place) as world:
            world.organization_id, world.now_us = ORGANIZATION, NOW_US
            members = world.services.members.list(ORGANIZATION)
            world.owner_id = next(m.member_id for m in members if m.role == "owner")
            someone = next(m.member_id for m in members if m.role == "member")
            with chromium() as browser:
                visits = _visits(browser, world, lambda: team.outdate(place))
            try:
                return Findings(visits, _scores(world, someone), "")
            except NoLighthouse as why:
                return Findings(visits, [], str(why))


def section(found: Findings, events: int) -> str:
    """The findings as Markdown."""
    visits = found.visits
    rows = [
        f"| First paint (fastest) | {visits.paint_ms:.0f} ({visits.best_paint_ms:.0f}) ms |"
        f" {_MOST_PAINT_MS} ms |",
        f"| First visit | {visits.first_bytes / 1000:.0f} KB | {_MOST_FIRST_BYTES // 1000} KB |",
        f"| Refresh | {visits.refresh_bytes / 1000:.1f} KB | {_MOST_REFRESH_BYTES // 1000} KB |",
        f"| Refresh, nothing changed | {visits.unchanged_status},"
        f" {visits.unchanged_bytes:.0f} bytes | 304 |",
    ]
    lines = [f"## Pages in the browser with {events:,} events stored", ""]
    lines += ["| Team page | measured | at most |", "|---|---|---|", *rows, ""]
    if found.no_lighthouse:
        lines += [f"Lighthouse is left out: {found.no_lighthouse}.", ""]
    if found.scores:
        names = " | ".join(lighthouse.CATEGORIES)
        lines += [f"| Lighthouse {lighthouse.version()} | {names} |", "|---" * 4 + "|"]
        for each in found.scores:
            cells = " | ".join(f"{each.scores[name]:.0f}" for name in lighthouse.CATEGORIES)
            lines.append(f"| {each.page} | {cells} |")
        lines.append("")
    verdict = "; ".join(found.faults)
    lines += [f"Missed: {verdict}." if verdict else "All gates are met.", "", _LEGEND]
    return "\n".join(lines)


def _visits(browser: Browser, world: World, outdate: Callable[[], None]) -> Visits:
    first = [_first_visit(browser, world, outdate) for _ in range(_ROUNDS + 1)][1:]
    refresh, _ = _refresh(browser, world, held=False)
    unchanged, status = _refresh(browser, world, held=True)
    return Visits(
        paint_ms=statistics.median(paint for paint, _ in first),
        best_paint_ms=min(paint for paint, _ in first),
        first_bytes=statistics.median(size for _, size in first),
        refresh_bytes=refresh,
        unchanged_status=status,
        unchanged_bytes=unchanged,
    )


def _first_visit(
    browser: Browser, world: World, outdate: Callable[[], None]
) -> tuple[float, float]:
    """Milliseconds to the first contentful paint, and bytes."""
    outdate()
    page, sizes = _opened(browser, world)
    page.goto(_TEAM, wait_until="networkidle")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.context.close()
    return float(paint), sum(sizes)


def _refresh(browser: Browser, world: World, *, held: bool) -> tuple[float, int]:
    """Bytes and status of a refresh, by a page that holds what is so or nothing."""
    page, sizes = _opened(browser, world)
    page.goto(_TEAM, wait_until="networkidle")
    before = sum(sizes)
    status = page.evaluate(_ASK_AGAIN, held)
    page.wait_for_load_state("networkidle")
    page.context.close()
    return sum(sizes) - before, int(status)


def _opened(browser: Browser, world: World) -> tuple[Page, list[float]]:
    """A page of a browser that knows nothing but its login; it lists the bytes that come in."""
    size: Any = {"width": 1440, "height": HEIGHT_PX}
    context = browser.new_context(viewport=size, base_url=world.options.public_url)
    sign_in(context, world)
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    sizes: list[float] = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    return page, sizes


def _scores(world: World, member_id: str) -> list[Scores]:
    url, program = world.options.public_url, executable()
    owner, member = f"tidegate_login={world.login()}", f"tidegate_login={world.login(member_id)}"
    return [
        lighthouse.audit("Team", f"{url}/", program, cookie=owner),
        lighthouse.audit("Sign-in", f"{url}/sign-in", program, cookie=""),
        lighthouse.audit("My usage", f"{url}/my-usage", program, cookie=member),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pages", description=__doc__)
    parser.add_argument("--events", type=int, default=team.EVENTS, help="default %(default)s")
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="make the store there, once")
    options = parser.parse_args()
    found = measure(options.events, keep=options.keep)
    sys.stdout.write(section(found, options.events) + "\n")
    for each in found.scores:
        sys.stderr.writelines(f"{each.page}: {fault}\n" for fault in each.faults)
    return int(bool(found.faults))


if __name__ == "__main__":
    sys.exit(main())
