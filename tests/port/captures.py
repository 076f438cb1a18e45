"""Stored bodies for tests."""

from typing import Any

from tidegate.store.captures import StoredCapture


def capture(event_id: str, **fields: Any) -> StoredCapture:
    """The capture of an event, of bytes that are no text."""
    plain: dict[str, Any] = {
        "event_id": event_id,
        "organization_id": "org_1",
        "key_id": "key_1",
        "member_id": "mem_1",
        "at_us": 10,
        "expires_us": 100,
        "size_bytes": 3,
        "truncated": False,
        "ciphertext": b"\x00\xff\x80" + event_id.encode(),
    }
    return StoredCapture(**(plain | fields))
