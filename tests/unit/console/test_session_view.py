"""The parts of a session's page as values: rates, lanes, the tree of agents, linked work."""

from zoneinfo import ZoneInfo

import pytest

from tidegate.console.session_agents import agent_lines, agent_names
from tidegate.console.session_buckets import buckets_view, rate_of, tool_lines
from tidegate.console.session_timeline import MOST_LANES, timeline_view
from tidegate.console.session_work import work_view
from tidegate.core.model import Cost, TokenCounts, ToolSaving
from tidegate.services.session_reports import (
    AgentSums,
    Lane,
    LaneMark,
    ModelSums,
    PullRequest,
    SessionLanes,
    SessionRow,
    TimedLink,
)

UTC = ZoneInfo("UTC")
ROOT = "ses_" + "0" * 32
APP = "github.com/acme/app"
USD = 1_000_000_000


def model(
    name: str, tokens: TokenCounts, cost: Cost, *, requests: int = 1, errors: int = 0
) -> ModelSums:
    return ModelSums(
        model=name,
        requests=requests,
        errors=errors,
        tokens=tokens,
        cost=cost,
        subscription_cost_nusd=0,
        saved_tokens=0,
        saved_nusd=0,
    )


def agent(
    subagent_id: str = "",
    *models: ModelSums,
    session_id: str = ROOT,
    parent: tuple[str, str] = ("", ""),
    first_us: int = 1,
) -> AgentSums:
    return AgentSums(
        session_id=session_id,
        subagent_id=subagent_id,
        parent_session_id=parent[0],
        parent_agent_id=parent[1],
        first_us=first_us,
        last_us=first_us + 1,
        models=models,
    )


def row(**changes: object) -> SessionRow:
    values: dict[str, object] = {
        "session_id": ROOT,
        "name": "",
        "name_method": "",
        "client_session": "c",
        "agent": "codex",
        "client_version": "",
        "member_id": "mem_1",
        "key_id": "key_1",
        "first_us": 1,
        "last_us": 2,
        "requests": 1,
        "errors": 0,
        "tokens": TokenCounts(),
        "cost_nusd": 0,
        "subscription_cost_nusd": 0,
        "saved_tokens": 0,
        "saved_nusd": 0,
        "repository": APP,
        "branch": "main",
        "compression": "",
    }
    return SessionRow(**values | changes)  # type: ignore[arg-type]


# -- buckets -----------------------------------------------------------------


def test_a_rate_is_told_where_there_was_one() -> None:
    one = model("a", TokenCounts(input=1_000, output=10), Cost(input=3_000_000, output=150_000))
    other = model("b", TokenCounts(input=2_000), Cost(input=6_000_000))
    dear = model("c", TokenCounts(input=1_000), Cost(input=15_000_000))
    assert rate_of([one, other], "input") == 3 * USD
    assert rate_of([one, dear], "input") is None
    assert rate_of([one], "cache_read") is None


def test_a_sum_of_rounded_costs_still_has_its_rate() -> None:
    off = model("a", TokenCounts(input=333), Cost(input=999_000 + 3), requests=8)
    mixed = model("a", TokenCounts(input=200_000), Cost(input=900_000_000 + 777_777), requests=2)
    assert rate_of([off], "input") == 3 * USD
    assert rate_of([mixed], "input") is None


def test_shares_of_the_cost_fill_the_bar() -> None:
    tokens = TokenCounts(input=1_000, cache_read=1_000, output=1_000, reasoning=40)
    costs = Cost(input=1 * USD, cache_read=1 * USD, output=1 * USD, extras=1 * USD)
    view = buckets_view([agent("", model("a", tokens, costs))])
    drawn = [(line.name, line.x, line.width, line.share) for line in view.lines if line.width]
    assert drawn == [
        ("cache_read", "0%", "25%", "25.0 %"),
        ("input", "25%", "25%", "25.0 %"),
        ("output", "50%", "25%", "25.0 %"),
        ("extras", "75%", "25%", "25.0 %"),
    ]
    assert (view.tokens, view.reasoning, view.cost) == ("3,000", "40", "$4.0000")


def test_nothing_used_is_nothing_drawn() -> None:
    view = buckets_view([])
    assert all(line.share == line.rate == "\N{EN DASH}" for line in view.lines)
    assert not any(line.width for line in view.lines)


def test_tools_are_listed_by_what_was_saved() -> None:
    found = [("read", 2, 100, 90), ("shell", 1, 1_000, 250), ("other", 0, 0, 0), ("edit", 1, 0, 0)]
    lines = tool_lines([ToolSaving(*each) for each in found])
    assert [(line.title, line.kept, line.saved) for line in lines] == [
        ("Commands", "25%", "750"),
        ("Reading files", "90%", "10"),
        ("Editing", "0%", "0"),
    ]


# -- the timeline ------------------------------------------------------------


def mark(lane: Lane, slot: int, **more: int) -> LaneMark:
    values = {"requests": 1, "failed": 0, "compressed": 0, "tokens": 10, "cost_nusd": 5} | more
    return LaneMark(
        lane=lane,
        slot=slot,
        start_us=slot * 1_000_000,
        end_us=slot * 1_000_000 + 900_000,
        event_id=f"req_{slot}",
        **values,
    )


def test_however_many_agents_there_are_few_lanes() -> None:
    lanes = [Lane(ROOT, f"sub{i}" if i else "") for i in range(40)]
    marks = tuple(mark(lane, slot) for lane in lanes for slot in range(240))
    titles = {lane: lane.subagent_id or "main" for lane in lanes}
    view = timeline_view(
        SessionLanes(end_us=240_000_000, slot_us=1_000_000, marks=marks),
        titles,
        zone=UTC,
        session_id=ROOT,
    )
    assert view is not None
    assert len(view.lanes) == MOST_LANES
    assert [view.lanes[0].name, view.lanes[-1].name] == ["main", "33 others"]
    assert sum(len(lane.marks) for lane in view.lanes) == MOST_LANES * 240
    assert view.lanes[-1].marks[0].requests == "33"


def test_a_mark_says_what_it_stands_for() -> None:
    lane = Lane(ROOT, "")
    marks = (mark(lane, 0), mark(lane, 3, failed=1), mark(lane, 9, requests=4, compressed=2))
    lanes = SessionLanes(end_us=10_000_000, slot_us=1_000_000, marks=marks)
    view = timeline_view(lanes, {lane: "main"}, zone=UTC, session_id=ROOT)
    assert view is not None
    [drawn] = view.lanes
    assert [each.tone for each in drawn.marks] == ["answered", "failed", "compressed"]
    assert [each.label for each in drawn.marks] == [
        "00:00:00, main · 1 request · 10 tokens · <$0.0001",
        "00:00:03, main · 1 request · failed · 10 tokens · <$0.0001",
        "00:00:09, main · 4 requests · 2 compressed · 10 tokens · <$0.0001",
    ]
    assert drawn.marks[1].href == "/logs?ids=req_3&open=req_3"
    assert all(float(m.x[:-1]) + float(m.width[:-1]) <= 100.01 for m in drawn.marks)
    hidden = timeline_view(lanes, {}, zone=UTC, session_id=ROOT, shows_costs=False, linked=False)
    assert hidden is not None
    assert not any(m.href or "$" in m.label for m in hidden.lanes[0].marks)


def test_without_requests_there_is_no_timeline() -> None:
    assert timeline_view(SessionLanes(), {}, zone=UTC, session_id=ROOT) is None


# -- agents ------------------------------------------------------------------


def test_agents_stand_under_those_that_began_them() -> None:
    used = model("a", TokenCounts(input=1), Cost(input=USD), requests=2, errors=1)
    agents = [
        agent("b", used, parent=(ROOT, ""), first_us=9),
        agent("", used),
        agent("a", used, parent=(ROOT, ""), first_us=5),
        agent("", used, session_id="ses_9", parent=(ROOT, "a"), first_us=6),
        agent("lost", used, parent=("ses_gone", "x"), first_us=7),
    ]
    lines = agent_lines(agents)
    assert [(line.name, line.depth) for line in lines] == [
        ("main", 0),
        ("sub-agent 1", 1),
        ("sub-agent 2", 2),
        ("sub-agent 3", 1),
        ("sub-agent 4", 1),
    ]
    assert agent_names(agents)[Lane("ses_9", "")] == "sub-agent 2"
    assert [line.errors for line in lines] == [1] * 5


def test_parents_that_name_each_other_are_shown_once() -> None:
    agents = [
        agent(""),
        agent("a", parent=(ROOT, "b")),
        agent("b", parent=(ROOT, "a")),
        agent("self", parent=(ROOT, "self")),
    ]
    assert sorted(line.depth for line in agent_lines(agents)) == [0, 1, 1, 2]
    assert agent_lines([]) == []


# -- linked work -------------------------------------------------------------


def link(kind: str, value: str, method: str, **more: object) -> TimedLink:
    return TimedLink(kind, value, method, 1, **more)  # type: ignore[arg-type]


def test_each_link_says_how_it_was_found() -> None:
    links = [
        link("repository", APP, "launch"),
        link("branch", "main", "turn_metadata"),
        link("pull_request", f"{APP}#12", "tool", certain=False, source="gh pr view"),
        link("pull_request", f"{APP}#12", "mcp", source="addSessionPullRequest"),
        link("commit", "9c41e07aa0", "tool", source="git commit"),
    ]
    known = PullRequest(
        repository_id=1, repository=APP, number=12, title="<b>Do", author="a", state="merged"
    )
    view = work_view(row(), links, {f"{APP}#12": known}, {})
    lines = [line for part in view.parts for line in part.lines]
    assert [(line.how, line.tool, line.certainty) for line in lines] == [
        ("from the launch context (git remote)", "", "certain"),
        ("told by Codex with the turn", "", "certain"),
        ("set by the agent", "addSessionPullRequest", "certain"),
    ]
    assert [lines[0].href, lines[2].href] == [f"https://{APP}", f"https://{APP}/pull/12"]
    assert (lines[2].text, lines[2].title, lines[2].state) == ("#12", "<b>Do", "merged")
    assert [each.shown for each in view.commits] == ["9c41e07"]
    assert view.commits[0].href == f"https://{APP}/commit/9c41e07aa0"


@pytest.mark.parametrize("for_anyone", [False, True])
def test_a_persons_word_stands_alone(for_anyone: bool) -> None:
    links = [
        link("repository", APP, "launch"),
        link("repository", "gitlab.com/g/other", "person", source="mem_9"),
        link("branch", "main", "launch"),
        link("branch", "", "person", source="mem_9"),
    ]
    view = work_view(row(), links, {}, {"mem_9": "Maya"}, for_anyone=for_anyone)
    repository, branch, _ = view.parts
    assert [line.name.name for line in repository.lines if line.name] == ["other"]
    assert repository.instead_of == [APP]
    assert branch.lines == []
    assert branch.corrected == ("a person" if for_anyone else "Maya")
    assert bool(repository.lines[0].sessions_href) is not for_anyone


def test_what_no_forge_is_known_for_is_not_linked() -> None:
    links = [
        link("repository", "javascript:alert(1)/x", "launch"),
        link("pull_request", "evil.example/a/b#1", "tool"),
        link("commit", "abcdef0", "tool"),
    ]
    view = work_view(row(repository="evil.example/a/b"), links, {}, {})
    assert [line.href for part in view.parts for line in part.lines] == ["", ""]
    assert view.commits[0].href == ""
