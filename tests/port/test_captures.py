"""Captures on every backend; what is deleted is in no file any more."""

import msgspec
from tests.port.captures import capture
from tests.port.conftest import Place

from tidegate.store.sql.database import SqlStore


def test_a_capture_is_read_by_its_organization_alone(store: SqlStore) -> None:
    captures, one = store.usage.captures, capture("req_1")
    captures.put_captures([])
    captures.put_captures([one, capture("req_2", organization_id="org_2", size_bytes=5)])
    captures.put_capture(msgspec.structs.replace(one, ciphertext=b"again"))
    assert captures.capture("org_1", "req_1") == one
    assert captures.has_capture("org_1", "req_1")
    for organization_id, event_id in (("org_2", "req_1"), ("org_1", "req_2"), ("org_1", "")):
        assert captures.capture(organization_id, event_id) is None
        assert not captures.has_capture(organization_id, event_id)
        assert not captures.delete_capture(organization_id, event_id)
    assert [captures.captures_size(name) for name in ("org_1", "org_2", "x")] == [3, 5, 0]
    assert captures.delete_capture("org_1", "req_1")
    assert captures.capture("org_1", "req_1") is None


def test_captures_end_by_time_age_or_organization(store: SqlStore) -> None:
    captures = store.usage.captures
    captures.put_captures(
        [capture(f"req_{n:03}", at_us=n, expires_us=1000 + n) for n in range(120)]
        + [capture("req_other", organization_id="org_2", at_us=0, expires_us=1000)]
    )
    assert captures.delete_expired_captures(999) == 0
    assert captures.delete_expired_captures(1009) == 11
    assert captures.delete_captures_before("org_2", 1000) == 0
    assert captures.delete_captures_before("org_1", 20) == 10
    assert captures.captures_size("org_1") == 300
    assert captures.delete_captures("org_1") == 100
    assert captures.captures_size("org_1") == 0


def test_what_is_deleted_is_overwritten(sqlite_place: Place) -> None:
    store, secret = sqlite_place.open(), b"what nobody may read any more" * 3
    captures = store.usage.captures
    captures.put_captures(
        [capture(f"req_{n}", ciphertext=secret * (400 * (n % 2) + 1)) for n in range(40)]
    )
    captures.put_capture(capture("req_kept"))
    assert sqlite_place.data_dir is not None
    files = list(sqlite_place.data_dir.iterdir())
    assert any(secret in path.read_bytes() for path in files)
    captures.delete_captures_before("org_1", 1000)
    assert not any(secret in path.read_bytes() for path in files if path.exists())
    store.close()
