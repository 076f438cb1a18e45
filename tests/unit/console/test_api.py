"""The JSON that the command line speaks."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.browser.world import DAY_US, PUBLIC_URL, World

from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import COMMAND_LINE
from tidegate.services.budget_fields import BudgetDraft

pytestmark = pytest.mark.slow


def test_login_exchanges_a_code_once(world: World, client: TestClient) -> None:
    enrolled = world.enroll("elena@brightwater.dev", "codex")
    answer = client.post("/api/login", json={"code": enrolled.login_code})
    assert answer.json() == {
        "key": enrolled.key,
        "key_id": enrolled.key_id,
        "agent": "codex",
        "organization": {"id": world.organization_id, "name": "Brightwater"},
        "member": {"email": "elena@brightwater.dev"},
        "base_url": PUBLIC_URL,
    }
    again = client.post("/api/login", json={"code": enrolled.login_code})
    assert again.status_code == 400
    assert again.json()["error"]["code"] == "invalid_code"


def test_used_expired_and_made_up_codes_look_the_same(world: World, client: TestClient) -> None:
    used, expired = world.enroll("a@b.dev").login_code, world.enroll("b@b.dev").login_code
    client.post("/api/login", json={"code": used})
    world.now_us += 24 * 3_600_000_000 + 1
    answers = [client.post("/api/login", json={"code": c}) for c in (used, expired, "AAAA-BBBB")]
    assert {answer.status_code for answer in answers} == {400}
    assert len({answer.text for answer in answers}) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"code": 1}', b'{"code": null}', b"\xff", b"[" * 9999]
)
def test_login_wants_json(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/login", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"


def test_guessing_codes_is_slowed_down(world: World, client: TestClient) -> None:
    right = world.enroll("elena@brightwater.dev").login_code
    statuses = [client.post("/api/login", json={"code": f"{n}"}).status_code for n in range(11)]
    assert statuses == [400] * 10 + [429]
    refused = client.post("/api/login", json={"code": right})
    assert refused.json()["error"]["code"] == "too_many_attempts"
    other = {"x-tidegate-peer": "203.0.113.8"}
    assert client.post("/api/login", json={"code": right}, headers=other).status_code == 200


def test_launch_tells_what_configures_an_agent(world: World, client: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev", "opencode")
    world.services.credentials.set(
        world.organization_id, "openai", "https://api.openai.com", "sk-xyz"
    )
    answer = client.get("/api/launch", headers={"authorization": f"Bearer {key.key}"})
    assert answer.json() == {
        "agent": "opencode",
        "key_id": key.key_id,
        "organization": {"id": world.organization_id, "name": "Brightwater"},
        "member": {"email": "elena@brightwater.dev"},
        "credential_mode": "auto",
        "allow_own": True,
        "providers": {"anthropic": False, "openai": True},
        "models": [
            {
                "id": "gpt-5-codex",
                "name": "gpt-5-codex",
                "provider": "openai",
                "context_tokens": 200_000,
                "output_tokens": 64_000,
                "cost": {"input": 3.0, "output": 15.0, "cache_read": 0.1, "cache_write": 4.0},
            }
        ],
        "debug_until": None,
        "session_tools": True,
        "server_version": "0.1.0",
    }


@pytest.mark.parametrize(
    ("of_organization", "of_key", "named"),
    [
        ((), (), ["claude-sonnet-4-5", "gpt-5-codex"]),
        (("claude-*",), (), ["claude-sonnet-4-5"]),
        ((), ("gpt-*",), ["gpt-5-codex"]),
        (("claude-*",), ("gpt-*",), []),
    ],
)
def test_launch_names_only_models_that_the_key_may_use(
    world: World,
    client: TestClient,
    of_organization: tuple[str, ...],
    of_key: tuple[str, ...],
    named: list[str],
) -> None:
    key = world.enroll("elena@brightwater.dev", "opencode")
    services, organization_id = world.services, world.organization_id
    for provider in ("anthropic", "openai"):
        services.credentials.set(organization_id, provider, "https://x.example", "sk-xyz")
    services.organizations.update(organization_id, allowed_models=of_organization)
    services.enrolment.set_key(organization_id, key.key_id, allowed_models=of_key)
    answer = client.get("/api/launch", headers={"authorization": f"Bearer {key.key}"}).json()
    assert [model["id"] for model in answer["models"]] == named


def test_a_credential_chosen_for_the_key_counts_though_it_is_no_default(
    world: World, client: TestClient
) -> None:
    key = world.enroll("elena@brightwater.dev", "codex")
    services, organization_id = world.services, world.organization_id
    spare = services.credentials.set(
        organization_id, "openai", "https://x.example", "sk-xyz", default=False
    )
    bearer = {"authorization": f"Bearer {key.key}"}
    assert client.get("/api/launch", headers=bearer).json()["providers"]["openai"] is False
    services.enrolment.set_key(organization_id, key.key_id, credential_ids={"openai": spare})
    assert client.get("/api/launch", headers=bearer).json()["providers"]["openai"] is True


def test_launch_and_its_usage_say_until_when_bodies_are_captured(
    world: World, client: TestClient
) -> None:
    key = world.enroll("aiko@brightwater.dev")
    bearer = {"authorization": f"Bearer {key.key}"}
    paths = ("/api/launch", "/api/launches/lch_1/usage")

    def told() -> list[str | None]:
        return [client.get(path, headers=bearer).json()["debug_until"] for path in paths]

    assert told() == [None, None]
    world.services.enrolment.set_debug(
        world.organization_id, key.key_id, hours=24, actor=COMMAND_LINE
    )
    assert told() == ["2026-11-23T12:00:00Z"] * 2
    world.now_us += DAY_US
    assert told() == [None, None]


def test_launch_usage_is_of_that_launch_and_key_alone(world: World, client: TestClient) -> None:
    key, other = world.enroll("elena@brightwater.dev"), world.enroll("aiko@brightwater.dev")
    tokens, cost = TokenCounts(input=5, cache_read=7, output=11), Cost(input=13)
    world.use(key, tokens, cost, launch_id="lch_1", times=2)
    world.use(key, tokens, cost, launch_id="lch_2")
    world.use(other, tokens, cost, launch_id="lch_1")
    path, bearer = "/api/launches/lch_1/usage", {"authorization": f"bearer {key.key}"}
    answer = client.get(path, headers=bearer).json()
    assert (answer["requests"], answer["tokens"], answer["cost_nusd"]) == (2, 46, 26)
    assert answer["by_outcome"] == {"ok": 2}
    assert world.drains == 1  # what was spooled a moment ago counts
    assert client.get("/api/launches/lch_9/usage", headers=bearer).json()["requests"] == 0


@pytest.mark.parametrize("launch_id", ["x", "lch_", "lch_" + "x" * 81, "lch_%00", "lch_'--"])
def test_what_is_no_launch_id(world: World, client: TestClient, launch_id: str) -> None:
    bearer = {"authorization": f"Bearer {world.enroll('elena@brightwater.dev').key}"}
    assert client.get(f"/api/launches/{launch_id}/usage", headers=bearer).status_code == 404


@pytest.mark.parametrize("form", ["{key}", "Basic {key}", "Bearer", "Bearer {key}x", "Bearer sk-x"])
@pytest.mark.parametrize("path", ["/api/launch", "/api/launches/lch_1/usage"])
def test_an_unknown_key_is_told_nothing(
    world: World, client: TestClient, path: str, form: str
) -> None:
    key = world.enroll("elena@brightwater.dev").key
    answer = client.get(path, headers={"authorization": form.format(key=key)})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "unknown_key"


def test_a_disabled_key_is_refused(world: World, client: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    world.services.enrolment.set_key(world.organization_id, key.key_id, disabled=True)
    answer = client.get("/api/launch", headers={"authorization": f"Bearer {key.key}"})
    assert answer.status_code == 401


def test_a_squads_models_are_named_only(world: World, client: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev", "opencode")
    services, organization_id = world.services, world.organization_id
    services.credentials.set(organization_id, "anthropic", "https://x.example", "sk-xyz")
    by: dict[str, Any] = {"by_role": "owner", "actor": COMMAND_LINE}
    bearer = {"authorization": f"Bearer {key.key}"}
    assert client.get("/api/launch", headers=bearer).json()["models"] != []
    squad = services.squads.create(organization_id, "Platform", **by)
    services.squads.change(organization_id, squad.squad_id, allowed_models=("none-*",), **by)
    services.squads.place(organization_id, key.member_id, squad.squad_id, **by)
    assert client.get("/api/launch", headers=bearer).json()["models"] == []


def test_claude_code_is_told_how_its_budgets_stand(world: World, client: TestClient) -> None:
    key = world.enroll("elena@brightwater.dev")
    bearer = {"authorization": f"Bearer {key.key}"}
    nothing = {"extra_usage": {"is_enabled": False, "currency": "USD"}, "limits": []}
    assert client.get("/api/oauth/usage", headers=bearer).json() == nothing
    organization_id, budgets = world.organization_id, world.services.budgets
    drafts = [
        BudgetDraft(amount_nusd=0, window="month", hard=True),
        BudgetDraft(amount_nusd=50_000_000_000, window="month"),
        BudgetDraft(amount_nusd=50_000_000_000, scope="member", scope_id="*", window="lifetime"),
        BudgetDraft(amount_nusd=0, scope="key", scope_id=world.enroll("b@b.dev").key_id),
    ]
    for draft in drafts:
        budgets.create(organization_id, draft, by_role="owner", actor=COMMAND_LINE)
    found = client.get("/api/oauth/usage", headers=bearer).json()
    assert found["extra_usage"] == {
        "is_enabled": True,
        "monthly_limit": 0.0,
        "used_credits": 0.0,
        "utilization": 100,
        "currency": "USD",
    }
    month, lifetime = found["limits"]
    assert month.pop("resets_at").startswith("2026-1")
    assert month == {
        "kind": "spend",
        "group": "monthly",
        "percent": 100,
        "severity": "critical",
        "is_active": True,
    }
    assert (lifetime["group"], lifetime["percent"], lifetime["resets_at"]) == ("lifetime", 0, None)
    assert client.get("/api/oauth/usage").status_code == 401
