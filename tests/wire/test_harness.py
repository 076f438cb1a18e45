"""The harness by itself: every agent against the scripted upstream, with no gateway between."""

import json
from pathlib import Path

import pytest
from tests.wire.agents import CLAUDE_NEW, CLAUDE_OLD, CODEX, OPENCODE, Program, Run, Workplace
from tests.wire.book import Book
from tests.wire.scripts import COMMAND_OUTPUT, FINAL_TEXT
from tests.wire.tap import Tap
from tests.wire.upstream import Upstream

pytestmark = pytest.mark.wire


def assert_round_trip(book: Book, run: Run) -> None:
    """The agent ran the command it was asked for, sent back the output, and showed the end."""
    assert run.status == 0, run.said
    assert FINAL_TEXT in run.stdout, run.said
    assert len(book.turns) == 2, book.summary()
    assert COMMAND_OUTPUT not in book.turns[0].request.body.decode()
    assert COMMAND_OUTPUT in book.turns[1].request.body.decode()


@pytest.mark.parametrize("program", [CLAUDE_OLD, CLAUDE_NEW], ids=lambda one: one.name)
def test_claude_code_does_a_round_trip(program: Program, tmp_path: Path) -> None:
    workplace = Workplace(tmp_path)
    with Upstream() as upstream:
        run = workplace.run(
            [str(program.binary), *program.headless()],
            ANTHROPIC_BASE_URL=upstream.url,
            ANTHROPIC_AUTH_TOKEN="tg_not-a-key",
        )
    assert_round_trip(upstream.book, run)
    agent = upstream.book.turns[0].request.header("user-agent")
    assert agent
    assert program.version in agent


def test_codex_does_a_round_trip(tmp_path: Path) -> None:
    workplace = Workplace(tmp_path)
    with Upstream() as upstream:
        provider = (
            f'model_providers.gw={{name="gw",base_url="{upstream.url}/v1",'
            'wire_api="responses",env_key="GW_KEY"}'
        )
        settings = ["-c", provider, "-c", 'model_provider="gw"']
        run = workplace.run(
            [str(CODEX.binary), *settings, *CODEX.headless()], GW_KEY="tg_not-a-key"
        )
    assert_round_trip(upstream.book, run)


@pytest.mark.parametrize(
    ("provider", "package", "model"),
    [
        ("gw", "@ai-sdk/openai-compatible", "gpt-5"),
        ("anthropic", "", "claude-sonnet-4-5"),
        ("openai", "", "gpt-5"),
    ],
)
def test_opencode_does_a_round_trip(
    provider: str, package: str, model: str, tmp_path: Path
) -> None:
    workplace = Workplace(tmp_path)
    with Upstream() as upstream, Tap() as tap:
        tap.lead_to("127.0.0.1", upstream.port)
        options = {"baseURL": f"{tap.url}/v1", "apiKey": "tg_not-a-key"}
        listed = {"models": {model: {}}, "npm": package, "name": "gw"} if package else {}
        config = {
            "autoupdate": False,
            "share": "disabled",
            "model": f"{provider}/{model}",
            "small_model": f"{provider}/{model}",
            "permission": {"*": "allow"},
            "provider": {provider: {"options": options, **listed}},
        }
        run = workplace.run(
            [str(OPENCODE.binary), *OPENCODE.headless()],
            OPENCODE_CONFIG_CONTENT=json.dumps(config),
        )
    assert_round_trip(upstream.book, run)
    seen = sorted(request.body for request, _ in tap.exchanges())
    assert seen == sorted(exchange.request.body for exchange in upstream.book.exchanges)
