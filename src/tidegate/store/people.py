"""What is stored of people's access: invitations, logins, tokens; and what mail goes out by."""

from typing import Protocol

import msgspec


class MemberRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A person in an organization. A removed one stays, for the history under the name."""

    member_id: str
    organization_id: str
    email: str  # normalised, see services/fields.py
    name: str = ""
    role: str = "member"  # Role
    created_us: int = 0
    removed_us: int = 0  # 0: not removed
    password_us: int = 0  # when the password was set, 0: none; its hash is read apart


class StoredPassword(msgspec.Struct, frozen=True, kw_only=True):
    """What a present member's password is compared with."""

    organization_id: str
    member_id: str
    password_hash: str


class InvitationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Someone who was asked to join. Pending until accepted or withdrawn, even when expired."""

    invitation_id: str
    organization_id: str
    email: str
    role: str  # Role
    invited_by: str  # a member's id, or "cli"
    created_us: int
    sent_us: int  # of the link that holds now
    expires_us: int
    generation: int = 1  # a link of an earlier one is void
    mail: str = ""  # "", "sent" or "failed"
    mail_fault: str = ""
    accepted_us: int = 0
    withdrawn_us: int = 0
    member_id: str = ""  # who it became

    @property
    def is_pending(self) -> bool:
        return not (self.accepted_us or self.withdrawn_us)


class LoginRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A browser's login, known by the keyed hash of its cookie only.

    It holds one or more memberships; organization and member are the current one.
    """

    login_id: str
    login_hash: str
    organization_id: str
    member_id: str
    address: str  # where it was made from
    created_us: int
    last_seen_us: int
    expires_us: int
    user_agent: str = ""


class LoginMember(msgspec.Struct, frozen=True, kw_only=True):
    """A membership that a login holds."""

    login_id: str
    organization_id: str
    member_id: str
    added_us: int


class AccessTokenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A member's token for the API, known by its keyed hash only."""

    token_id: str
    organization_id: str
    member_id: str
    name: str
    secret_hash: str
    prefix: str  # its beginning, for lists
    scope: str  # "read" or "write"
    created_us: int
    expires_us: int = 0  # 0: no end
    last_used_us: int = 0  # 0: never
    revoked_us: int = 0  # 0: not revoked


class IdempotentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a request with an idempotency key was answered."""

    organization_id: str
    member_id: str
    idempotency_key: str
    request_digest: str
    status: int = 0  # 0: not answered yet
    response: bytes = b""
    created_us: int


class MailSettingsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An organization's mail server; the password is AES-256-GCM ciphertext, empty for none."""

    organization_id: str
    host: str
    port: int
    security: str  # "starttls", "tls" or "none"
    user_name: str = ""
    password_ciphertext: bytes = b""
    sender: str
    updated_us: int


class PeopleReads(Protocol):
    """Part of `tidegate.store.ports.DirectoryReads`."""

    def members(self, organization_id: str) -> list[MemberRecord]: ...
    def member(self, organization_id: str, member_id: str) -> MemberRecord | None: ...
    def member_by_email(self, organization_id: str, email: str) -> MemberRecord | None: ...
    def members_by_email(self, email: str) -> list[MemberRecord]:
        """Present members of every organization: a sign-in names no organization."""

    def password_hash(self, organization_id: str, member_id: str) -> str: ...
    def passwords_by_email(self, email: str) -> list[StoredPassword]:
        """Of present members of every organization who have a password, oldest first."""

    def most_passwords(self) -> int:
        """The most passwords that one address has, over all organizations."""

    def invitations(
        self, organization_id: str, *, pending: bool = False
    ) -> list[InvitationRecord]: ...
    def invitation(self, organization_id: str, invitation_id: str) -> InvitationRecord | None: ...
    def invitation_by_id(self, invitation_id: str) -> InvitationRecord | None:
        """Of any organization: the holder of its link names none. Its token is checked after."""

    def login(self, login_hash: str, now_us: int) -> LoginRecord | None: ...
    def logins(self, organization_id: str, member_id: str) -> list[LoginRecord]:
        """Every login that holds this membership, current there or not."""

    def login_members(self, login_id: str) -> list[LoginMember]: ...
    def access_tokens(
        self, organization_id: str, member_id: str = ""
    ) -> list[AccessTokenRecord]: ...
    def access_token_by_hash(self, secret_hash: str) -> AccessTokenRecord | None: ...
    def idempotent(
        self, organization_id: str, member_id: str, idempotency_key: str
    ) -> IdempotentRecord | None: ...
    def mail_settings(self, organization_id: str) -> MailSettingsRecord | None: ...


class PeopleChange(PeopleReads, Protocol):
    """Part of `tidegate.store.ports.DirectoryChange`."""

    def add_member(self, record: MemberRecord) -> None: ...
    def update_member(self, record: MemberRecord) -> None: ...
    def set_password_hash(
        self, organization_id: str, member_id: str, password_hash: str, at_us: int
    ) -> None: ...
    def add_invitation(self, record: InvitationRecord) -> None: ...
    def update_invitation(self, record: InvitationRecord) -> None: ...
    def add_login(self, record: LoginRecord) -> None:
        """The login with its current membership."""

    def update_login(self, record: LoginRecord) -> None: ...
    def extend_login(self, login_hash: str, last_seen_us: int, expires_us: int) -> None: ...
    def delete_login(self, organization_id: str, login_id: str) -> None:
        """The whole login, which holds a membership of this organization."""

    def delete_ended_logins(self, now_us: int) -> None: ...
    def add_login_member(self, record: LoginMember) -> None:
        """Add a membership to a login, in place of another of the same organization."""

    def remove_login_member(
        self, organization_id: str, member_id: str, *, only: str = "", keep: str = ""
    ) -> None:
        """End a membership in every login, in one only, or in all but the one to keep.

        A login without memberships is gone.
        """

    def set_login_current(self, login_hash: str, organization_id: str, member_id: str) -> None: ...
    def delete_codes(self, organization_id: str, member_id: str, purpose: str = "") -> None: ...
    def add_access_token(self, record: AccessTokenRecord) -> None: ...
    def update_access_token(self, record: AccessTokenRecord) -> None: ...
    def delete_access_tokens(self, organization_id: str, member_id: str) -> None: ...
    def add_idempotent(self, record: IdempotentRecord) -> None: ...
    def update_idempotent(self, record: IdempotentRecord) -> None: ...
    def delete_idempotent(
        self, organization_id: str, member_id: str, idempotency_key: str
    ) -> None: ...
    def delete_old_idempotent(self, before_us: int) -> None: ...
    def put_mail_settings(self, record: MailSettingsRecord) -> None: ...
    def delete_mail_settings(self, organization_id: str) -> None: ...
