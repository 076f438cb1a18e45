import re
from pathlib import Path

import pytest

import tidegate.services
from tidegate.console.audit_words import GROUPS, SENTENCES, Names, in_words
from tidegate.services.alert_messages import Event
from tidegate.store.ports import AuditEntry

NAMES = Names(
    members={"mem_1": "Aiko Tanaka", "mem_2": "<script>alert(1)</script>"},
    keys={"key_1": ("codex", "mem_1")},
    time_zone="Europe/Berlin",
)
ACTION = re.compile(r'"((?:[a-z]+_)?[a-z]+\.[a-z_]+)"')
NOUNS = {prefix for prefix, _ in GROUPS}


def entry(action: str, target: str = "", **detail: str) -> AuditEntry:
    return AuditEntry(
        audit_id="aud_1",
        organization_id="org_1",
        at_us=1,
        actor="mem_1",
        action=action,
        target=target,
        detail=detail,
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (entry("login.create", "lgn_1"), "Signed in"),
        (
            entry("member.role", "mem_1", role="admin"),
            "Changed the role of Aiko Tanaka to admin",
        ),
        (entry("key.reveal", "key_1"), "Revealed the key of Codex of Aiko Tanaka"),
        (
            entry("key.unenroll", "key_9", agent="claude_code", member_id="mem_1"),
            "Unenrolled Claude Code of Aiko Tanaka",
        ),
        (
            entry("key.rotate", "key_9", overlap_s="0"),
            "Rotated the key of a coding agent that is gone",
        ),
        (
            entry("key.switch", "key_1", debug="on"),
            "Switched Codex of Aiko Tanaka: debug on",
        ),
        (
            entry("organization.update", "org_1", time_zone="Europe/Berlin", name="B {x}"),
            "Changed the organization: time zone Europe/Berlin, name B {x}",
        ),
        (
            entry("organization.update", "org_1", allowed_models="gpt-*", before_allowed_models=""),
            "Changed the organization: allowed models none → gpt-*",
        ),
        (
            entry(
                "budget.create",
                "bud_1",
                of="each key",
                amount_nusd="20500000000",
                hard="True",
                window="rolling",
                rolling_hours="24",
            ),
            "Made a hard 24-hour budget of $20.50 for each key",
        ),
        (
            entry("budget.create", "bud_1", of="all", window="rolling", rolling_hours="720"),
            "Made a soft 30-day budget of ? for all",
        ),
        (
            entry(
                "budget.change",
                "bud_1",
                of="Aiko",
                amount_nusd="1",
                before_amount_nusd="0",
                hard="False",
                before_hard="True",
                name="",
                before_name="Spring",
            ),
            "Changed the budget of Aiko: amount $0.00 → $0.000000001, hard yes → no,"
            " name Spring → none",
        ),
        (
            entry(
                "budget.approve",
                "brq_1",
                of="each member",
                member="mem_1",
                extra_nusd="20000000000",
                until_us="1795348800000000",
            ),
            "Raised the budget of each member by $20.00 until 22 Nov 2026, 13:00, as"
            " Aiko Tanaka asked",
        ),
        (
            entry("budget.decline", "brq_1", of="each key", member="mem_9", note="{x}"),
            "Declined what a member asked for of the budget of each key: note {x}",
        ),
        (
            entry(
                "rate_limit.set",
                "org_1",
                scope="key",
                scope_id="*",
                requests_per_minute="5000",
                before_requests_per_minute="0",
            ),
            "Set the limits of each key: requests a minute none → 5,000",
        ),
        (
            entry(
                "squad.member", "mem_1", squad="sqd_1", before_squad="", name="Core", before_name=""
            ),
            "Moved Aiko Tanaka from no squad to “Core”",
        ),
        (
            entry("credential.default", "crd_1", provider="openai", name="House"),
            "Made OpenAI credential “House” the default",
        ),
        (entry("credential.remove", "crd_1"), "Removed a provider's credential “?”"),
        (entry("invitation.create", "inv_1", email="a@b.c"), "Invited a@b.c as ?"),
        (entry("squad.make_bigger", "mem_2"), "Squad make bigger: <script>alert(1)</script>"),
    ],
)
def test_in_words(told: AuditEntry, words: str) -> None:
    assert in_words(told, NAMES) == words


@pytest.mark.parametrize(
    ("who", "name"),
    [
        ("mem_1", "Aiko Tanaka"),
        ("cli", "Command line"),
        ("setup", "Set-up link"),
        ("mail", "Someone with the address"),
        ("mem_9", "mem_9"),
    ],
)
def test_actors(who: str, name: str) -> None:
    assert NAMES.actor(who) == name


def test_every_action_of_the_services_has_words() -> None:
    root = Path(tidegate.services.__file__).parent
    written = {
        action
        for path in root.glob("*.py")
        for action in ACTION.findall(path.read_text())
        if f"{action.partition('.')[0]}." in NOUNS
    }
    assert len(written) > 20
    told = {event.value for event in Event}  # what messages are about, no actions
    assert written - told <= set(SENTENCES)
