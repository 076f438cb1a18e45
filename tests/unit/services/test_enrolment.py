import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from tests.unit.services.world import DAY_US, World

from tidegate.services.enrolment import Enrolment
from tidegate.services.errors import Conflict, InvalidCode, InvalidField, NotFound, Refused
from tidegate.store.sql.database import SqlStore, open_store


def test_enroll_adds_the_member_and_a_key(world: World) -> None:
    made = world.enrolled("Dev@example.com", "codex")
    assert world.members.get(world.organization_id, made.member_id).email == "dev@example.com"
    record = world.enrolment.authenticate(made.key)
    assert record is not None
    assert (record.key_id, record.agent, record.disabled) == (made.key_id, "codex", False)
    [stored] = world.enrolment.list_keys(world.organization_id)
    assert stored.prefix == made.key[:7]
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]{4}", made.login_code)
    assert world.actions()[-2:] == ["member.add", "key.enroll"]


def test_no_secret_is_stored_in_clear(world: World, tmp_path: Path) -> None:
    made = world.enrolled()
    world.enrolment.exchange(made.login_code)
    login = world.logins.redeem_sign_in(world.sign_in_token)
    files = (tmp_path / "installation").iterdir()
    stored = b"".join(file.read_bytes() for file in files if file.is_file())
    assert made.key_id.encode() in stored
    for secret in (made.key, made.key[10:], made.login_code, login, world.sign_in_token):
        assert secret.encode() not in stored
    assert made.login_code.replace("-", "").encode() not in stored


def test_one_key_per_member_and_agent(world: World) -> None:
    world.enrolled(agent="codex")
    world.enrolled(agent="opencode")
    with pytest.raises(Conflict, match="rotate it for a new secret, or unenrol it"):
        world.enrolled("DEV@example.com", "codex")
    assert len(world.enrolment.list_keys(world.organization_id)) == 2


@pytest.mark.parametrize(
    ("organization", "email", "agent", "refusal"),
    [
        ("org_none", "a@b.c", "codex", NotFound),
        ("", "nobody", "codex", InvalidField),
        ("", "a@b.c", "cursor", InvalidField),
    ],
)
def test_a_refused_enrolment_leaves_no_member(
    world: World, organization: str, email: str, agent: str, refusal: type[Refused]
) -> None:
    with pytest.raises(refusal):
        world.enrolment.enroll(organization or world.organization_id, email, agent)
    assert len(world.members.list(world.organization_id)) == 1


@pytest.mark.parametrize(
    "change", [str, str.lower, lambda c: c.replace("-", " "), lambda c: f" {c}\n",
               lambda c: c.replace("0", "O").replace("1", "l")]
)  # fmt: skip
def test_a_login_code_is_exchanged_once(world: World, change: Callable[[str], str]) -> None:
    made = world.enrolled(agent="codex")
    exchanged = world.enrolment.exchange(change(made.login_code), address="10.0.0.1")
    assert (exchanged.key, exchanged.key_id, exchanged.agent) == (made.key, made.key_id, "codex")
    assert (exchanged.organization_id, exchanged.organization_name, exchanged.email) == (
        world.organization_id,
        "Acme",
        "dev@example.com",
    )
    assert world.audit()[-1].address == "10.0.0.1"
    with pytest.raises(InvalidCode):
        world.enrolment.exchange(made.login_code)


def test_a_login_code_lasts_a_day(world: World) -> None:
    made = world.enrolled()
    world.clock.now_us += DAY_US
    with pytest.raises(InvalidCode):
        world.enrolment.exchange(made.login_code)
    again = world.enrolment.login_code(world.organization_id, made.key_id)
    assert world.enrolment.exchange(again).key == made.key


@pytest.mark.parametrize("code", ["", "AAAA-AAAA-AAAA-AAAA-AAAA", "\0", "\ud800", "ß" * 10000])
def test_codes_that_open_nothing(world: World, code: str) -> None:
    world.enrolled()
    with pytest.raises(InvalidCode):
        world.enrolment.exchange(code)


def test_a_sign_in_token_is_no_login_code(world: World) -> None:
    with pytest.raises(InvalidCode):
        world.enrolment.exchange(world.sign_in_token)


def test_rotation_without_overlap_ends_the_old_secret(world: World) -> None:
    made = world.enrolled()
    new = world.enrolment.rotate(world.organization_id, made.key_id)
    assert world.enrolment.authenticate(made.key) is None
    record = world.enrolment.authenticate(new)
    assert record is not None
    assert record.key_id == made.key_id
    assert world.enrolment.reveal(world.organization_id, made.key_id) == new
    assert world.enrolment.list_keys(world.organization_id)[0].prefix == new[:7]
    assert len(world.store.directory.snapshot().secrets) == 1


def test_rotation_with_overlap_keeps_two_secrets_for_a_while(world: World) -> None:
    made = world.enrolled()
    second = world.enrolment.rotate(world.organization_id, made.key_id, 60)
    assert world.enrolment.reveal(world.organization_id, made.key_id) == second
    ends = sorted(secret.valid_until_us for secret in world.store.directory.snapshot().secrets)
    assert ends == [0, world.clock.now_us + 60_000_000]
    world.clock.now_us += 59_999_999
    assert world.enrolment.authenticate(made.key)
    assert world.enrolment.authenticate(second)
    third = world.enrolment.rotate(world.organization_id, made.key_id, 60)
    assert world.enrolment.authenticate(made.key) is None  # never more than two
    assert world.enrolment.authenticate(second)
    world.clock.now_us += 60_000_000
    assert world.enrolment.authenticate(second) is None
    assert world.enrolment.authenticate(third)


@pytest.mark.parametrize("overlap_s", [-1, 31 * 86_400])
def test_an_overlap_has_limits(world: World, overlap_s: int) -> None:
    made = world.enrolled()
    with pytest.raises(InvalidField):
        world.enrolment.rotate(world.organization_id, made.key_id, overlap_s)
    assert world.enrolment.authenticate(made.key)


def test_reveal_is_written_down(world: World) -> None:
    made = world.enrolled()
    assert world.enrolment.reveal(world.organization_id, made.key_id) == made.key
    entry = world.audit()[-1]
    assert (entry.action, entry.actor, entry.target) == ("key.reveal", "cli", made.key_id)
    assert made.key not in str(world.audit())


def test_set_key_changes_what_is_given(world: World) -> None:
    made = world.enrolled()
    organization_id = world.organization_id
    chosen = world.credentials.set(organization_id, "openai", "https://x", "sk-x")
    version = world.store.directory.version()
    world.enrolment.set_key(organization_id, made.key_id, disabled=True)
    world.enrolment.set_key(
        organization_id,
        made.key_id,
        credential_mode="own",
        allowed_models=["claude-*"],
        credential_ids={"openai": chosen},
    )
    [record] = world.store.directory.snapshot().keys
    assert record.disabled
    assert record.credential_mode == "own"
    assert record.allowed_models == ("claude-*",)
    assert record.credential_ids == {"openai": chosen}
    assert world.store.directory.version() == version + 2
    assert world.enrolment.authenticate(made.key) == record


def test_refused_settings_change_nothing(world: World) -> None:
    made = world.enrolled()
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    foreign = world.credentials.set(other, "openai", "https://x", "sk-x")
    mine = world.credentials.set(world.organization_id, "openai", "https://x", "sk-x")
    before = world.store.directory.snapshot().keys
    with pytest.raises(InvalidField):
        world.enrolment.set_key(world.organization_id, made.key_id, credential_mode="any")
    for chosen in [{"openai": foreign}, {"anthropic": mine}, {"openai": "crd_none"}]:
        with pytest.raises(NotFound):
            world.enrolment.set_key(
                world.organization_id, made.key_id, disabled=True, credential_ids=chosen
            )
    assert world.store.directory.snapshot().keys == before


def test_unenrolling_deletes_key_secrets_and_codes(world: World) -> None:
    made = world.enrolled()
    world.enrolment.unenroll(world.organization_id, made.key_id)
    assert world.enrolment.authenticate(made.key) is None
    snapshot = world.store.directory.snapshot()
    assert (snapshot.keys, snapshot.secrets) == ((), ())
    with pytest.raises(InvalidCode):
        world.enrolment.exchange(made.login_code)
    assert world.members.get(world.organization_id, made.member_id)
    assert world.enrolled().key_id != made.key_id


def test_another_organizations_key_is_not_there(world: World) -> None:
    made = world.enrolled()
    other = world.organizations.bootstrap("Other", "a@b.c").organization_id
    enrolment = world.enrolment
    for act in (enrolment.rotate, enrolment.reveal, enrolment.unenroll, enrolment.login_code,
                enrolment.set_key):  # fmt: skip
        with pytest.raises(NotFound):
            act(other, made.key_id)
    assert enrolment.list_keys(other) == []
    assert enrolment.authenticate(made.key)


@pytest.mark.parametrize("secret", ["", "tg_", "tg_" + "A" * 43, "\ud800", "\0"])
def test_unknown_secrets_are_nobody(world: World, secret: str) -> None:
    world.enrolled()
    assert world.enrolment.authenticate(secret) is None


def test_of_racing_exchanges_one_wins(world: World, tmp_path: Path) -> None:
    made = world.enrolled()
    stores = [open_store(data_dir=tmp_path / "installation") for _ in range(4)]
    start = Barrier(len(stores))

    def exchange(store: SqlStore) -> bool:
        enrolment = Enrolment(store, world.subkeys, world.clock)
        start.wait()
        try:
            enrolment.exchange(made.login_code)
        except InvalidCode:
            return False
        return True

    with ThreadPoolExecutor(len(stores)) as pool:
        assert sorted(pool.map(exchange, stores)) == [False, False, False, True]
    for store in stores:
        store.close()
