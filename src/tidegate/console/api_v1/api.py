"""The table of operations, and what is made of it: routes and the OpenAPI document."""

from functools import cache
from typing import Any, Final

import msgspec
from starlette.routing import BaseRoute

from tidegate.console.access import Need
from tidegate.console.api_v1 import (
    alerts,
    audit,
    budgets,
    captures,
    credentials,
    github,
    invitations,
    keys,
    mail,
    me,
    members,
    organization,
    rate_limits,
    reports,
    requests,
    session_shares,
    sessions,
    squads,
)
from tidegate.console.api_v1.endpoint import ApiRoute
from tidegate.console.api_v1.openapi import document
from tidegate.console.api_v1.operation import PREFIX, Call, NoBody, NoQuery, Operation
from tidegate.console.api_v1.problems import Kind
from tidegate.console.api_v1.rest import Rest
from tidegate.console.api_v1.table import get
from tidegate.console.web import Web

TAGS: Final = {
    "Me": "The caller.",
    "Reports": "What was used, and what it cost.",
    "Requests": "Each call through the gateway, and its capture.",
    "Sessions": "Runs of agents, what they worked on, and links that show them.",
    "Organization": "What holds for everyone in it.",
    "Members": "The people in it.",
    "Invitations": "Those who were asked to join.",
    "Keys": "Enrolments of members with coding agents.",
    "Credentials": "What requests to providers are paid with.",
    "Mail settings": "How mail goes out.",
    "Squads": "Groups of members.",
    "Rate limits": "How much may be asked for in a minute and at once.",
    "Alerts": "What was reached, what is watched, and who is told.",
    "Integrations": "What Tidegate is connected with.",
    "Budgets": "How much may be spent, how much is gone, and who asks for more.",
    "Audit log": "Who changed what.",
    "About": "This API.",
}


class ProblemKind(msgspec.Struct, frozen=True):
    """A kind of refusal: `type` is what problem details name it by."""

    type: str
    title: str
    status: int
    remedy: str


class ProblemKinds(msgspec.Struct, frozen=True):
    items: list[ProblemKind]


def list_problems(call: Call[NoQuery, NoBody]) -> ProblemKinds:
    """List the kinds of refusals."""
    return ProblemKinds(
        [ProblemKind(kind.uri, kind.title, kind.status, kind.remedy) for kind in Kind]
    )


TABLE: Final = (
    *me.OPERATIONS,
    *reports.OPERATIONS,
    *requests.OPERATIONS,
    *sessions.OPERATIONS,
    *session_shares.OPERATIONS,
    *captures.OPERATIONS,
    *organization.OPERATIONS,
    *members.OPERATIONS,
    *invitations.OPERATIONS,
    *keys.OPERATIONS,
    *credentials.OPERATIONS,
    *mail.OPERATIONS,
    *squads.OPERATIONS,
    *rate_limits.OPERATIONS,
    *alerts.OPERATIONS,
    *github.OPERATIONS,
    *budgets.OPERATIONS,
    *audit.OPERATIONS,
    get("/problems", list_problems, need=Need.ANYONE, tag="About"),
)


def operations(web: Web) -> list[Operation]:
    """Every operation: the table, and the one that describes it."""

    def get_openapi(call: Call[NoQuery, NoBody]) -> dict[str, Any]:
        """This description of the API, in OpenAPI 3.1."""
        return described()

    found = [*TABLE, get("/openapi.json", get_openapi, need=Need.ANYONE, tag="About")]
    version, public_url = web.options.version, web.options.public_url.rstrip("/")
    described = cache(lambda: document(found, TAGS, version=version, public_url=public_url))
    return found


def routes(web: Web) -> list[BaseRoute]:
    """The routes of the API, in the order in which they are to be tried."""
    table = operations(web)
    plain = frozenset(PREFIX + each.path for each in table if "{" not in each.path)
    return [*(ApiRoute(operation, web, plain) for operation in table), Rest(table)]
