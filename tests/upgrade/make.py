"""Make the small installation that later versions must be able to open.

    python -m tests.upgrade.make VERSION

writes tests/upgrade/VERSION: a directory with people, keys and credentials, a ledger, a spool file
that nobody drained yet (two of its requests never ended), and what
is in them. Run it once, when a version is released.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from tidegate.core.model import Cost, KeyRecord, Outcome, RequestStart, TokenCounts, UsageEvent
from tidegate.gateway.spool import SpoolOptions, SpoolWriter
from tidegate.jobs.drain import SpoolDrain
from tidegate.services.credentials import Credentials
from tidegate.services.enrolment import Enrolment
from tidegate.services.organizations import Organizations
from tidegate.services.price_book import compile_price_book
from tidegate.services.usage import UsageReports
from tidegate.services.vault import derive
from tidegate.store.sql.database import open_store
from tidegate.wiring.logs import make_log

HERE = Path(__file__).resolve().parent
MASTER_KEY = bytes(range(32))
BEGIN_US = 1_795_305_600_000_000  # 22 Nov 2026, 00:00 UTC
MEMBERS = (("maya@brightwater.dev", "claude_code"), ("noah@brightwater.dev", "codex"))
SPENT_EACH = 7


def make(target: Path) -> dict[str, Any]:
    """Fill `target` and return what a later version must find there."""
    store = open_store(data_dir=target, database_url=None)
    subkeys = derive(MASTER_KEY)
    log = make_log(level="warning", form="text", process="upgrade")
    founded = Organizations(store, subkeys).bootstrap("Brightwater", MEMBERS[0][0])
    organization_id = founded.organization_id
    Credentials(store, subkeys).set(
        organization_id, "anthropic", "https://api.anthropic.com", "sk-of-a-test"
    )
    enrolment = Enrolment(store, subkeys)
    keys = {}
    for email, agent in MEMBERS:
        enrolled = enrolment.enroll(organization_id, email, agent)
        keys[enrolled.key_id] = enrolled.key
    records = [key.record for key in _keys(enrolment, organization_id)]
    _spool(target, records, "drained", 0)
    SpoolDrain(target / "spool", store, log, compile_price_book).run_once()
    totals = UsageReports(store).totals(organization_id)
    store.close()
    _spool(target, records, "waiting", 100, unfinished=2)
    waiting = SPENT_EACH * len(MEMBERS)
    return {
        "organization_id": organization_id,
        "keys": keys,
        "drained": totals,
        "waiting": {"ok": waiting - 2, "crashed": 2},
    }


def _keys(enrolment: Enrolment, organization_id: str) -> Any:
    return enrolment.list_keys(organization_id)


def _spool(
    target: Path, keys: list[KeyRecord], worker: str, first: int, *, unfinished: int = 0
) -> None:
    spool = SpoolWriter(target / "spool", worker, SpoolOptions(segment_bytes=64 << 10))
    last = first + SPENT_EACH * len(keys)
    for number in range(first, last):
        event = _event(keys[number % len(keys)], number)
        started = msgspec.structs.replace(
            event, outcome=Outcome.CRASHED, tokens=TokenCounts(), cost=Cost(), duration_us=0
        )
        spool.begin(RequestStart(started, prompt_bytes=4000))
        if number < last - unfinished:
            spool.append(event)
    spool.close()


def _event(key: KeyRecord, number: int) -> UsageEvent:
    return UsageEvent(
        event_id=f"req_{number:032x}",
        organization_id=key.organization_id,
        member_id=key.member_id,
        key_id=key.key_id,
        agent=key.agent,
        dialect="anthropic_messages",
        provider="anthropic",
        model_asked="claude-sonnet-4-5",
        model_served="claude-sonnet-4-5-20250929",
        session_id=f"ses_{number % 3:032x}",
        client_session=f"session-{number % 3}",
        started_us=BEGIN_US + number * 60_000_000,
        duration_us=2_000_000,
        status=200,
        outcome="ok",
        tokens=TokenCounts(100 + number, 10, 20, 1000, 50, 5),
        cost=Cost(300_000 + 3_000 * number, 37_500, 120_000, 300_000, 750_000),
        price_version="upgrade",
    )


if __name__ == "__main__":
    release = HERE / sys.argv[1]
    release.mkdir()
    found = make(release)
    (release / "expected.json").write_text(json.dumps(found, indent=1) + "\n")
