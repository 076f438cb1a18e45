"""Browser logins: passwords and links that sign a person in, and the cookies that follow."""

from collections.abc import Sequence
from typing import Final

import msgspec

from tidegate.services import audit, fields
from tidegate.services.attempts import AttemptLimit
from tidegate.services.audit import Action, Actor
from tidegate.services.browser_logins import (
    LOGIN_LIFETIME_US,
    Browser,
    add_membership,
    end_login,
    end_membership,
)
from tidegate.services.codes import Purpose, hash_code, make_code
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.errors import InvalidCode, InvalidField, NotFound, TooMany
from tidegate.services.organizations import found_organization
from tidegate.services.password_hashing import STANDARD, PasswordHashing
from tidegate.services.permissions import is_admin
from tidegate.services.vault import Subkeys, hash_secret
from tidegate.store.people import LoginRecord, MemberRecord, StoredPassword
from tidegate.store.ports import DirectoryChange, DirectoryReads, Store

_SEEN_EVERY_US: Final = 3_600_000_000
_MOST_TRIED: Final = 10  # memberships of one address
_MOST_TRIED_CHARS: Final = 100
_TRIES: Final = 10
_TRY_AGAIN_S: Final = 60
_INVALID: Final = "This link is wrong, was used already, or has expired. Ask for a new one."
_WRONG: Final = "The email address or the password is wrong."


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """One of the organizations that a browser is signed in to."""

    organization_id: str
    organization_name: str
    member_id: str
    role: str  # Role


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """Who looks at a page or calls the API."""

    organization_id: str
    organization_name: str
    member_id: str
    email: str
    name: str
    role: str  # Role
    time_zone: str
    login_id: str = ""  # empty for a caller of the API
    memberships: tuple[Membership, ...] = ()
    week_start: int = 1
    self_enrolment: bool = False
    scope: str = "write"  # "read" for a token that may change nothing

    @property
    def is_admin(self) -> bool:
        """Admin or owner."""
        return is_admin(self.role)


class Logins(Service):
    """Sign-in and logins; only keyed hashes of links and logins are stored."""

    def __init__(
        self,
        store: Store,
        subkeys: Subkeys,
        clock: Clock = now_us,
        hashing: PasswordHashing = STANDARD,
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._hashing = hashing
        self._limit = AttemptLimit(clock, burst=_TRIES, refill_s=_TRY_AGAIN_S)

    def sign_in(
        self, email: str, password: str, *, address: str, user_agent: str, login_secret: str = ""
    ) -> str:
        """Sign in to every organization where this is the address and password: the secret.

        InvalidCode says the same whatever is wrong and takes the same time; TooMany comes after
        ten wrong passwords for one address, then one try a minute.
        """
        try:
            known = fields.email_address(email)
        except InvalidField:
            known = ""
        subject = known or f"no address: {email[:_MOST_TRIED_CHARS]}"
        self._limit.begin(subject)
        with self._directory.reading() as reads:
            found = reads.passwords_by_email(known)[:_MOST_TRIED]
            comparisons = min(_MOST_TRIED, max(1, reads.most_passwords()))
        try:
            right = self._right(found, password, comparisons)
        except TooMany:
            self._limit.give_back(subject)
            raise
        if not right:
            raise InvalidCode(_WRONG)
        self._limit.give_back(subject)
        browser = Browser(address, user_agent, login_secret)
        secret = self._open(right, browser)
        self._refresh_hashes(right, password)
        return secret

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

    def redeem_setup(  # noqa: PLR0913 -- by name beyond the third
        self,
        token: str,
        organization_name: str,
        email: str,
        *,
        name: str = "",
        password: str = "",
        time_zone: str = "",
        address: str = "",
        user_agent: str = "",
    ) -> str:
        """Found the first organization and sign its owner in: the login's secret.

        An empty password: by links only. A refused field leaves the link usable.
        """
        if not self.setup_open(token):
            raise InvalidCode(_INVALID)
        zone, chosen = fields.time_zone(time_zone or "UTC"), fields.person_name(name)
        checked = fields.new_password(password, fields.email_address(email)) if password else ""
        hashed = self._hashing.hash(checked) if checked else ""
        now_us = self._clock()
        with self._directory.changing() as change:
            code = change.use_code(self._hash(Purpose.SETUP, token), Purpose.SETUP, now_us)
            if code is None or change.organizations():
                raise InvalidCode(_INVALID)
            founded = found_organization(
                change,
                Actor("setup", address),
                now_us,
                name=organization_name,
                email=email,
                zone=zone,
            )
            owner = _member(change, founded.organization_id, founded.member_id)
            change.update_member(msgspec.structs.replace(owner, name=chosen))
            if hashed:
                change.set_password_hash(owner.organization_id, owner.member_id, hashed, now_us)
            return self._add(change, owner, Browser(address, user_agent))

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
            return viewer_of(reads, code.organization_id, code.member_id) if code else None

    def redeem_sign_in(
        self, token: str, *, address: str = "", user_agent: str = "", login_secret: str = ""
    ) -> str:
        """Sign in by a link: the login's secret, for the cookie."""
        browser = Browser(address, user_agent, login_secret)
        with self._directory.changing() as change:
            code_hash = self._hash(Purpose.SIGN_IN, token)
            code = change.use_code(code_hash, Purpose.SIGN_IN, self._clock())
            if code is None or not viewer_of(change, code.organization_id, code.member_id):
                raise InvalidCode(_INVALID)
            member = _member(change, code.organization_id, code.member_id)
            return self._add(change, member, browser)

    def viewer(self, login_secret: str) -> Viewer | None:
        """Who holds this login; it lasts 30 days since it was last seen."""
        now_us, login_hash = self._clock(), hash_secret(self._subkeys.login, login_secret)
        with self._directory.reading() as reads:
            login = reads.login(login_hash, now_us)
            viewer = _holder(reads, login) if login else None
        if login and viewer and now_us - login.last_seen_us > _SEEN_EVERY_US:
            with self._directory.changing() as change:
                change.extend_login(login_hash, now_us, now_us + LOGIN_LIFETIME_US)
        return viewer

    def switch(self, login_secret: str, organization_id: str) -> None:
        """Make another of the login's memberships the current one."""
        login_hash = hash_secret(self._subkeys.login, login_secret)
        with self._directory.changing() as change:
            login = change.login(login_hash, self._clock())
            for held in change.login_members(login.login_id) if login else []:
                if held.organization_id == organization_id:
                    change.set_login_current(login_hash, organization_id, held.member_id)
                    return
        raise NotFound("You are not signed in to this organization.", field="organization")

    def list(self, organization_id: str, member_id: str) -> list[LoginRecord]:
        """A member's logins that still hold, newest first."""
        now_us = self._clock()
        with self._directory.reading() as reads:
            logins = reads.logins(organization_id, member_id)
        return [login for login in logins if login.expires_us > now_us]

    def sign_out(self, login_secret: str, *, address: str = "") -> None:
        """End this login, all organizations of it; one that is over already is no fault."""
        now_us, login_hash = self._clock(), hash_secret(self._subkeys.login, login_secret)
        with self._directory.changing() as change:
            login = change.login(login_hash, now_us)
            if login is not None:
                end_login(change, address, now_us, login)

    def revoke(self, organization_id: str, member_id: str, login_id: str, *, actor: Actor) -> None:
        """End one of a member's logins; its other organizations are not touched."""
        with self._directory.changing() as change:
            for login in change.logins(organization_id, member_id):
                if login.login_id == login_id:
                    self._end(change, actor, [login], organization_id)
                    return
        raise NotFound("There is no such login.")

    def revoke_others(
        self, organization_id: str, member_id: str, keep_login_id: str, *, actor: Actor
    ) -> int:
        """End all of a member's logins but one; how many those were."""
        with self._directory.changing() as change:
            logins = change.logins(organization_id, member_id)
            others = [login for login in logins if login.login_id != keep_login_id]
            self._end(change, actor, others, organization_id)
        return len(others)

    def _hash(self, purpose: Purpose, token: str) -> str:
        return hash_code(self._subkeys.login, purpose, token)

    def _right(
        self, found: Sequence[StoredPassword], password: str, comparisons: int
    ) -> Sequence[StoredPassword]:
        """Those whose password it is. For an unknown address as much is compared as for one that
        many organizations know."""
        hashes = [one.password_hash for one in found]
        padded = hashes + [""] * (comparisons - len(hashes))
        matches = [self._hashing.matches(password_hash, password) for password_hash in padded]
        return [one for one, match in zip(found, matches, strict=False) if match]

    def _open(self, right: Sequence[StoredPassword], browser: Browser) -> str:
        """Add these memberships, the first one last, so that it is the current one."""
        secret = ""
        with self._directory.changing() as change:
            for one in reversed(right):
                member = change.member(one.organization_id, one.member_id)
                same = change.password_hash(one.organization_id, one.member_id) == one.password_hash
                if member is None or member.removed_us or not same:
                    continue  # changed while the passwords were compared
                secret = self._add(change, member, browser)
                browser = msgspec.structs.replace(browser, login_secret=secret)
        if not secret:
            raise InvalidCode(_WRONG)
        return secret

    def _refresh_hashes(self, right: Sequence[StoredPassword], password: str) -> None:
        for one in right:
            if self._hashing.is_outdated(one.password_hash):
                anew = self._hashing.hash(password)
                with self._directory.changing() as change:
                    member = change.member(one.organization_id, one.member_id)
                    now = change.password_hash(one.organization_id, one.member_id)
                    if member and now == one.password_hash:
                        change.set_password_hash(
                            one.organization_id, one.member_id, anew, member.password_us
                        )

    def _add(self, change: DirectoryChange, member: MemberRecord, browser: Browser) -> str:
        return add_membership(change, self._subkeys.login, self._clock(), member, browser)

    def _end(
        self,
        change: DirectoryChange,
        actor: Actor,
        logins: Sequence[LoginRecord],
        organization_id: str,
    ) -> None:
        for login in logins:
            for held in change.login_members(login.login_id):
                if held.organization_id == organization_id:
                    end_membership(change, actor, self._clock(), login.login_id, held)


def viewer_of(reads: DirectoryReads, organization_id: str, member_id: str) -> Viewer | None:
    """A present member as a viewer, whatever the way in."""
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
        week_start=organization.week_start,
        self_enrolment=organization.self_enrolment,
    )


def _holder(reads: DirectoryReads, login: LoginRecord) -> Viewer | None:
    held = [
        viewer
        for one in reads.login_members(login.login_id)
        if (viewer := viewer_of(reads, one.organization_id, one.member_id))
    ]
    current = next((v for v in held if v.organization_id == login.organization_id), None)
    if current is None:
        return None
    memberships = tuple(
        Membership(
            organization_id=one.organization_id,
            organization_name=one.organization_name,
            member_id=one.member_id,
            role=one.role,
        )
        for one in sorted(held, key=lambda v: v.organization_name.casefold())
    )
    return msgspec.structs.replace(current, login_id=login.login_id, memberships=memberships)


def _member(reads: DirectoryReads, organization_id: str, member_id: str) -> MemberRecord:
    member = reads.member(organization_id, member_id)
    assert member is not None  # looked up in this transaction already
    return member
