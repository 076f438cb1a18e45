"""The harness by itself: every agent against the scripted upstream, with no gateway between."""

from pathlib import Path

import pytest
from tests.wire.agents import CLAUDE_NEW, CLAUDE_OLD, CODEX, OPENCODE, Program, Workplace
from tests.wire.direct import run_direct
from tests.wire.scripts import COMMAND_OUTPUT, FINAL_TEXT
from tests.wire.tap import Tap
from tests.wire.upstream import Upstream

pytestmark = pytest.mark.wire


@pytest.mark.parametrize(
    "program",
    [CLAUDE_OLD, CLAUDE_NEW, CODEX, pytest.param(OPENCODE, marks=pytest.mark.soak)],
    ids=lambda one: one.name,
)
def test_an_agent_does_a_round_trip(program: Program, tmp_path: Path) -> None:
    with Upstream() as upstream, Tap() as tap:
        tap.lead_to("127.0.0.1", upstream.port)
        run = run_direct(Workplace(tmp_path), program, tap.url, "tg_not-a-key")
        turns = upstream.book.turns
        assert run.status == 0, run.said
        assert FINAL_TEXT in run.stdout
        assert len(turns) == 2, upstream.book.summary()
        assert COMMAND_OUTPUT not in turns[0].request.body.decode()
        assert COMMAND_OUTPUT in turns[1].request.body.decode()
        assert program.version in str(turns[0].request.header("user-agent"))
        seen = sorted(request.body for request, _ in tap.exchanges())
        assert seen == sorted(exchange.request.body for exchange in upstream.book.exchanges)
