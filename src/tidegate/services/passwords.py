"""Passwords: setting them, and the mailed links that reset one or sign in without."""

from typing import Final

import msgspec

from tidegate.services import audit, fields
from tidegate.services.attempts import AttemptLimit
from tidegate.services.audit import COMMAND_LINE, Action, Actor
from tidegate.services.browser_logins import Browser, add_membership
from tidegate.services.codes import Purpose, hash_code, make_code
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.errors import Forbidden, InvalidCode, InvalidField, NotFound, TooMany
from tidegate.services.password_hashing import STANDARD, PasswordHashing
from tidegate.services.vault import Subkeys
from tidegate.store.people import MemberRecord
from tidegate.store.ports import DirectoryChange, DirectoryReads, Store

_INVALID: Final = "This link is wrong, was used already, or has expired. Ask for a new one."
_MOST_LINKS: Final = 10  # memberships of one address
_MAILS: Final = 5
_MAIL_AGAIN_S: Final = 600
_TRIES: Final = 10
_TRY_AGAIN_S: Final = 60
_VOIDED: Final = (Purpose.RESET, Purpose.SIGN_IN)


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """A link that sets a new password of one membership; for the mail to that address only."""

    organization_id: str
    organization_name: str
    email: str
    token: str


class SignInLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that signs in to one membership; for the mail to that address only."""

    organization_id: str
    organization_name: str
    email: str
    token: str


class Passwords(Service):
    """A password belongs to a membership: what happens in one organization stays there."""

    def __init__(
        self,
        store: Store,
        subkeys: Subkeys,
        clock: Clock = now_us,
        hashing: PasswordHashing = STANDARD,
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._hashing = hashing
        self._tries = AttemptLimit(clock, burst=_TRIES, refill_s=_TRY_AGAIN_S)
        self._mails = AttemptLimit(clock, burst=_MAILS, refill_s=_MAIL_AGAIN_S)

    def has(self, organization_id: str, member_id: str) -> bool:
        """Whether this member has a password."""
        with self._directory.reading() as reads:
            return bool(reads.password_hash(organization_id, member_id))

    def set(
        self,
        organization_id: str,
        member_id: str,
        new: str,
        *,
        current: str | None,
        actor: Actor,
        keep_login_id: str = "",
    ) -> None:
        """Set one's own password and end one's other logins and open links.

        Who has a password must give it; only the command line need not, and sets anyone's.
        """
        if actor.who not in {member_id, COMMAND_LINE.who}:
            raise Forbidden("Only the member can set this password.")
        with self._directory.reading() as reads:
            member = _present(reads, organization_id, member_id)
            before = reads.password_hash(organization_id, member_id)
        if before and actor.who != COMMAND_LINE.who:
            self._require_current(member, before, current)
        after = self._hashing.hash(fields.new_password(new, member.email))
        with self._directory.changing() as change:
            member = _present(change, organization_id, member_id)
            if change.password_hash(organization_id, member_id) != before:
                raise InvalidField("The password was changed meanwhile.", field="current")
            self._store_hash(change, member, after, keep_login_id=keep_login_id)
            self._audit(change, actor, "password.set", member)

    def make_reset(self, email: str, *, address: str = "") -> list[Reset]:
        """A link for each membership of this address; an hour, single use. None if it is unknown,
        or was asked for too often: neither may show."""
        made = self._make(email, Purpose.RESET, "password.reset_link", address)
        return [
            Reset(organization_id=m.organization_id, organization_name=name, email=m.email, token=t)
            for m, name, t in made
        ]

    def make_links(self, email: str, *, address: str = "") -> list[SignInLink]:
        """A link that signs in, for each membership of this address; see `make_reset`."""
        made = self._make(email, Purpose.SIGN_IN, "login.link", address)
        return [
            SignInLink(
                organization_id=m.organization_id, organization_name=name, email=m.email, token=t
            )
            for m, name, t in made
        ]

    def peek_reset(self, token: str) -> Reset | None:
        """What a link would reset; changes nothing, so that a mail scanner may fetch it."""
        with self._directory.reading() as reads:
            code = reads.code(self._hash(token), Purpose.RESET, self._clock())
            organization = code and reads.organization(code.organization_id)
            member = code and reads.member(code.organization_id, code.member_id)
        if not organization or not member or member.removed_us:
            return None
        return Reset(
            organization_id=organization.organization_id,
            organization_name=organization.name,
            email=member.email,
            token=token,
        )

    def redeem_reset(
        self,
        token: str,
        new_password: str,
        *,
        address: str,
        user_agent: str,
        login_secret: str = "",
    ) -> str:
        """Set the password by a link and sign in; every other login of the member ends.

        A refused password leaves the link usable.
        """
        reset = self.peek_reset(token)
        if reset is None:
            raise InvalidCode(_INVALID)
        after = self._hashing.hash(fields.new_password(new_password, reset.email))
        now_us = self._clock()
        with self._directory.changing() as change:
            code = change.use_code(self._hash(token), Purpose.RESET, now_us)
            if code is None:
                raise InvalidCode(_INVALID)
            member = _present(change, code.organization_id, code.member_id)
            self._store_hash(change, member, after)
            self._audit(change, Actor(member.member_id, address), "password.reset", member)
            browser = Browser(address, user_agent, login_secret)
            return add_membership(change, self._subkeys.login, now_us, member, browser)

    def _require_current(self, member: MemberRecord, before: str, current: str | None) -> None:
        """A stolen browser must not be enough to find or change the password."""
        self._tries.begin(member.member_id)
        try:
            is_right = self._hashing.matches(before, current or "")
        except TooMany:
            self._tries.give_back(member.member_id)
            raise
        if not is_right:
            raise InvalidField("This is not your present password.", field="current")
        self._tries.give_back(member.member_id)

    def _store_hash(
        self,
        change: DirectoryChange,
        member: MemberRecord,
        password_hash: str,
        *,
        keep_login_id: str = "",
    ) -> None:
        mine = (member.organization_id, member.member_id)
        change.set_password_hash(*mine, password_hash, self._clock())
        for purpose in _VOIDED:
            change.delete_codes(*mine, purpose)
        change.remove_login_member(*mine, keep=keep_login_id)

    def _make(
        self, email: str, purpose: Purpose, action: str, address: str
    ) -> list[tuple[MemberRecord, str, str]]:
        """Member, organization's name and token for each membership."""
        try:
            known = fields.email_address(email)
            self._mails.begin(f"{purpose} {known}")
        except (InvalidField, TooMany):
            known = ""
        made = []
        with self._directory.changing() as change:  # for an unknown address too: the same time
            change.delete_ended_codes(self._clock())
            for member in change.members_by_email(known)[:_MOST_LINKS]:
                organization = change.organization(member.organization_id)
                token, code = make_code(
                    self._subkeys.login,
                    purpose,
                    self._clock(),
                    organization_id=member.organization_id,
                    member_id=member.member_id,
                )
                change.add_code(code)
                self._audit(change, Actor("mail", address), action, member)
                made.append((member, organization.name if organization else "", token))
        return made

    def _audit(
        self, change: DirectoryChange, actor: Actor, name: str, member: MemberRecord
    ) -> None:
        action = Action(name, member.organization_id, member.member_id)
        audit.record(change, actor, action, self._clock())

    def _hash(self, token: str) -> str:
        return hash_code(self._subkeys.login, Purpose.RESET, token)


def _present(reads: DirectoryReads, organization_id: str, member_id: str) -> MemberRecord:
    member = reads.member(organization_id, member_id)
    if member is None or member.removed_us:
        raise NotFound("There is no such member in this organization.")
    return member
