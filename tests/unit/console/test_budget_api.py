"""The JSON of `tidegate budget`, and what goes out when somebody asks and somebody decides."""

from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient
from tests.browser.world import DAY_US, World

from tidegate.core.model import Cost, TokenCounts
from tidegate.services.alert_channels import ChannelForm
from tidegate.services.audit import Actor
from tidegate.services.budget_fields import BudgetDraft
from tidegate.services.enrolment import Enrolled
from tidegate.services.mail_form import MailForm
from tidegate.store.alerts import DeliveryRecord

pytestmark = pytest.mark.slow

USD = 1_000_000_000


@pytest.fixture
def noah(world: World) -> Enrolled:
    return world.enroll("noah@brightwater.dev")


def make(world: World, organization_id: str = "", **fields: Any) -> str:
    """The id of a budget of 20 USD, of the organization unless said otherwise."""
    draft = BudgetDraft(**{"amount_nusd": 20 * USD} | fields)
    own = organization_id or world.organization_id
    made = world.services.budgets.create(own, draft, by_role="owner", actor=Actor("cli"))
    return made.budget_id


def headers(enrolled: Enrolled) -> dict[str, str]:
    return {"authorization": f"Bearer {enrolled.key}"}


def ask(client: TestClient, enrolled: Enrolled, **fields: Any) -> Response:
    body = {"amount": "30", "reason": "A release"} | fields
    return client.post("/api/budgets/requests", json=body, headers=headers(enrolled))


def outbox(world: World) -> list[DeliveryRecord]:
    with world.store.directory.reading() as reads:
        return list(reads.deliveries(world.organization_id))


def test_how_a_keys_budgets_stand(world: World, client: TestClient, noah: Enrolled) -> None:
    budget_id = make(world, scope="member", scope_id=noah.member_id, hard=True, window="week")
    make(world, scope="member", scope_id=world.owner_id)
    world.use(noah, TokenCounts(output=1), Cost(output=5 * USD))
    [shown] = client.get("/api/budgets", headers=headers(noah)).json()["budgets"]
    assert shown == {
        "budget_id": budget_id,
        "title": "Your weekly budget",
        "for": "noah@brightwater.dev",
        "hard": True,
        "limit_nusd": 20 * USD,
        "raised_nusd": 0,
        "spent_nusd": 5 * USD,
        "held_nusd": 0,
        "left_nusd": 15 * USD,
        "used_percent": 25,
        "resets_at": "2026-11-23T00:00:00Z",
        "asked": None,
    }


def test_what_a_member_asked_for_of_late_is_told(
    world: World, client: TestClient, noah: Enrolled
) -> None:
    make(world, scope="member", scope_id="*")
    make(world)

    def told() -> list[Any]:
        answer = client.get("/api/budgets", headers=headers(noah)).json()
        return [each["asked"] for each in answer["budgets"]]

    request_id = ask(client, noah).json()["request_id"]
    waiting = {"request_id": request_id, "amount_nusd": 30 * USD, "state": "open", "note": ""}
    assert told() == [waiting, None]
    world.services.budget_requests.decline(
        world.organization_id, request_id, note="No", by_role="owner", actor=Actor(world.owner_id)
    )
    assert told() == [waiting | {"state": "declined", "note": "No"}, None]
    other = world.enroll("aiko@brightwater.dev")
    [mine, _] = client.get("/api/budgets", headers=headers(other)).json()["budgets"]
    assert mine["asked"] is None
    world.now_us += 8 * DAY_US
    assert told() == [None, None]


def test_the_hard_budget_nearest_to_its_end_is_asked_for(
    world: World, client: TestClient, noah: Enrolled
) -> None:
    make(world, amount_nusd=1)
    hard = make(world, scope="member", scope_id="*", hard=True)
    answer = ask(client, noah)
    assert answer.status_code == 201
    [asked] = world.services.budget_requests.list(world.organization_id)
    assert (asked.request_id, asked.budget_id) == (answer.json()["request_id"], hard)
    assert (asked.subject, asked.amount_nusd) == (noah.member_id, 30 * USD)


def test_without_a_key_nothing_is_told(world: World, client: TestClient) -> None:
    make(world)
    for sent in ({}, {"authorization": "Bearer tg_cc_made_up"}):
        assert client.get("/api/budgets", headers=sent).status_code == 401
        answer = client.post("/api/budgets/requests", json={}, headers=sent)
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        ("0", "above zero"),
        ("-5", "The amount is negative."),
        ("much", "Write an amount in US dollars"),
        ("1e9", "Write an amount in US dollars"),
        ("99999999999", "over a billion"),
    ],
)
def test_bad_amounts(
    world: World, client: TestClient, noah: Enrolled, amount: str, told: str
) -> None:
    make(world)
    answer = ask(client, noah, amount=amount)
    assert answer.status_code == 400
    assert told in answer.json()["error"]["message"]
    assert world.services.budget_requests.list(world.organization_id) == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"amount": 5}', b"\xff"])
def test_it_wants_json(world: World, client: TestClient, noah: Enrolled, body: bytes) -> None:
    answer = client.post("/api/budgets/requests", content=body, headers=headers(noah))
    assert answer.status_code == 400
    assert "Send JSON like" in answer.json()["error"]["message"]


def test_asking_twice_is_refused_with_a_sentence(
    world: World, client: TestClient, noah: Enrolled
) -> None:
    make(world)
    assert ask(client, noah).status_code == 201
    again = ask(client, noah)
    assert again.status_code == 400
    assert "You have asked for this budget already." in again.json()["error"]["message"]


def test_only_whoever_asked_takes_it_back_and_once(
    world: World, client: TestClient, noah: Enrolled
) -> None:
    make(world)
    request_id = ask(client, noah).json()["request_id"]

    def withdraw(who: Enrolled) -> Response:
        path = f"/api/budgets/requests/{request_id}/withdraw"
        return client.post(path, headers=headers(who))

    assert withdraw(world.enroll("aiko@brightwater.dev")).status_code == 404
    answer = withdraw(noah)
    assert (answer.status_code, answer.json()["amount_nusd"]) == (200, 30 * USD)
    [kept] = world.services.budget_requests.list(world.organization_id)
    assert (kept.state, kept.decided_by) == ("withdrawn", noah.member_id)
    again = withdraw(noah)
    assert again.status_code == 400
    assert "This request was withdrawn already." in again.json()["error"]["message"]
    assert ask(client, noah).status_code == 201


def test_the_budgets_of_others_are_not_there(
    world: World, client: TestClient, noah: Enrolled
) -> None:
    make(world)
    other = world.services.organizations.bootstrap("Otherwater", "eve@otherwater.dev")
    for budget_id in (
        make(world, other.organization_id),
        make(world, scope="member", scope_id=world.owner_id),
        "x",
    ):
        answer = ask(client, noah, budget_id=budget_id)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "no_budget"


def test_admins_are_told_of_it_and_whoever_asked_of_the_decision(
    world: World, client: TestClient, noah: Enrolled
) -> None:
    make(world)
    actor = Actor(world.owner_id)
    slack = ChannelForm(kind="slack", url="http://127.0.0.1:1/hook")
    channels = world.services.alerts.channels
    channel = channels.create(world.organization_id, slack, actor=actor)
    mail = MailForm(host="localhost", security="none", sender="t@brightwater.dev")
    world.services.mail_settings.set(world.organization_id, mail)
    request_id = ask(client, noah).json()["request_id"]
    told = outbox(world)
    assert channel.record.channel_id in {each.channel_id for each in told}
    link = f"{world.options.public_url}/budgets/requests/{request_id}"
    assert all(link in str(each) for each in told)
    world.services.budget_requests.decline(
        world.organization_id, request_id, note="Not now", by_role="owner", actor=actor
    )
    [decided] = [each for each in outbox(world) if each not in told]
    assert decided.receiver == "noah@brightwater.dev"
    assert "Not now" in str(decided)
