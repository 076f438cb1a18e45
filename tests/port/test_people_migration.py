"""What 0.1.0 stored of people goes on: its logins hold, as logins of one membership."""

import sqlalchemy as sa
from alembic import command
from tests.port.conftest import Place

from tidegate.services.logins import Logins
from tidegate.services.vault import derive, hash_secret
from tidegate.store.sql import upgrade
from tidegate.store.sql.migrate import version_table

SUBKEYS = derive(bytes(32))
NOW_US = 50
LOGINS = (("lgn_1", "mem_1", 10), ("lgn_2", "mem_1", 20), ("lgn_3", "mem_2", 30))


def make_revision(place: Place, revision: str) -> None:
    """A directory as an earlier release made it."""
    if place.data_dir is not None:
        place.data_dir.mkdir()
    config = upgrade._config("directory")
    with place.connected() as connection:
        config.attributes.update(connection=connection, version_table=version_table("directory"))
        command.upgrade(config, revision)


def fill(connection: sa.Connection) -> None:
    execute = connection.exec_driver_sql
    execute(
        "INSERT INTO organizations (organization_id, name, time_zone, week_start,"
        " allow_own_credential, allowed_models, created_us)"
        " VALUES ('org_1', 'Acme', 'UTC', 1, true, '[]', 1)"
    )
    for n, role in ((1, "owner"), (2, "member")):
        execute(
            "INSERT INTO members (member_id, organization_id, email, name, role, created_us,"
            f" removed_us) VALUES ('mem_{n}', 'org_1', 'm{n}@b.c', '', '{role}', 1, 0)"
        )
    execute(
        "INSERT INTO keys (key_id, organization_id, member_id, agent, credential_mode,"
        " credential_ids, allowed_models, disabled, prefix, created_us)"
        " VALUES ('key_1', 'org_1', 'mem_1', 'codex', 'auto', '{}', '[]', false, 'tg_abcd', 1)"
    )
    for login_id, member_id, created_us in LOGINS:
        login_hash = hash_secret(SUBKEYS.login, f"secret of {login_id}")
        execute(
            "INSERT INTO logins (login_id, login_hash, organization_id, member_id, address,"
            f" created_us, last_seen_us, expires_us) VALUES ('{login_id}', '{login_hash}',"
            f" 'org_1', '{member_id}', '::1', {created_us}, 40, 100)"
        )


def test_logins_of_0_1_0_go_on(place: Place) -> None:
    make_revision(place, "0002")
    with place.connected() as connection:
        fill(connection)
    store = place.open()
    logins = Logins(store, SUBKEYS, lambda: NOW_US)
    for login_id, member_id, created_us in LOGINS:
        viewer = logins.viewer(f"secret of {login_id}")
        assert viewer is not None
        assert (viewer.login_id, viewer.member_id) == (login_id, member_id)
        assert [m.organization_name for m in viewer.memberships] == ["Acme"]
        with store.directory.reading() as reads:
            assert [m.added_us for m in reads.login_members(login_id)] == [created_us]
    with store.directory.reading() as reads:
        [organization] = reads.organizations()
        [key] = reads.keys("org_1")
        assert reads.password_hash("org_1", "mem_1") == ""
    assert not organization.self_enrolment
    assert (key.record.compression, key.record.debug_until_us) == (True, 0)
    logins.sign_out("secret of lgn_1")
    assert logins.viewer("secret of lgn_1") is None
    store.close()
