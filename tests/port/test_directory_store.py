"""What every backend of the directory must do."""

import pytest
from sqlalchemy.exc import IntegrityError

from tidegate.core.model import CredentialRecord, KeyRecord, OrganizationRecord
from tidegate.store.people import LoginRecord, MemberRecord
from tidegate.store.ports import (
    AuditEntry,
    Code,
    DirectoryChange,
    StoredCredential,
    StoredKey,
    StoredSecret,
)
from tidegate.store.sql.database import SqlStore

pytestmark = pytest.mark.slow

ORGANIZATION = OrganizationRecord(
    organization_id="org_1",
    name="<b>\u202eÜnïcode 🚀</b>",
    time_zone="Asia/Kathmandu",
    week_start=7,
    allow_own_credential=False,
    allowed_models=("claude-*", "gpt-?"),
)
MEMBER = MemberRecord(
    member_id="mem_1", organization_id="org_1", email="a@b.c", name="A", role="owner", created_us=5
)
KEY = StoredKey(
    record=KeyRecord(
        key_id="key_1",
        organization_id="org_1",
        member_id="mem_1",
        agent="codex",
        credential_mode="own",
        credential_ids={"openai": "crd_1"},
        allowed_models=("o*",),
        disabled=True,
    ),
    prefix="tg_abcd",
    created_us=7,
)
SECRET = StoredSecret(
    secret_hash="ab" * 32,
    organization_id="org_1",
    key_id="key_1",
    ciphertext=b"\0\xff",
    created_us=1,
)
CREDENTIAL = StoredCredential(
    record=CredentialRecord(
        credential_id="crd_1",
        organization_id="org_1",
        provider="openai",
        base_url="https://x",
        ciphertext=b"\0\1",
        is_default=True,
        price_table="t",
    ),
    name="main",
    hint="wxyz",
    created_us=3,
)
CODE = Code(code_hash="c" * 64, purpose="sign_in", created_us=1, expires_us=100)
LOGIN = LoginRecord(
    login_id="lgn_1",
    login_hash="d" * 64,
    organization_id="org_1",
    member_id="mem_1",
    address="::1",
    created_us=1,
    last_seen_us=1,
    expires_us=100,
)


def fill(change: DirectoryChange) -> None:
    change.add_organization(ORGANIZATION, 1)
    change.add_member(MEMBER)
    change.add_key(KEY)
    change.add_secret(SECRET)
    change.put_credential(CREDENTIAL)


def test_everything_comes_back_as_it_was_put(store: SqlStore) -> None:
    with store.directory.changing() as change:
        fill(change)
        change.add_code(CODE)
        change.add_login(LOGIN)
    with store.directory.reading() as reads:
        assert reads.organization("org_1") == ORGANIZATION
        assert reads.members("org_1") == [MEMBER]
        assert reads.key("org_1", "key_1") == KEY
        assert reads.secrets("org_1", "key_1") == [SECRET]
        assert reads.credentials("org_1") == [CREDENTIAL]
        assert reads.code(CODE.code_hash, "sign_in", 99) == CODE
        assert reads.login(LOGIN.login_hash, 99) == LOGIN
        assert reads.logins("org_1", "mem_1") == [LOGIN]


def test_nothing_is_found_through_another_organization(store: SqlStore) -> None:
    with store.directory.changing() as change:
        fill(change)
        change.add_login(LOGIN)
        change.delete_key("org_2", "key_1")
        change.retire_secrets("org_2", "key_1", None)
        change.delete_credential("org_2", "crd_1")
        change.delete_login("org_2", "lgn_1")
    with store.directory.reading() as reads:
        assert reads.member("org_2", "mem_1") is None
        assert reads.key("org_2", "key_1") is None
        assert reads.secrets("org_2", "key_1") == []
        assert reads.logins("org_2", "mem_1") == []
        assert reads.key("org_1", "key_1") == KEY
        assert reads.secrets("org_1", "key_1") == [SECRET]
        assert reads.credentials("org_1") == [CREDENTIAL]
        assert reads.logins("org_1", "mem_1") == [LOGIN]


@pytest.mark.parametrize(
    ("members", "found"), [(None, [KEY]), (["mem_0", "mem_1"], [KEY]), (["mem_0"], []), ([], [])]
)
def test_keys_of_some_members(
    store: SqlStore, members: list[str] | None, found: list[StoredKey]
) -> None:
    with store.directory.changing() as change:
        fill(change)
        assert change.keys("org_1", members) == found


def test_the_snapshot_holds_what_gateways_need(store: SqlStore) -> None:
    with store.directory.changing() as change:
        fill(change)
    snapshot = store.directory.snapshot()
    assert snapshot.version == store.directory.version() == 2
    assert snapshot.organizations == (ORGANIZATION,)
    assert snapshot.keys == (KEY.record,)
    assert [(s.secret_hash, s.key_id, s.valid_until_us) for s in snapshot.secrets] == [
        (SECRET.secret_hash, "key_1", 0)
    ]
    assert snapshot.credentials == (CREDENTIAL.record,)


def test_a_failing_change_leaves_nothing_and_no_version(store: SqlStore) -> None:
    def fail() -> None:
        with store.directory.changing() as change:
            fill(change)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert store.directory.version() == 1
    assert store.directory.snapshot().keys == ()


def test_the_version_is_raised_once_a_change_and_only_for_gateways(store: SqlStore) -> None:
    with store.directory.changing() as change:
        fill(change)
    assert store.directory.version() == 2
    with store.directory.changing() as change:
        change.add_code(CODE)
        change.add_login(LOGIN)
        change.use_code(CODE.code_hash, "sign_in", 1)
        change.extend_login(LOGIN.login_hash, 2, 200)
        change.delete_login("org_1", "lgn_1")
    assert store.directory.version() == 2


@pytest.mark.parametrize(
    ("purpose", "now_us", "found"),
    [("sign_in", 99, True), ("sign_in", 100, False), ("setup", 99, False)],
)
def test_a_code_is_used_once_in_time_for_its_purpose(
    store: SqlStore, purpose: str, now_us: int, found: bool
) -> None:
    with store.directory.changing() as change:
        change.add_code(CODE)
    with store.directory.changing() as change:
        assert (change.use_code(CODE.code_hash, purpose, now_us) == CODE) is found
    with store.directory.changing() as change:
        assert change.use_code(CODE.code_hash, purpose, now_us) is None
        change.delete_ended_codes(100)
        assert change.use_code(CODE.code_hash, "sign_in", 1) is None


def test_secrets_retire(store: SqlStore) -> None:
    with store.directory.changing() as change:
        fill(change)
        change.retire_secrets("org_1", "key_1", 50)
        assert change.key_by_secret(SECRET.secret_hash, 49) == KEY
        assert change.key_by_secret(SECRET.secret_hash, 50) is None
        change.retire_secrets("org_1", "key_1", 90)
        assert change.secrets("org_1", "key_1") == []


def test_an_address_is_free_again_once_its_member_is_removed(store: SqlStore) -> None:
    removed = MemberRecord(member_id="mem_0", organization_id="org_1", email="a@b.c", removed_us=9)
    with store.directory.changing() as change:
        change.add_organization(ORGANIZATION, 1)
        change.add_member(removed)
        change.add_member(MEMBER)
        assert change.member_by_email("org_1", "a@b.c") == MEMBER
    twin = MemberRecord(member_id="mem_2", organization_id="org_1", email="a@b.c")
    with pytest.raises(IntegrityError), store.directory.changing() as change:
        change.add_member(twin)


def test_the_audit_log_pages_backwards(store: SqlStore) -> None:
    entries = [
        AuditEntry(
            audit_id=f"aud_{n}", organization_id="org_1", at_us=n, actor="cli", action="a.b",
            target="x", detail={"k": "v"}, address="::1",
        )
        for n in range(5)
    ]  # fmt: skip
    with store.directory.changing() as change:
        for entry in entries:
            change.add_audit(entry)
    with store.directory.reading() as reads:
        assert reads.audit("org_1", 2) == [entries[4], entries[3]]
        assert reads.audit("org_1", 2, "aud_3") == [entries[2], entries[1]]
        assert reads.audit("org_2", 2) == []
