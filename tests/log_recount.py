"""What the log must say of events, found by looking at each of them."""

import random
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from tests.recount import figures_of

from tidegate.core.calendar import hour_start_us, next_hour_us
from tidegate.core.model import UsageEvent
from tidegate.store.log import LogFilter, LogReads, Place, Volume

ORGANIZATION = "org_1"
FLAGS = ("captured", "estimated", "price_unknown")
MODELS = ("claude-sonnet-4-5", "claude-sonnet", "gpt-5")
HOUR_US = 3_600_000_000


def varied(events: Iterable[UsageEvent], dice: random.Random) -> list[UsageEvent]:
    """The events, differing in all that the log can be filtered by."""
    return [
        msgspec.structs.replace(
            one,
            agent=dice.choice(["claude_code", "claude_code", "codex"]),
            model_served=dice.choice(["", *MODELS]),
            model_asked=dice.choice(MODELS),
            outcome=dice.choice(["ok", "ok", "ok", "cut", "cancelled", "refused"]),
            status=dice.choice([200, 200, 200, 0, 304, 404, 529]),
            launch_id=dice.choice(["", "lch_1", "lch_2"]),
            client_session=one.session_id and f"client-{one.session_id}",
            upstream_request_id=dice.choice(["", f"up_{number % 7}"]),
            duration_us=int(dice.lognormvariate(15, 1)),
            **{name: dice.random() < 0.2 for name in FLAGS},
        )
        for number, one in enumerate(events)
    ]


def roots_of(events: Sequence[UsageEvent]) -> dict[str, str]:
    """The session of the run that each sub-agent's session belongs to."""
    parents = {e.session_id: e.parent_session_id for e in events if e.parent_session_id}
    roots = {}
    for session_id in parents:
        root, seen = session_id, {session_id}
        while (above := parents.get(root, "")) and above not in seen:
            root = above
            seen.add(root)
        roots[session_id] = root
    return roots


def fits(one: UsageEvent, only: LogFilter, roots: Mapping[str, str]) -> bool:
    """Whether a filter lets an event through; that of a run also what its sub-agents sent."""
    of_run = only.session_id in {one.session_id, roots.get(one.session_id)}
    chosen = (
        (only.member_ids, one.member_id),
        (only.agents, one.agent),
        (only.models, one.model_served or one.model_asked),
        (only.outcomes, one.outcome),
        ((only.key_id,) if only.key_id else (), one.key_id),
        ((only.billing,) if only.billing else (), one.billing),
        ((only.repository.strip("-"),) if only.repository else (), one.repository),
        ((only.status_class[0],) if only.status_class else (), str(one.status)[0]),
    )
    ids = (
        one.event_id, one.upstream_request_id, one.session_id, one.launch_id, one.client_session,
    )  # fmt: skip
    return (
        all(not wanted or value in wanted for wanted, value in chosen)
        and (not only.session_id or of_run)
        and all(getattr(only, name) in (None, getattr(one, name)) for name in FLAGS)
        and (not only.ids or only.ids.strip() in ids)
        and only.start_us <= one.started_us
        and (not only.end_us or one.started_us < only.end_us)
    )


def some_filter(events: Sequence[UsageEvent], dice: random.Random) -> LogFilter:
    """A filter of one to three conditions that an event gave, so that it often finds some."""
    one = dice.choice(events)
    flags = {name: dice.choice([True, False]) for name in FLAGS}
    choices: dict[str, Any] = {
        "member_ids": (one.member_id, *dice.sample(["mem_1", "mem_9"], dice.randrange(2))),
        "agents": (one.agent,),
        "models": (one.model_served or one.model_asked, *dice.sample(MODELS, dice.randrange(2))),
        "key_id": one.key_id,
        "session_id": one.session_id,
        "repository": one.repository or "-",
        "outcomes": (one.outcome, *dice.sample(["ok", "cut"], dice.randrange(3))),
        "billing": one.billing,
        "status_class": f"{one.status // 100}xx" if one.status else "2xx",
        "ids": dice.choice([one.event_id, one.upstream_request_id, f" {one.launch_id}"]).rstrip(),
        **flags,
    }
    names = dice.sample(sorted(choices), dice.choice([0, 1, 1, 1, 2, 3]))
    only = LogFilter(**{name: choices[name] for name in names})
    times = sorted(e.started_us + dice.randrange(-HOUR_US, HOUR_US) for e in dice.sample(events, 2))
    bounds = dict(zip(("start_us", "end_us"), times, strict=True))
    for name in dice.sample(sorted(bounds), dice.randrange(3)):
        only = msgspec.structs.replace(only, **{name: bounds[name]})
    return only


def check_filter(
    log: LogReads, events: Sequence[UsageEvent], only: LogFilter, zone: str = "UTC"
) -> None:
    """Pages, counts and sums of a filter are those of the events that it lets through."""
    roots = roots_of(events)
    expected = sorted(
        (one for one in events if fits(one, only, roots)),
        key=lambda one: (one.started_us, one.event_id),
        reverse=True,
    )
    assert [one for part in log.rows(ORGANIZATION, only) for one in part] == expected
    assert log.sums(ORGANIZATION, only) == figures_of(expected)
    check_pages(log, [one.event_id for one in expected], only)
    check_volumes(log, expected, only, ZoneInfo(zone))


def check_pages(log: LogReads, expected: list[str], only: LogFilter, size: int = 3) -> None:
    """Walking to the end and back meets every row once, in order."""
    older: list[Place] = []
    while rows := log.page(ORGANIZATION, only, size, before=older[-1] if older else None):
        older += [row.place for row in rows]
    assert [place.event_id for place in older] == expected
    newer = older[-1:]
    while newer and (rows := log.page(ORGANIZATION, only, size, after=newer[-1])):
        newer += [row.place for row in reversed(rows)]
    assert newer == older[::-1]
    for number, place in enumerate(older[:5]):
        assert log.count_after(ORGANIZATION, only, place, 4) == min(number, 4)


def check_volumes(
    log: LogReads, expected: Sequence[UsageEvent], only: LogFilter, zone: ZoneInfo
) -> None:
    """Hours that hold all rows have as many as there are; so have their latencies."""
    if not expected:
        return
    hour = partial(hour_start_us, zone=zone)
    first_us = hour(expected[-1].started_us)
    starts = sorted({first_us, *(hour(one.started_us) for one in expected[::7])})
    counts: dict[int, list[int]] = {}
    good: dict[int, list[int]] = {}
    for one in expected:
        index = sum(start_us <= one.started_us for start_us in starts) - 1
        count = counts.setdefault(index, [0, 0])
        count[0] += 1
        count[1] += one.outcome != "ok"
        if one.outcome == "ok":
            good.setdefault(index, []).append(one.duration_us)
    end_us = next_hour_us(hour(expected[0].started_us), zone)
    whole = msgspec.structs.replace(
        only, start_us=max(only.start_us, first_us), end_us=min(only.end_us or end_us, end_us)
    )
    volumes = log.volumes(ORGANIZATION, whole, starts)
    assert volumes == {index: Volume(*count) for index, count in counts.items()}
    latencies = log.latencies(ORGANIZATION, whole, starts)
    assert set(latencies) == set(good)
    for index, times in good.items():
        times.sort()
        median, rare = times[(len(times) - 1) // 2], times[-(-len(times) * 95 // 100) - 1]
        for found, exact in ((latencies[index].p50_us, median), (latencies[index].p95_us, rare)):
            assert 0.95 * exact <= found <= 1.05 * exact
