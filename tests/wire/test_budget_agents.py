"""Each real agent over a hard budget: it ends at once and shows the sentence; nothing goes out."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.gateway.held import MemoryHolds
from tests.wire.agents import CLAUDE_NEW, CLAUDE_OLD, CODEX, OPENCODE, Program
from tests.wire.local_gateway import ORGANIZATION
from tests.wire.test_agent_errors import Scene, names, scene

from tidegate.core.budgets import Budget
from tidegate.core.limits import RateLimit
from tidegate.gateway.rate_counters import SharedCounters

pytestmark = pytest.mark.wire

AGENTS = [pytest.param(CLAUDE_OLD, marks=pytest.mark.soak), CLAUDE_NEW, CODEX, OPENCODE]
SPENT = Budget(
    budget_id="bud_1",
    organization_id=ORGANIZATION,
    name="Spring",
    amount_nusd=5_000_000_000,
    window="month",
    hard=True,
)


@contextlib.contextmanager
def over_budget(folder: Path, **how: Any) -> Iterator[Scene]:
    holds = MemoryHolds()
    holds.spent["bud_1"] = SPENT.amount_nusd
    with scene(folder, holds=holds.source, records={"budgets": (SPENT,)}, **how) as it:
        yield it


@pytest.mark.parametrize("program", AGENTS, ids=names)
def test_over_a_budget(program: Program, tmp_path: Path) -> None:
    with over_budget(tmp_path) as it:
        began = time.monotonic()
        run = it.run(program)
        took_s = time.monotonic() - began
        assert run.status == 1, run.said
        said = run.said.replace('\\"', '"')  # of JSON
        assert 'Your organization\'s monthly budget "Spring" ($5.00) is used up' in said
        assert "It resets on " in run.said
        assert "tidegate budget request" in run.said
        assert it.statuses == [429 if program in (CLAUDE_OLD, CLAUDE_NEW) else 400]
        assert it.upstream.book.turns == []
        assert set(it.outcomes) == {"refused"}
        assert took_s < 60, "it waited"


STRICT = msgspec.structs.replace(SPENT, amount_nusd=1_000_000_000_000, mode="strict")


def test_codex_under_a_strict_budget_is_told_to_turn_off_its_search(tmp_path: Path) -> None:
    holds = MemoryHolds()
    with scene(tmp_path, holds=holds.source, records={"budgets": (STRICT,)}) as it:
        run = it.run(CODEX)
        assert run.status == 1, run.said
        said = run.said.replace('\\"', '"')
        assert 'Turn that tool off in your agent (Codex: web_search = "disabled" in its' in said
        assert it.upstream.book.turns == []
        (it.workplace.codex_home / "config.toml").write_text('web_search = "disabled"\n')
        run = it.run(CODEX)
        assert run.status == 0, run.said
    assert holds.settled
    assert holds.held == {}


@pytest.mark.soak
@pytest.mark.parametrize("program", [CLAUDE_NEW, OPENCODE], ids=names)
def test_a_strict_budget_lets_agents_work(program: Program, tmp_path: Path) -> None:
    holds = MemoryHolds()
    with scene(tmp_path, holds=holds.source, records={"budgets": (STRICT,)}) as it:
        run = it.run(program)
        assert run.status == 0, run.said
    assert holds.settled
    assert holds.held == {}


@pytest.mark.soak
def test_a_rate_limit_makes_opencode_wait_and_go_on(tmp_path: Path) -> None:
    """It asks for its title beside the first turn: one of the two comes later."""
    rates = SharedCounters(tmp_path / "rates", 1)
    only = RateLimit(organization_id=ORGANIZATION, concurrent_streams=1)
    with scene(tmp_path / "at", rates=rates, records={"rate_limits": (only,)}) as it:
        run = it.run(OPENCODE)
        assert run.status == 0, run.said
        assert set(it.statuses) <= {200, 429}
