"""The JSON that the command line speaks: login, launch, and what a launch used."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tidegate.console import formats
from tidegate.console.key_callers import key_of
from tidegate.console.refusals import ApiRefusal
from tidegate.console.spend_limits import spend_limits
from tidegate.console.web import Web, peer_of
from tidegate.core.model import NANO_PER_USD, KeyRecord, Provider
from tidegate.core.policy import refuse
from tidegate.services.errors import InvalidCode
from tidegate.services.price_book import ModelListing

_LAUNCH_ID: Final = re.compile(r"lch_[0-9A-Za-z_-]{1,80}")


class _LoginRequest(msgspec.Struct):
    code: str


class Api:
    def __init__(self, web: Web, load_tools: Callable[[], object]) -> None:
        self._web = web
        self._load_tools = load_tools
        self._services = web.services

    def routes(self) -> list[Route]:
        return [
            Route("/api/login", self.login, methods=["POST"]),
            Route("/api/launch", self.launch),
            Route("/api/launches/{launch_id}/usage", self.launch_usage),
            Route("/api/oauth/usage", self.spend_limits),
        ]

    async def login(self, request: Request) -> Response:
        """Exchange the single-use code of an enrolment for the key."""
        self._web.refuse_hurried(request)
        try:
            code = msgspec.json.decode(await request.body(), type=_LoginRequest).code
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ApiRefusal(400, "bad_request", 'Send JSON like {"code": "…"}.') from None
        try:
            found = await run_in_threadpool(
                self._services.enrolment.exchange, code, address=peer_of(request)
            )
        except InvalidCode as refused:
            self._web.failures.failed(peer_of(request))
            raise ApiRefusal(400, "invalid_code", refused.message) from None
        return JSONResponse(
            {
                "key": found.key,
                "key_id": found.key_id,
                "agent": found.agent,
                "organization": {"id": found.organization_id, "name": found.organization_name},
                "member": {"email": found.email},
                "base_url": self._web.options.public_url.rstrip("/"),
            }
        )

    async def launch(self, request: Request) -> Response:
        """All that configures an agent for one run."""
        key = await key_of(self._services, request)
        facts = await run_in_threadpool(self._launch, key)
        # The agent asks for its tools as it starts, and does not wait for long.
        ahead = facts["session_tools"] and self._web.options.load_ahead
        return JSONResponse(facts, background=BackgroundTask(self._load_tools) if ahead else None)

    async def launch_usage(self, request: Request) -> Response:
        """What the requests of one launch amount to so far."""
        key = await key_of(self._services, request)
        launch_id = request.path_params["launch_id"]
        if not _LAUNCH_ID.fullmatch(launch_id):
            raise ApiRefusal(404, "not_found", "There is no such launch.")
        return JSONResponse(await run_in_threadpool(self._launch_usage, key, launch_id))

    async def spend_limits(self, request: Request) -> Response:
        """How the key's budgets stand. Claude Code shows that in its own usage screen."""
        key = await key_of(self._services, request)
        return JSONResponse(await run_in_threadpool(self._spend_limits, key))

    def _spend_limits(self, key: KeyRecord) -> dict[str, Any]:
        standings = self._services.budget_standings
        return spend_limits(standings.of_member(key.organization_id, key.member_id, key.key_id))

    def _launch(self, key: KeyRecord) -> dict[str, Any]:
        organization = self._services.organizations.get(key.organization_id)
        member = self._services.members.get(key.organization_id, key.member_id)
        chosen = {
            provider for provider, credential_id in key.credential_ids.items() if credential_id
        }
        squad_models = self._squad_models(key)
        available = self._services.credentials.available(key.organization_id) | chosen
        models = [
            _model(listing)
            for provider in Provider
            if provider in available
            for listing in self._services.agent_models(provider)
            if refuse(key, organization, listing.id, squad_models) is None
        ]
        return {
            "agent": key.agent,
            "key_id": key.key_id,
            "organization": {"id": organization.organization_id, "name": organization.name},
            "member": {"email": member.email},
            "credential_mode": key.credential_mode,
            "allow_own": organization.allow_own_credential,
            "providers": {provider.value: provider in available for provider in Provider},
            "models": models,
            "debug_until": debug_until(key, self._web.clock()),
            "session_tools": organization.session_tools,
            "server_version": self._web.options.version,
        }

    def _squad_models(self, key: KeyRecord) -> tuple[str, ...]:
        squads = self._services.squads.list(key.organization_id)
        mine = (squad.record for squad in squads if key.member_id in squad.member_ids)
        return next((record.allowed_models for record in mine), ())

    def _launch_usage(self, key: KeyRecord, launch_id: str) -> Mapping[str, Any]:
        self._services.drain_now()
        used = self._services.usage.launch_summary(key.organization_id, key.key_id, launch_id)
        return {**used, "debug_until": debug_until(key, self._web.clock())}


def debug_until(key: KeyRecord, now_us: int) -> str | None:
    """Until when bodies are captured, in ISO 8601; null: they are not."""
    return formats.utc(key.debug_until_us) if key.captures(now_us) else None


def _model(listing: ModelListing) -> dict[str, Any]:
    """OpenCode's shape: limits in tokens, cost in USD per million tokens."""
    return {
        "id": listing.id,
        "name": listing.name,
        "provider": listing.provider,
        "context_tokens": listing.context_tokens,
        "output_tokens": listing.output_tokens,
        "cost": {
            "input": listing.input_nusd_per_mtok / NANO_PER_USD,
            "output": listing.output_nusd_per_mtok / NANO_PER_USD,
            "cache_read": listing.cache_read_nusd_per_mtok / NANO_PER_USD,
            "cache_write": listing.cache_write_5m_nusd_per_mtok / NANO_PER_USD,
        },
    }
