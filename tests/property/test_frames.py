"""Frames in any damage: never an exception, never an invented payload, later frames survive."""

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.frames import frame, read_frames, scan_frames

payload_lists = st.lists(st.binary(max_size=60), max_size=6)


@given(payload_lists, st.integers(0, 500))
def test_reading_in_two_parts_is_reading_at_once(payloads: list[bytes], cut: int) -> None:
    content = b"".join(map(frame, payloads))
    first, end = read_frames(content[:cut])
    rest, whole_end = read_frames(content, end)
    assert first + rest == payloads
    assert whole_end == len(content)


@given(payload_lists, payload_lists, st.binary(min_size=1, max_size=40))
def test_frames_after_damage_are_found(
    before: list[bytes], after: list[bytes], damage: bytes
) -> None:
    after = [*after, b"the last"]
    content = b"".join(map(frame, before)) + damage + b"".join(map(frame, after))
    scan = scan_frames(content)
    assert scan.payloads == before + after
    assert scan.end == len(content)
    assert scan.damaged == 1


@given(st.binary(max_size=300))
def test_garbage_yields_nothing(content: bytes) -> None:
    payloads, end = read_frames(content)
    assert payloads == []
    assert 0 <= end <= len(content)
