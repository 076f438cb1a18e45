"""Adding memberships to a browser's login, and ending them, within a change."""

from typing import Final

import msgspec

from tidegate.services import audit
from tidegate.services.audit import Action, Actor
from tidegate.services.ids import new_id
from tidegate.services.vault import hash_secret, new_token
from tidegate.store.people import LoginMember, LoginRecord, MemberRecord
from tidegate.store.ports import DirectoryChange

LOGIN_LIFETIME_US: Final = 30 * 86_400_000_000  # since last seen
_MAX_AGENT_CHARS: Final = 300


class Browser(msgspec.Struct, frozen=True):
    """Where a sign-in comes from; the secret is that of the login it has already, if any."""

    address: str = ""
    user_agent: str = ""
    login_secret: str = ""


def add_membership(
    change: DirectoryChange, subkey: bytes, now_us: int, member: MemberRecord, browser: Browser
) -> str:
    """Add a membership to the browser's login, or open one, and make it the current one.

    Returns the login's secret, which is always new: who knew the old one is not signed in by this.
    """
    change.delete_ended_codes(now_us)
    change.delete_ended_logins(now_us)
    login, secret = _present(change, subkey, now_us, browser), new_token()
    renewed = LoginRecord(
        login_id=login.login_id if login else new_id("lgn"),
        login_hash=hash_secret(subkey, secret),
        organization_id=member.organization_id,
        member_id=member.member_id,
        address=browser.address,
        created_us=login.created_us if login else now_us,
        last_seen_us=now_us,
        expires_us=now_us + LOGIN_LIFETIME_US,
        user_agent=_shown(browser.user_agent),
    )
    if login is None:
        change.add_login(renewed)
    else:
        change.update_login(renewed)
        _join(change, renewed, now_us)
    action = Action("login.create", member.organization_id, renewed.login_id)
    audit.record(change, Actor(member.member_id, browser.address), action, now_us)
    return secret


def end_membership(
    change: DirectoryChange, actor: Actor, now_us: int, login_id: str, member: LoginMember
) -> None:
    """End one membership of a login; without any left the login is gone."""
    change.remove_login_member(member.organization_id, member.member_id, only=login_id)
    _record_end(change, actor, now_us, member)


def end_login(change: DirectoryChange, address: str, now_us: int, login: LoginRecord) -> None:
    """End a login with all its memberships, as its holder asks."""
    for member in change.login_members(login.login_id):
        _record_end(change, Actor(member.member_id, address), now_us, member)
    change.delete_login(login.organization_id, login.login_id)


def _present(
    change: DirectoryChange, subkey: bytes, now_us: int, browser: Browser
) -> LoginRecord | None:
    if not browser.login_secret:
        return None
    return change.login(hash_secret(subkey, browser.login_secret), now_us)


def _join(change: DirectoryChange, login: LoginRecord, now_us: int) -> None:
    """Someone else of the same organization who was signed in with this browser is no longer."""
    for held in change.login_members(login.login_id):
        if held.organization_id == login.organization_id and held.member_id != login.member_id:
            _record_end(change, Actor(held.member_id, login.address), now_us, held)
    change.add_login_member(
        LoginMember(
            login_id=login.login_id,
            organization_id=login.organization_id,
            member_id=login.member_id,
            added_us=now_us,
        )
    )


def _record_end(change: DirectoryChange, actor: Actor, now_us: int, member: LoginMember) -> None:
    action = Action("login.end", member.organization_id, member.login_id)
    audit.record(change, actor, action, now_us)


def _shown(user_agent: str) -> str:
    return "".join(c for c in user_agent[:_MAX_AGENT_CHARS] if c.isprintable())
