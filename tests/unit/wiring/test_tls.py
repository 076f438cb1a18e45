"""The server's certificate: checked before it is used."""

import ssl
from pathlib import Path

import pytest
from tests.unit.wiring.certificates import write_pair

from tidegate.wiring.orders import StartFailed
from tidegate.wiring.tls import read_tls, tls_context


def test_a_good_pair_makes_a_context(tmp_path: Path) -> None:
    context = tls_context(read_tls(*write_pair(tmp_path, "good")))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE


def test_bad_files_are_refused_with_a_reason(tmp_path: Path) -> None:
    cert, key = write_pair(tmp_path, "one")
    _, other_key = write_pair(tmp_path, "two")
    _, locked_key = write_pair(tmp_path, "locked", password=b"secret")
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for pair, reason in [
        ((cert, other_key), "KEY_VALUES_MISMATCH"),
        ((cert, locked_key), "."),
        ((tmp_path / "empty", key), "."),
        ((cert, tmp_path / "nowhere"), "No such file"),
        ((tmp_path / "binary", key), "is not PEM"),
    ]:
        with pytest.raises(StartFailed, match=reason) as caught:
            read_tls(*pair)
        assert str(pair[0]) in str(caught.value)
