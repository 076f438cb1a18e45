"""What every backend must do about people's access."""

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError
from tests.port.test_directory_store import CODE, LOGIN, MEMBER, ORGANIZATION, fill

from tidegate.core.model import OrganizationRecord
from tidegate.store.people import (
    AccessTokenRecord,
    IdempotentRecord,
    InvitationRecord,
    LoginMember,
    MailSettingsRecord,
    MemberRecord,
    StoredPassword,
)
from tidegate.store.ports import AuditEntry, AuditFilter, DirectoryChange
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow

OTHER_ORGANIZATION = OrganizationRecord(organization_id="org_2", name="Other")
OTHER_MEMBER = MemberRecord(
    member_id="mem_2", organization_id="org_2", email="a@b.c", name="\u202eB 🚀", created_us=6
)
SECOND = LoginMember(login_id="lgn_1", organization_id="org_2", member_id="mem_2", added_us=8)
INVITATION = InvitationRecord(
    invitation_id="inv_1",
    organization_id="org_1",
    email="ü@b.c",
    role="admin",
    invited_by="mem_1",
    created_us=1,
    sent_us=2,
    expires_us=3,
    generation=4,
    mail="failed",
    mail_fault="The server said: no 🚀",
)
TOKEN = AccessTokenRecord(
    token_id="tok_1",
    organization_id="org_1",
    member_id="mem_1",
    name="CI",
    secret_hash="e" * 64,
    prefix="tgp_ab",
    scope="read",
    created_us=1,
    expires_us=2,
    last_used_us=3,
)
ANSWERED = IdempotentRecord(
    organization_id="org_1",
    member_id="mem_1",
    idempotency_key="k",
    request_digest="d",
    status=201,
    response=b"\0\xff{}",
    created_us=5,
)
MAIL = MailSettingsRecord(
    organization_id="org_1",
    host="mail.example",
    port=587,
    security="starttls",
    user_name="u",
    password_ciphertext=b"\0\1",
    sender="Tidegate <t@mail.example>",
    updated_us=1,
)


def fill_people(change: DirectoryChange) -> None:
    """Two organizations with a member each of the same address, one login for both."""
    change.add_organization(OTHER_ORGANIZATION, 2)
    change.add_member(OTHER_MEMBER)
    change.add_login(LOGIN)
    change.add_login_member(SECOND)
    change.add_invitation(INVITATION)
    change.add_access_token(TOKEN)
    change.add_idempotent(ANSWERED)
    change.put_mail_settings(MAIL)


@pytest.fixture
def store(store: SqlStore) -> SqlStore:
    with store.directory.changing() as change:
        fill(change)
        fill_people(change)
    return store


def test_everything_comes_back_as_it_was_put(store: SqlStore) -> None:
    with store.directory.reading() as reads:
        assert reads.members("org_2") == [OTHER_MEMBER]
        assert reads.members_by_email("a@b.c") == [MEMBER, OTHER_MEMBER]
        assert reads.invitations("org_1") == [INVITATION]
        assert reads.invitation("org_1", "inv_1") == INVITATION
        assert reads.invitation_by_id("inv_1") == INVITATION
        assert [m.member_id for m in reads.login_members("lgn_1")] == ["mem_1", "mem_2"]
        assert reads.logins("org_2", "mem_2") == [LOGIN]
        assert reads.access_tokens("org_1") == [TOKEN]
        assert reads.access_tokens("org_1", "mem_1") == [TOKEN]
        assert reads.access_token_by_hash("e" * 64) == TOKEN
        assert reads.idempotent("org_1", "mem_1", "k") == ANSWERED
        assert reads.mail_settings("org_1") == MAIL


def test_nothing_is_found_or_changed_through_another_organization(store: SqlStore) -> None:
    replace = msgspec.structs.replace
    with store.directory.changing() as change:
        change.update_member(replace(MEMBER, organization_id="org_2", name="taken over"))
        change.set_password_hash("org_2", "mem_1", "hash", 9)
        change.update_invitation(replace(INVITATION, organization_id="org_2", role="owner"))
        change.delete_login("org_3", "lgn_1")
        change.remove_login_member("org_2", "mem_1")
        change.update_access_token(replace(TOKEN, organization_id="org_2", scope="write"))
        change.delete_access_tokens("org_2", "mem_1")
        change.delete_idempotent("org_2", "mem_1", "k")
        change.delete_mail_settings("org_2")
        change.add_code(msgspec.structs.replace(CODE, organization_id="org_1", member_id="mem_1"))
        change.delete_codes("org_2", "mem_1")
    with store.directory.reading() as reads:
        assert reads.member("org_1", "mem_1") == MEMBER
        assert reads.password_hash("org_1", "mem_1") == ""
        assert reads.password_hash("org_2", "mem_1") == ""
        assert reads.invitation("org_2", "inv_1") is None
        assert reads.invitations("org_1") == [INVITATION]
        assert reads.invitations("org_2") == []
        assert len(reads.login_members("lgn_1")) == 2
        assert reads.access_tokens("org_1") == [TOKEN]
        assert reads.access_tokens("org_2") == reads.access_tokens("org_1", "mem_2") == []
        assert reads.idempotent("org_1", "mem_2", "k") is None
        assert reads.idempotent("org_1", "mem_1", "k") == ANSWERED
        assert reads.mail_settings("org_1") == MAIL
        assert reads.mail_settings("org_2") is None
        assert reads.code(CODE.code_hash, "sign_in", 99) is not None


def test_a_member_changes_and_the_password_stays_apart(store: SqlStore) -> None:
    renamed = msgspec.structs.replace(MEMBER, name="Ünï", role="admin", password_us=7)
    with store.directory.changing() as change:
        change.set_password_hash("org_1", "mem_1", "$argon2id$", 7)
        change.update_member(renamed)
    with store.directory.reading() as reads:
        assert reads.member("org_1", "mem_1") == renamed
        assert reads.password_hash("org_1", "mem_1") == "$argon2id$"
        assert "$argon2id$" not in repr(reads.members("org_1"))


def test_passwords_are_found_by_address(store: SqlStore) -> None:
    stored = [
        StoredPassword(organization_id=f"org_{n}", member_id=f"mem_{n}", password_hash=f"hash {n}")
        for n in (1, 2)
    ]
    with store.directory.changing() as change:
        assert change.passwords_by_email("a@b.c") == []
        assert change.most_passwords() == 0
        for one in stored:
            change.set_password_hash(one.organization_id, one.member_id, one.password_hash, 1)
        assert change.passwords_by_email("a@b.c") == stored
        assert change.passwords_by_email("A@b.c") == []
        assert change.most_passwords() == 2
        change.update_member(msgspec.structs.replace(MEMBER, removed_us=9))
        assert change.passwords_by_email("a@b.c") == stored[1:]
        assert change.most_passwords() == 1


def test_a_removed_member_has_no_address(store: SqlStore) -> None:
    with store.directory.changing() as change:
        change.update_member(msgspec.structs.replace(MEMBER, removed_us=9))
        assert change.members_by_email("a@b.c") == [OTHER_MEMBER]


def test_one_invitation_of_an_address_is_pending(store: SqlStore) -> None:
    replace = msgspec.structs.replace
    twin = replace(INVITATION, invitation_id="inv_2")
    with pytest.raises(IntegrityError), store.directory.changing() as change:
        change.add_invitation(twin)
    accepted = replace(INVITATION, accepted_us=9, member_id="mem_9")
    with store.directory.changing() as change:
        change.update_invitation(accepted)
        change.add_invitation(twin)
        assert change.invitations("org_1", pending=True) == [twin]
        change.update_invitation(replace(twin, withdrawn_us=9))
        assert change.invitations("org_1", pending=True) == []
        assert len(change.invitations("org_1")) == 2


def test_a_login_goes_on_with_the_membership_that_is_left(store: SqlStore) -> None:
    with store.directory.changing() as change:
        change.remove_login_member("org_1", "mem_1")
        login = change.login(LOGIN.login_hash, 99)
        assert login is not None
        assert (login.organization_id, login.member_id) == ("org_2", "mem_2")
        assert change.logins("org_1", "mem_1") == []
        change.remove_login_member("org_2", "mem_2", only="lgn_9")
        change.remove_login_member("org_2", "mem_2", keep="lgn_1")
        assert change.login(LOGIN.login_hash, 99) is not None
        change.remove_login_member("org_2", "mem_2")
        assert change.login(LOGIN.login_hash, 99) is None


def test_a_login_that_ends_takes_its_memberships_along(store: SqlStore) -> None:
    with store.directory.changing() as change:
        change.delete_login("org_2", "lgn_1")
        assert change.login(LOGIN.login_hash, 99) is None
        assert change.login_members("lgn_1") == []
        change.add_login(LOGIN)
        change.delete_ended_logins(99)
        assert change.logins("org_1", "mem_1") == [LOGIN]
        change.delete_ended_logins(100)
        assert change.logins("org_1", "mem_1") == []


def test_a_login_is_renewed(store: SqlStore) -> None:
    renewed = msgspec.structs.replace(
        LOGIN, login_hash="f" * 64, organization_id="org_2", member_id="mem_2", user_agent="x"
    )
    with store.directory.changing() as change:
        change.update_login(renewed)
        assert change.login(LOGIN.login_hash, 99) is None
        assert change.login("f" * 64, 99) == renewed
        change.set_login_current("f" * 64, "org_1", "mem_1")
        assert change.logins("org_2", "mem_2")[0].organization_id == "org_1"


def test_a_login_holds_one_membership_of_an_organization(store: SqlStore) -> None:
    other = MemberRecord(member_id="mem_3", organization_id="org_2", email="c@b.c")
    with store.directory.changing() as change:
        change.add_member(other)
        change.add_login_member(msgspec.structs.replace(SECOND, member_id="mem_3"))
        assert [m.member_id for m in change.login_members("lgn_1")] == ["mem_1", "mem_3"]


def test_codes_of_a_member_go(store: SqlStore) -> None:
    with store.directory.changing() as change:
        for n, purpose in enumerate(("sign_in", "reset")):
            change.add_code(
                msgspec.structs.replace(
                    CODE,
                    code_hash=str(n) * 64,
                    purpose=purpose,
                    organization_id="org_1",
                    member_id="mem_1",
                )
            )
        change.delete_codes("org_1", "mem_1", "sign_in")
        assert change.code("0" * 64, "sign_in", 1) is None
        assert change.code("1" * 64, "reset", 1) is not None
        change.delete_codes("org_1", "mem_1")
        assert change.code("1" * 64, "reset", 1) is None


def test_idempotent_answers_are_kept_once_and_for_a_time(store: SqlStore) -> None:
    with pytest.raises(IntegrityError), store.directory.changing() as change:
        change.add_idempotent(ANSWERED)
    updated = msgspec.structs.replace(ANSWERED, status=409)
    with store.directory.changing() as change:
        change.update_idempotent(updated)
        change.delete_old_idempotent(5)
        assert change.idempotent("org_1", "mem_1", "k") == updated
        change.delete_old_idempotent(6)
        assert change.idempotent("org_1", "mem_1", "k") is None


def test_mail_settings_are_replaced_and_removed(store: SqlStore) -> None:
    changed = msgspec.structs.replace(MAIL, port=465, security="tls")
    with store.directory.changing() as change:
        change.put_mail_settings(changed)
        assert change.mail_settings("org_1") == changed
        change.delete_mail_settings("org_1")
        assert change.mail_settings("org_1") is None


def test_what_the_team_page_shows_raises_the_version(store: SqlStore) -> None:
    before = store.directory.version()
    with store.directory.changing() as change:
        change.update_member(MEMBER)
        change.update_invitation(INVITATION)
    assert store.directory.version() == before + 1
    with store.directory.changing() as change:
        change.set_password_hash("org_1", "mem_1", "x", 1)
        change.update_access_token(TOKEN)
        change.set_login_current(LOGIN.login_hash, "org_2", "mem_2")
        change.put_mail_settings(MAIL)
    assert store.directory.version() == before + 1


@pytest.mark.parametrize(
    ("only", "found"),
    [
        (AuditFilter(), [3, 2, 1, 0]),
        (AuditFilter(actor="mem_1"), [3, 1]),
        (AuditFilter(action="key."), [2, 0]),
        (AuditFilter(action="%"), []),
        (AuditFilter(target="x3"), [3]),
        (AuditFilter(start_us=11, end_us=13), [2, 1]),
        (AuditFilter(actor="mem_1", action="key."), []),
    ],
)
def test_the_audit_log_is_filtered(store: SqlStore, only: AuditFilter, found: list[int]) -> None:
    with store.directory.changing() as change:
        for n in range(4):
            actor, action = ("mem_1", "keyring.x") if n % 2 else ("cli", "key.x")
            change.add_audit(
                AuditEntry(
                    audit_id=f"aud_{n}", organization_id="org_1", at_us=10 + n, actor=actor,
                    action=action, target=f"x{n}",
                )
            )  # fmt: skip
        entries = change.audit("org_1", 10, only=only)
    assert [entry.at_us - 10 for entry in entries] == found


def test_the_switches_are_stored(store: SqlStore) -> None:
    with store.directory.changing() as change:
        [key] = change.keys("org_1")
        assert (key.record.compression, key.record.debug_until_us) == (True, 0)
        switched = msgspec.structs.replace(key.record, compression=False, debug_until_us=7)
        change.update_key(msgspec.structs.replace(key, record=switched))
        change.update_organization(msgspec.structs.replace(ORGANIZATION, self_enrolment=True))
    snapshot = store.directory.snapshot()
    assert snapshot.keys == (switched,)
    assert snapshot.organizations[0].self_enrolment


@pytest.mark.parametrize(
    "odd", ["\0", "inv_1\0", "\ud800", "inv_1\udcff", "x" * 100_000, "'--", "%"]
)
def test_an_odd_id_is_not_found(store: SqlStore, odd: str) -> None:
    with store.directory.reading() as reads:
        assert reads.organization(odd) is None
        assert reads.member("org_1", odd) is None
        assert reads.member_by_email("org_1", odd) is None
        assert not reads.members_by_email(odd)
        assert not reads.passwords_by_email(odd)
        assert reads.invitation("org_1", odd) is None
        assert reads.invitation_by_id(odd) is None
        assert reads.key("org_1", odd) is None
        assert reads.idempotent("org_1", "mem_1", odd) is None
        assert reads.mail_settings(odd) is None
        for only in (AuditFilter(actor=odd), AuditFilter(action=odd), AuditFilter(target=odd)):
            assert reads.audit("org_1", 10, odd, only) == []
