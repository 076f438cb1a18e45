"""Every page and dialog of the console, by name and path, in a world with a whole team."""

from tests.browser.captured import changed, event_of, hostile, keep_turn, turn
from tests.browser.walking import link_of
from tests.browser.world import World

from tidegate.services.audit import Actor
from tidegate.services.request_log import LogFilter
from tidegate.services.session_reports import SessionFilter, SessionSort

FIRST, LAST = "2025-01-01", "2025-01-31"


def pages(world: World) -> dict[str, str]:
    """For someone signed in as owner."""
    return {
        "team": "/",
        "team, tables": "/?sort=tokens&view=table&chart=table",
        "team, hours": "/?range=24h&repositories=1",
        "team, nothing": f"/?range=custom&first={FIRST}&last={LAST}",
        "merged pull requests": "/team/merged",
        "my usage": "/my-usage",
        "logs": "/logs",
        "logs, one open": f"/logs?range=7d&outcome=ok&open={_newest_event(world)}",
        "logs, filtered": "/logs?range=30d&agent=codex&model=gpt-6.1-sol&status=2xx&captured=no",
        "logs, nothing": "/logs?captured=yes&session=ses_nobody",
        "a request": f"/logs/{_newest_event(world)}",
        "sessions": "/sessions",
        "sessions, filtered": "/sessions?range=30d&agent=codex&errors=yes&cost=0.1&sort=cost",
        "sessions, nothing": "/sessions?find=no+such+session",
        **_session(world),
        **_captures(world),
        "organization": "/settings/organization",
        "providers": "/settings/providers",
        "members": "/settings/members",
        "squads": "/settings/squads",
        "models": "/settings/models",
        "limits": "/settings/limits",
        "access": "/settings/access",
        "compression": "/settings/compression",
        "email": "/settings/email",
        "github": "/settings/github",
        "github, connecting": "/settings/github/connect",
        "audit": "/settings/audit",
        "alerts": "/alerts",
        "budgets": "/budgets",
        "alert channels": "/alerts/channels",
        "account": "/account",
        "manage, a page": _dialogs_of_an_agent(world)["manage"],
    }


def outside(world: World) -> dict[str, str]:
    """For everyone."""
    services, organization_id = world.services, world.organization_id
    owner = services.members.get(organization_id, world.owner_id)
    actor = Actor(world.owner_id)
    pending = services.invitations.pending(organization_id)[0]
    invitation = services.invitations.token(organization_id, pending.invitation_id, actor=actor)
    return {
        "sign in": "/sign-in",
        "a link by mail": "/sign-in/link",
        "forgotten": "/sign-in/forgot",
        "by link": link_of(world),
        "join": f"/join/{invitation}",
        "reset": f"/reset/{services.passwords.make_reset(owner.email)[0].token}",
        "install": "/install/",
    }


def dialogs(world: World) -> dict[str, str]:
    """For someone signed in as owner."""
    services, organization_id = world.services, world.organization_id
    member = services.members.by_email(organization_id, "aiko.tanaka@brightwater.example")
    credential = services.credentials.list(organization_id)[0].record.credential_id
    invitation = services.invitations.pending(organization_id)[0].invitation_id
    return {
        "invite": "/invite",
        "withdraw": f"/invitations/{invitation}/withdraw",
        "enrol": f"/members/{member.member_id}/agents/new",
        **_dialogs_of_an_agent(world),
        "edit": f"/settings/members/{member.member_id}",
        "remove": f"/settings/members/{member.member_id}/remove",
        "new budget": "/budgets/new",
        "new squad": "/settings/squads/add",
        "models of everyone": "/settings/models/organization",
        "limits of each key": "/settings/limits/each-key",
        "add a credential": "/settings/providers/add",
        "replace it": f"/settings/providers/{credential}/replace",
        "remove it": f"/settings/providers/{credential}/remove",
        "token": "/account/tokens",
    }


def _dialogs_of_an_agent(world: World) -> dict[str, str]:
    services, organization_id = world.services, world.organization_id
    member = services.members.by_email(organization_id, "aiko.tanaka@brightwater.example")
    keys = services.enrolment.list_keys(organization_id)
    key_id = next(k.record.key_id for k in keys if k.record.member_id == member.member_id)
    path = f"/agents/{key_id}"
    return {
        "manage": path,
        "set up": f"{path}/setup",
        "rotate": f"{path}/rotate",
        "unenrol": f"{path}/unenrol",
    }


def _session(world: World) -> dict[str, str]:
    """The longest of late, with its dialogs as pages."""
    found = world.services.session_reports.page(
        world.organization_id, SessionFilter(), SessionSort.REQUESTS, limit=1
    )
    path = f"/sessions/{found.rows[0].session_id}"
    return {
        "a session": path,
        "a session, name": f"{path}/name",
        "a session, correction": f"{path}/links/repository",
        "a session, share": f"{path}/share",
        "a session, preview": f"{path}/share/preview?days=7&hide_costs=yes",
    }


def _captures(world: World) -> dict[str, str]:
    """The parts of a capture, of one that was changed on its way, of a hostile one."""
    changed_one = turn(event_of(world, 1), sent=changed())
    places = [
        keep_turn(world, kept)
        for kept in (turn(event_of(world)), changed_one, hostile(event_of(world, 2)))
    ]
    plain, other, evil = (f"/logs/{event_id}/capture?part=" for event_id in places)
    parts = ("messages", "body", "headers", "response", "compare")
    return {
        **{f"capture, {part}": plain + part for part in parts},
        "capture, raw": f"{plain}body&as=raw&of=response",
        "capture, differences": f"{other}compare",
        **{f"hostile capture, {part}": evil + part for part in parts},
    }


def _newest_event(world: World) -> str:
    only = LogFilter(outcomes=("ok",))
    return world.services.request_log.page(world.organization_id, only, limit=1).rows[0].event_id
