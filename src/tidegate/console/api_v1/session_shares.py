"""Share links: a session shown to people without a login, until a day that is chosen."""

from typing import Literal

import msgspec

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery
from tidegate.console.api_v1.sessions import own_session
from tidegate.console.api_v1.table import create, delete, get
from tidegate.console.api_v1.times import Time, time, time_or_none
from tidegate.services.session_shares import Hidden, ShareRecord

_TAG = "Sessions"


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A link that shows a session to whoever has it."""

    id: str
    session_id: str
    made_by: str
    created_at: Time
    expires_at: Time
    hide_names: bool
    hide_costs: bool
    hide_repositories: bool
    views: int
    last_view_at: Time | None


class MadeShare(Share, frozen=True, kw_only=True):
    """The same with its address, which is told this once."""

    url: str


class Shares(msgspec.Struct, frozen=True):
    items: list[Share]


class ShareBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prompts and answers are never shown."""

    days: Literal[1, 7, 30] = 7
    hide_names: bool = False  # of the person and of the session
    hide_costs: bool = False
    hide_repositories: bool = False  # with branches, commits and pull requests


def list_session_shares(call: Call[NoQuery, NoBody]) -> Shares:
    """List the share links of a session that work now, the newest first."""
    row = own_session(call)
    found = call.services.session_shares.of(call.organization_id, row.session_id)
    return Shares([_share(record) for record in found])


def share_session(call: Call[NoQuery, ShareBody]) -> MadeShare:
    """Make a share link of a session."""
    body = call.body
    made = call.services.session_shares.make(
        call.organization_id,
        own_session(call).session_id,
        days=body.days,
        hidden=Hidden(body.hide_names, body.hide_costs, body.hide_repositories),
        actor=call.actor,
    )
    shared = msgspec.structs.asdict(_share(made.record))
    return MadeShare(**shared, url=f"{call.public_url}/shared/{made.secret}")


def revoke_session_share(call: Call[NoQuery, NoBody]) -> None:
    """End a share link at once."""
    call.services.session_shares.revoke(
        call.organization_id,
        own_session(call).session_id,
        call.path["share_id"],
        actor=call.actor,
    )


def list_shares(call: Call[NoQuery, NoBody]) -> Shares:
    """List the share links of all sessions that work now, the newest first."""
    found = call.services.session_shares.of(call.organization_id)
    return Shares([_share(record) for record in found])


def _share(record: ShareRecord) -> Share:
    return Share(
        id=record.share_id,
        session_id=record.session_id,
        made_by=record.made_by,
        created_at=time(record.created_us),
        expires_at=time(record.expires_us),
        hide_names=record.hides_names,
        hide_costs=record.hides_costs,
        hide_repositories=record.hides_repositories,
        views=record.views,
        last_view_at=time_or_none(record.last_view_us),
    )


_OF_ONE = "/sessions/{session_id}/shares"
OPERATIONS = (
    get("/shares", list_shares, need=Need.ADMIN, tag=_TAG),
    get(_OF_ONE, list_session_shares, need=Need.MEMBER, tag=_TAG),
    create(_OF_ONE, share_session, need=Need.MEMBER, tag=_TAG, conflicts=True),
    delete(f"{_OF_ONE}/{{share_id}}", revoke_session_share, need=Need.MEMBER, tag=_TAG),
)
