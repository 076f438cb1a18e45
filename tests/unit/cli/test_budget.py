"""`tidegate budget`: what is shown of budgets, and how more is asked for."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.cli.world import FakeServer, Machine, error_reply

from tidegate.cli.main import run

BUDGET = {
    "budget_id": "bud_1",
    "title": "Your monthly budget",
    "for": "Ada",
    "hard": True,
    "limit_nusd": 60_000_000_000,
    "raised_nusd": 10_000_000_000,
    "spent_nusd": 41_500_000_000,
    "held_nusd": 500_000_000,
    "left_nusd": 18_000_000_000,
    "used_percent": 70,
    "resets_at": "2026-12-01T00:00:00Z",
}
SQUAD = {**BUDGET, "budget_id": "bud_2", "title": "Your squad's budget", "for": "Platform"}
SOFT = {**BUDGET, "budget_id": "bud_3", "hard": False, "used_percent": 140, "resets_at": None}

WAITING = {"request_id": "brq_1", "amount_nusd": 20_000_000_000, "state": "open", "note": ""}
DECIDED = {
    "request_id": "brq_2",
    "amount_nusd": 5_500_000_000,
    "state": "declined",
    "note": "Next month",
}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tidegate(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command line within this process, where there is no repository."""
    monkeypatch.setenv("HOME", str(machine.home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(machine.home)

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            run(list(arguments))
        said = capsys.readouterr()
        return int(str(ended.value.code)), said.out, said.err

    return command


def answer(server: FakeServer, *budgets: dict[str, Any]) -> None:
    server.answer("/api/budgets?repository=", {"budgets": list(budgets)})


def test_each_budget_is_shown_once_however_many_agents_count_under_it(
    tidegate: Run, machine: Machine, server: FakeServer
) -> None:
    machine.log_in(server.base_url, "claude_code", "codex")
    answer(server, BUDGET, SOFT)
    code, said, _ = tidegate("budget")
    assert code == 0
    assert said.count("Your monthly budget (Ada)") == 2  # bud_1 and bud_3
    assert "##############...... 70 %" in said
    assert "$41.50 of $60.00 spent, $0.50 held, $18.00 left, $10.00 of it a raise" in said
    assert "requests are refused at the limit; id bud_1" in said
    assert "#################### 140 %" in said
    assert "never resets; a warning only; id bud_3" in said
    assert len(server.asked) == 2


def test_what_became_of_asking_for_more_is_shown(
    tidegate: Run, machine: Machine, server: FakeServer
) -> None:
    machine.log_in(server.base_url, "claude_code")
    answer(server, {**BUDGET, "asked": WAITING}, {**SOFT, "asked": DECIDED})
    code, said, _ = tidegate("budget")
    assert code == 0
    assert "  you asked for $20.00 more: open\n" in said
    assert "  you asked for $5.50 more: declined: Next month\n" in said


def test_without_budgets_that_is_said(tidegate: Run, machine: Machine, server: FakeServer) -> None:
    machine.log_in(server.base_url, "claude_code")
    answer(server)
    assert tidegate("budget")[:2] == (0, "No budget bounds what you spend.\n")
    code, _, said = tidegate("budget", "request", "--amount", "5", "--reason", "x")
    assert code == 1
    assert "there is nothing to ask for" in said


@pytest.mark.parametrize(("chosen", "budget_id"), [((), "bud_1"), (("--budget", "bud_2"), "bud_2")])
def test_more_is_asked_of_the_hard_budget_nearest_to_its_end_or_the_named_one(
    tidegate: Run, machine: Machine, server: FakeServer, chosen: tuple[str, ...], budget_id: str
) -> None:
    machine.log_in(server.base_url, "claude_code")
    answer(server, {**SQUAD, "used_percent": 10}, BUDGET, SOFT)
    reply = {"request_id": "brq_1", "amount_nusd": 20_000_000_000}
    server.answer("/api/budgets/requests", reply, 201)
    code, said, _ = tidegate(
        "budget", "request", "--amount", "20", "--reason", "a release", *chosen
    )
    assert code == 0
    assert "Asked for $20.00 more of: " in said
    method, _, headers, body = server.asked[-1]
    assert method == "POST"
    assert headers["authorization"].startswith("Bearer tg_")
    assert json.loads(body) == {
        "amount": "20",
        "reason": "a release",
        "budget_id": budget_id,
        "repository": "",
    }


def test_what_the_server_refuses_is_told(
    tidegate: Run, machine: Machine, server: FakeServer
) -> None:
    machine.log_in(server.base_url, "claude_code")
    answer(server, BUDGET)
    server.answer("/api/budgets/requests", error_reply("You have asked already."), 400)
    code, _, said = tidegate("budget", "request", "--amount", "20", "--reason", "")
    assert code == 1
    assert "Nothing was asked for. You have asked already." in said
    code, _, said = tidegate("budget", "request", "--amount", "2", "--reason", "", "--budget", "b")
    assert code == 1
    assert "There is no budget 'b' for you" in said


def test_the_open_request_is_taken_back(
    tidegate: Run, machine: Machine, server: FakeServer
) -> None:
    machine.log_in(server.base_url, "claude_code")
    answer(server, {**BUDGET, "asked": WAITING}, {**SOFT, "asked": DECIDED}, SQUAD)
    reply = {"request_id": "brq_1", "amount_nusd": 20_000_000_000}
    server.answer("/api/budgets/requests/brq_1/withdraw", reply)
    code, said, _ = tidegate("budget", "withdraw")
    assert (code, said) == (0, "Took back: $20.00 more of: Your monthly budget.\n")
    method, path, headers, _ = server.asked[-1]
    assert (method, path) == ("POST", "/api/budgets/requests/brq_1/withdraw")
    assert headers["authorization"].startswith("Bearer tg_")
    server.answer(path, error_reply("This request was approved already."), 400)
    code, _, said = tidegate("budget", "withdraw", "--budget", "bud_1")
    assert code == 1
    assert "Nothing was taken back. This request was approved already." in said


def test_which_request_is_taken_back_must_be_clear(
    tidegate: Run, machine: Machine, server: FakeServer
) -> None:
    machine.log_in(server.base_url, "claude_code")
    other = {**WAITING, "request_id": "brq_3"}
    answer(server, {**BUDGET, "asked": WAITING}, {**SQUAD, "asked": other})
    code, _, said = tidegate("budget", "withdraw")
    assert code == 1
    assert "Say which: --budget, of bud_1, bud_2." in " ".join(said.split())
    code, _, said = tidegate("budget", "withdraw", "--budget", "bud_3")
    assert code == 1
    assert "You have no open request" in said
    server.answer("/api/budgets/requests/brq_3/withdraw", other)
    assert tidegate("budget", "withdraw", "--budget", "bud_2")[0] == 0


def test_a_key_that_is_gone_leaves_the_others(
    tidegate: Run, machine: Machine, server: FakeServer
) -> None:
    machine.log_in(server.base_url, "claude_code")
    server.answer("/api/budgets?repository=", error_reply("This key is not known."), 401)
    code, _, said = tidegate("budget")
    assert code == 1
    assert "Your budgets cannot be shown. This key is not known." in said
