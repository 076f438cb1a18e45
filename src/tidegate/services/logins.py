"""Browser logins: links that sign a person in once, and the cookies that follow."""

from typing import Final

import msgspec

from tidegate.services import audit
from tidegate.services.audit import Action, Actor
from tidegate.services.codes import Purpose, hash_code, make_code
from tidegate.services.context import Service
from tidegate.services.errors import InvalidCode, NotFound
from tidegate.services.ids import new_id
from tidegate.services.organizations import found_organization
from tidegate.services.vault import hash_secret, new_token
from tidegate.store.people import LoginRecord
from tidegate.store.ports import DirectoryChange, DirectoryReads

LOGIN_LIFETIME_US: Final = 30 * 86_400_000_000  # since last seen
_SEEN_EVERY_US: Final = 3_600_000_000
_INVALID: Final = "This link is wrong, was used already, or has expired. Ask for a new one."


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """Who looks at a page."""

    organization_id: str
    organization_name: str
    member_id: str
    email: str
    name: str
    role: str  # Role
    time_zone: str


class Logins(Service):
    """Links and logins; only keyed hashes of them are stored."""

    def make_setup_token(self) -> str:
        """A token that founds the first organization; 15 minutes, single use."""
        token, code = make_code(self._subkeys.login, Purpose.SETUP, self._clock())
        with self._directory.changing() as change:
            change.add_code(code)
        return token

    def setup_open(self, token: str) -> bool:
        """Whether a set-up link can be used; changes nothing."""
        with self._directory.reading() as reads:
            code = reads.code(self._hash(Purpose.SETUP, token), Purpose.SETUP, self._clock())
            return code is not None and not reads.organizations()

    def redeem_setup(
        self, token: str, organization_name: str, email: str, *, address: str = ""
    ) -> str:
        """Found the first organization and sign its owner in: the login's secret.

        A refused name or email leaves the link usable.
        """
        now_us = self._clock()
        with self._directory.changing() as change:
            code = change.use_code(self._hash(Purpose.SETUP, token), Purpose.SETUP, now_us)
            if code is None or change.organizations():
                raise InvalidCode(_INVALID)
            actor = Actor("setup", address)
            founded = found_organization(
                change, actor, now_us, name=organization_name, email=email, zone="UTC"
            )
            return self._open_login(
                change, founded.organization_id, founded.member_id, address=address
            )

    def make_sign_in_token(
        self, organization_id: str, member_id: str, *, actor: Actor = audit.COMMAND_LINE
    ) -> str:
        """A token that signs this member in; 15 minutes, single use."""
        now_us = self._clock()
        token, code = make_code(
            self._subkeys.login,
            Purpose.SIGN_IN,
            now_us,
            organization_id=organization_id,
            member_id=member_id,
        )
        with self._directory.changing() as change:
            member = change.member(organization_id, member_id)
            if member is None or member.removed_us:
                raise NotFound("There is no such member in this organization.")
            change.add_code(code)
            action = Action("login.link", organization_id, member_id)
            audit.record(change, actor, action, now_us)
        return token

    def peek_sign_in(self, token: str) -> Viewer | None:
        """Whom a link would sign in; changes nothing, so that a mail scanner may fetch it."""
        with self._directory.reading() as reads:
            code = reads.code(self._hash(Purpose.SIGN_IN, token), Purpose.SIGN_IN, self._clock())
            return _viewer(reads, code.organization_id, code.member_id) if code else None

    def redeem_sign_in(self, token: str, *, address: str = "") -> str:
        """Sign in by a link: the login's secret, for the cookie."""
        now_us = self._clock()
        with self._directory.changing() as change:
            code = change.use_code(self._hash(Purpose.SIGN_IN, token), Purpose.SIGN_IN, now_us)
            if code is None or not _viewer(change, code.organization_id, code.member_id):
                raise InvalidCode(_INVALID)
            return self._open_login(change, code.organization_id, code.member_id, address=address)

    def viewer(self, login_secret: str) -> Viewer | None:
        """Who holds this login; it lasts 30 days since it was last seen."""
        now_us, login_hash = self._clock(), hash_secret(self._subkeys.login, login_secret)
        with self._directory.reading() as reads:
            login = reads.login(login_hash, now_us)
            viewer = _viewer(reads, login.organization_id, login.member_id) if login else None
        if login and viewer and now_us - login.last_seen_us > _SEEN_EVERY_US:
            with self._directory.changing() as change:
                change.extend_login(login_hash, now_us, now_us + LOGIN_LIFETIME_US)
        return viewer

    def list(self, organization_id: str, member_id: str) -> list[LoginRecord]:
        """A member's logins that still hold, newest first."""
        now_us = self._clock()
        with self._directory.reading() as reads:
            logins = reads.logins(organization_id, member_id)
        return [login for login in logins if login.expires_us > now_us]

    def sign_out(self, login_secret: str, *, address: str = "") -> None:
        """End this login; one that is over already is no fault."""
        now_us, login_hash = self._clock(), hash_secret(self._subkeys.login, login_secret)
        with self._directory.changing() as change:
            login = change.login(login_hash, now_us)
            if login is not None:
                actor = Actor(login.member_id, address)
                self._close_login(change, actor, login)

    def revoke(self, organization_id: str, member_id: str, login_id: str, *, actor: Actor) -> None:
        """End one of a member's logins."""
        with self._directory.changing() as change:
            for login in change.logins(organization_id, member_id):
                if login.login_id == login_id:
                    self._close_login(change, actor, login)
                    return
        raise NotFound("There is no such login.")

    def _hash(self, purpose: Purpose, token: str) -> str:
        return hash_code(self._subkeys.login, purpose, token)

    def _open_login(
        self, change: DirectoryChange, organization_id: str, member_id: str, *, address: str
    ) -> str:
        now_us, secret = self._clock(), new_token()
        login = LoginRecord(
            login_id=new_id("lgn"),
            login_hash=hash_secret(self._subkeys.login, secret),
            organization_id=organization_id,
            member_id=member_id,
            address=address,
            created_us=now_us,
            last_seen_us=now_us,
            expires_us=now_us + LOGIN_LIFETIME_US,
        )
        change.delete_ended_codes(now_us)
        change.add_login(login)
        action = Action("login.create", organization_id, login.login_id)
        audit.record(change, Actor(member_id, address), action, now_us)
        return secret

    def _close_login(self, change: DirectoryChange, actor: Actor, login: LoginRecord) -> None:
        change.delete_login(login.organization_id, login.login_id)
        action = Action("login.end", login.organization_id, login.login_id)
        audit.record(change, actor, action, self._clock())


def _viewer(reads: DirectoryReads, organization_id: str, member_id: str) -> Viewer | None:
    organization = reads.organization(organization_id)
    member = reads.member(organization_id, member_id)
    if organization is None or member is None or member.removed_us:
        return None
    return Viewer(
        organization_id=organization_id,
        organization_name=organization.name,
        member_id=member_id,
        email=member.email,
        name=member.name,
        role=member.role,
        time_zone=organization.time_zone,
    )
