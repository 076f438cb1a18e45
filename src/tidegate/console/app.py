"""The console as an ASGI application: routes, and what stands around them."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute, Route

from tidegate.console import api_v1
from tidegate.console.account import Account
from tidegate.console.agent_setup import Setup
from tidegate.console.agents import Agents
from tidegate.console.alert_channels import AlertChannelsPage
from tidegate.console.alert_rules import AlertRulesPage
from tidegate.console.alerts import AlertsPage
from tidegate.console.api import Api
from tidegate.console.budget_api import BudgetApi
from tidegate.console.budget_asking import BudgetAsking
from tidegate.console.budget_forms import BudgetForms
from tidegate.console.budget_request_page import BudgetRequestPage
from tidegate.console.budgets import BudgetsPage
from tidegate.console.capture_page import CapturePage
from tidegate.console.enrol import Enrol
from tidegate.console.github_hook import GithubHook
from tidegate.console.install import Install
from tidegate.console.invite import Invites
from tidegate.console.join import Join
from tidegate.console.log_files import LogFiles
from tidegate.console.logs import Logs
from tidegate.console.mcp_endpoint import McpEndpoint
from tidegate.console.middleware import Border, OwnHosts, SecurityHeaders
from tidegate.console.my_usage import MyUsagePage
from tidegate.console.options import ConsoleOptions
from tidegate.console.refusals import ApiRefusal, Refusals, api_refusal
from tidegate.console.reset import Reset
from tidegate.console.services import ConsoleServices
from tidegate.console.session_edit import SessionEdit
from tidegate.console.session_files import SessionFiles
from tidegate.console.session_sharing import SessionSharing
from tidegate.console.sessions import Sessions
from tidegate.console.set_up import SetUp
from tidegate.console.settings import Settings
from tidegate.console.settings_access import AccessSettings
from tidegate.console.settings_audit import AuditSettings
from tidegate.console.settings_compression import CompressionPage
from tidegate.console.settings_email import EmailSettings
from tidegate.console.settings_github import GithubSettings
from tidegate.console.settings_limits import LimitSettings
from tidegate.console.settings_members import MemberSettings
from tidegate.console.settings_models import ModelSettings
from tidegate.console.settings_organization import OrganizationSettings
from tidegate.console.settings_providers import ProviderSettings
from tidegate.console.settings_retention import RetentionSettings
from tidegate.console.settings_squads import SquadSettings
from tidegate.console.sign_in import SignIn
from tidegate.console.team import TeamPage
from tidegate.console.web import Web, make_web
from tidegate.services.context import Clock, now_us
from tidegate.services.errors import Refused
from tidegate.services.log import Log, NoLog
from tidegate.store.ports import StoreUnavailable

__all__ = ["ConsoleOptions", "ConsoleServices", "create_app"]


def create_app(
    services: ConsoleServices,
    options: ConsoleOptions,
    *,
    log: Log | None = None,
    clock: Clock = now_us,
) -> Starlette:
    """The console. It believes `x-tidegate-peer`: serve it to the gateway alone."""
    web = make_web(services, options, clock)
    refusals = Refusals(web)
    app = Starlette(
        routes=_routes(web, log or NoLog()),
        middleware=[
            Middleware(SecurityHeaders, options=options),
            Middleware(Border, log=log or NoLog()),
            Middleware(OwnHosts, options=options),
            Middleware(RequestBodyLimitMiddleware, max_body_size=options.max_body_bytes),
            Middleware(GZipMiddleware, minimum_size=1000),
        ],
        exception_handlers={
            HTTPException: refusals.http,
            ApiRefusal: api_refusal,
            Refused: refusals.refused,
            StoreUnavailable: refusals.unavailable,
        },
    )
    app.state.web = web
    app.router.redirect_slashes = False  # its redirects would be built from the Host header
    return app


def _routes(web: Web, log: Log) -> list[BaseRoute]:
    """All of them; where two fit, the one that stands first."""
    mcp = McpEndpoint(web, log)
    return [
        *TeamPage(web).routes(),
        *MyUsagePage(web).routes(),
        *SessionFiles(web).routes(),
        *SessionSharing(web).routes(),
        *SessionEdit(web).routes(),
        *Sessions(web).routes(),
        *LogFiles(web).routes(),
        *CapturePage(web).routes(),
        *Logs(web).routes(),
        *AlertRulesPage(web).routes(),
        *AlertChannelsPage(web).routes(),
        *AlertsPage(web).routes(),
        *BudgetRequestPage(web).routes(),
        *BudgetAsking(web).routes(),
        *BudgetForms(web).routes(),
        *BudgetsPage(web).routes(),
        *Reset(web).routes(),
        *SignIn(web).routes(),
        *Join(web).routes(),
        *SetUp(web).routes(),
        *Account(web).routes(),
        *Settings().routes(),
        *OrganizationSettings(web).routes(),
        *ProviderSettings(web).routes(),
        *MemberSettings(web).routes(),
        *SquadSettings(web).routes(),
        *ModelSettings(web).routes(),
        *LimitSettings(web).routes(),
        *AccessSettings(web).routes(),
        *EmailSettings(web).routes(),
        *GithubSettings(web).routes(),
        *GithubHook(web).routes(),
        *CompressionPage(web).routes(),
        *RetentionSettings(web).routes(),
        *AuditSettings(web).routes(),
        *Invites(web).routes(),
        *Enrol(web).routes(),
        *Setup(web).routes(),
        *Agents(web).routes(),
        *mcp.routes(),
        *Api(web, mcp.load).routes(),
        *BudgetApi(web).routes(),
        *api_v1.routes(web),
        *Install(web).routes(),
        Route("/assets/{version}/{name:path}", web.assets.serve),
    ]
