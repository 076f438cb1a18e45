"""What becomes of alerts whose subject goes: budgets, members, keys, squads, sessions at rest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.browser.world import World
from tests.unit.jobs.events import event
from tests.unit.services.alert_world import (
    USD,
    alert_world,
    alerts,
    developer,
    look,
    outbox,
    spend,
)

from tidegate.core.alerts import Ended
from tidegate.core.budgets import EACH, Budget
from tidegate.core.model import Cost, TokenCounts
from tidegate.services.alert_rules import RuleForm
from tidegate.services.alert_watch import Spool
from tidegate.services.audit import COMMAND_LINE, Actor
from tidegate.services.budget_fields import BudgetDraft
from tidegate.store.ports import SpoolBatch
from tidegate.wiring.composition import compose

pytestmark = pytest.mark.slow

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US


@pytest.fixture
def world(empty_installation: Path, tmp_path: Path) -> Iterator[World]:
    with alert_world(empty_installation, tmp_path) as made:
        yield made


def admin(world: World) -> dict[str, Any]:
    return {"by_role": "owner", "actor": Actor(world.owner_id)}


def budget(world: World, **fields: Any) -> Budget:
    draft = BudgetDraft(**({"amount_nusd": 100 * USD} | fields))
    return world.services.budgets.create(world.organization_id, draft, **admin(world))


def states(world: World) -> list[str]:
    with world.store.directory.reading() as reads:
        return [state.subject for state in reads.alert_states(world.organization_id)]


def told(world: World) -> list[tuple[str, str]]:
    return [(alert.subject_name, alert.ended) for alert in alerts(world)]


def test_a_deleted_budget_leaves_nothing_open(world: World) -> None:
    made = budget(world, window="lifetime")
    spend(world, 90)
    assert look(world) == 1
    world.services.budgets.delete(world.organization_id, made.budget_id, **admin(world))
    look(world)
    assert told(world) == [("Brightwater", Ended.GONE)]
    assert states(world) == []
    assert [each.event for each in outbox(world)] == ["alert.fired"]
    assert look(world) == 0


@pytest.mark.parametrize("scope", ["key", "member"])
@pytest.mark.parametrize("whose", ["one", EACH])
def test_who_is_removed_leaves_nothing_open(world: World, scope: str, whose: str) -> None:
    noah = developer(world)
    subject = {"key": noah.key_id, "member": noah.member_id}[scope]
    budget(world, scope=scope, scope_id=subject if whose == "one" else EACH)
    form = RuleForm(kind="spend", scope=scope, thresholds=(20 * USD,), window_hours=2)
    world.services.alerts.rules.create(world.organization_id, form, actor=COMMAND_LINE)
    spend(world, 90)
    assert look(world) == 2
    if scope == "key":
        world.services.enrolment.unenroll(world.organization_id, noah.key_id)
    else:
        world.services.members.remove(world.organization_id, noah.member_id, **admin(world))
    look(world)
    assert [ended for _, ended in told(world)] == [Ended.GONE] * 2
    assert {each.event for each in outbox(world)} == {"alert.fired"}  # nothing came back
    assert look(world) == 0
    world.now_us += 3 * HOUR_US
    look(world)
    assert [ended for _, ended in told(world)] == [Ended.GONE] * 2


def test_who_moves_to_another_squad_starts_there_anew(world: World) -> None:
    squads, whose = world.services.squads, world.organization_id
    ids = [squads.create(whose, name, **admin(world)).squad_id for name in ("Core", "Web")]
    noah = developer(world)
    for squad_id in ids:
        budget(world, scope="squad", scope_id=squad_id, per_head=True)
    budget(world, scope="squad", scope_id=ids[0], name="Pool")

    def use(squad_id: str, usd: int) -> None:
        cost = Cost(output=usd * USD)
        world.use(noah, TokenCounts(output=1), cost, squad_id=squad_id)

    squads.place(whose, noah.member_id, ids[0], **admin(world))
    use(ids[0], 60)
    assert look(world) == 2
    squads.place(whose, noah.member_id, ids[1], **admin(world))
    look(world)
    before = [("noah@brightwater.dev (Core)", Ended.GONE), ("Core (Pool)", "")]
    assert sorted(told(world), key=lambda each: each[0], reverse=True) == before
    use(ids[1], 50)
    assert look(world) == 1
    assert told(world)[-1] == ("noah@brightwater.dev (Web)", "")
    squads.place(whose, noah.member_id, ids[0], **admin(world))
    assert look(world) == 0  # told before in this window
    use(ids[0], 30)
    assert look(world) == 2  # the pool is near its end too
    assert [alert.threshold for alert in alerts(world)[-2:]] == [80, 80]


def test_the_spool_of_every_machine_is_watched(world: World) -> None:
    form = RuleForm(kind="backlog", thresholds=(10,))
    rules = world.services.alerts.rules
    for rule in rules.list(world.organization_id):
        rules.delete(world.organization_id, rule.rule_id, actor=COMMAND_LINE)
    rules.create(world.organization_id, form, actor=COMMAND_LINE)
    other = replace(world.around, spool=Spool("plc_2", lambda _now_us: 7 * MINUTE_US))
    replica = compose(world.store, world.subkeys, other).alerts.watch
    replica.note_backlog()
    assert look(world) == 0
    world.now_us += 5 * MINUTE_US  # and the other one says nothing any more
    assert look(world) == 1
    assert alerts(world)[0].sentence.startswith("The ledger of Server plc_2 is 12 minutes behind.")
    replica.note_backlog()  # it is back, and behind as before
    assert look(world) == 0
    world.now_us += 25 * HOUR_US
    look(world)
    assert told(world) == [("Server plc_2", Ended.GONE)]
    world.now_us += 24 * HOUR_US
    look(world)
    with world.store.directory.reading() as reads:
        assert [each.place for each in reads.backlogs()] == ["plc_1"]
    world.services.alerts.watch.leave()
    with world.store.directory.reading() as reads:
        assert reads.backlogs() == []


def test_a_spool_that_is_not_empty_stays_watched(world: World) -> None:
    world.behind_us = 2 * MINUTE_US
    look(world)
    world.services.alerts.watch.leave()
    with world.store.directory.reading() as reads:
        assert [each.place for each in reads.backlogs()] == ["plc_1"]


def test_a_session_at_rest_is_watched_no_longer(world: World) -> None:
    budget(world, scope="session", scope_id=EACH, window="lifetime")
    noah = developer(world)

    def use(session_id: str, usd: int) -> None:
        cost = Cost(output=usd * USD)
        world.use(noah, TokenCounts(output=1), cost, session_id=session_id)

    use("ses_1", 60)
    use("ses_2", 10)
    assert look(world) == 1
    world.now_us += 23 * HOUR_US
    assert look(world) == 0
    assert told(world) == [("Session ses_1", "")]
    world.now_us += 2 * HOUR_US
    look(world)
    assert told(world) == [("Session ses_1", Ended.GONE)]
    assert states(world) == []
    use("ses_1", 1)
    assert look(world) == 0  # its 50 % were told
    use("ses_1", 20)
    assert look(world) == 1
    assert alerts(world)[-1].threshold == 80


def use_each(world: World, *usd: int) -> None:
    """So much in a repository and a session of each."""
    events = [
        event(
            number,
            organization_id=world.organization_id,
            started_us=world.now_us,
            cost=Cost(output=each * USD),
            repository=f"r{number}",
            session_id=f"s{number}",
        )
        for number, each in enumerate(usd)
    ]
    world.store.usage.record(SpoolBatch(file="f", start=0, end=1, events=events))


@pytest.mark.parametrize("scope", ["repository", "session"])
def test_every_one_of_many_is_watched(world: World, scope: str) -> None:
    budget(world, scope=scope, scope_id=EACH)
    use_each(world, *[46] * 10, *[48] * 300, *[51] * 300)
    found = world.services.budget_standings.now(world.organization_id, 47)
    assert sum(one.standing.spent_nusd for one in found) == 300 * (48 + 51) * USD


@pytest.mark.parametrize(
    ("scope", "over", "again"), [("repository", Ended.BELOW, 1), ("session", Ended.GONE, 0)]
)
def test_whose_budget_grows_far_beyond_what_they_spent(
    world: World, scope: str, over: str, again: int
) -> None:
    made = budget(world, scope=scope, scope_id=EACH)
    use_each(world, 49, 51)
    assert look(world) == 1
    with world.store.directory.changing() as change:
        change.update_budget(replace(made, amount_nusd=200 * USD))
    assert look(world) == 0
    assert [ended for _, ended in told(world)] == [over]
    with world.store.directory.changing() as change:
        change.update_budget(made)
    assert look(world) == again
