import re

import pytest

from tidegate.services.vault import (
    SealBroken,
    derive,
    hash_secret,
    new_secret,
    new_token,
    seal,
    unseal,
)

KEYS = derive(bytes(range(32)))


def test_every_purpose_has_a_key_of_its_own() -> None:
    keys = {KEYS.lookup, KEYS.reveal, KEYS.credential, KEYS.login}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    assert derive(bytes(range(32))) == KEYS
    assert derive(bytes(32)) != KEYS


def test_the_sub_keys_of_a_master_key_never_change() -> None:
    # Written down: another derivation would make every stored secret unreadable.
    assert KEYS.lookup.hex()[:16] == "8bbb1b27413cba29"
    assert hash_secret(KEYS.lookup, "tg_x")[:16] == "206026b7a805ee32"


@pytest.mark.parametrize("master", [b"", bytes(31), bytes(33)])
def test_a_master_key_has_one_length(master: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        derive(master)


def test_secrets_have_the_form_that_the_product_promises() -> None:
    assert re.fullmatch(r"tg_[0-9A-Za-z]{43}", new_secret())
    assert re.fullmatch(r"[0-9A-Za-z]{43}", new_token())
    assert len({new_secret() for _ in range(100)}) == 100


def test_a_sealed_secret_opens_for_its_context_and_key_only() -> None:
    sealed = seal(KEYS.reveal, "sécret", context="org_1:key_1")
    assert unseal(KEYS.reveal, sealed, context="org_1:key_1") == "sécret"
    assert b"s\xc3\xa9cret" not in sealed
    assert seal(KEYS.reveal, "sécret", context="org_1:key_1") != sealed
    for key, ciphertext, context in [
        (KEYS.reveal, sealed, "org_2:key_1"),
        (KEYS.credential, sealed, "org_1:key_1"),
        (KEYS.reveal, sealed[:-1] + bytes([sealed[-1] ^ 1]), "org_1:key_1"),
        (KEYS.reveal, b"\x02" + sealed[1:], "org_1:key_1"),
        (KEYS.reveal, sealed[:5], "org_1:key_1"),
        (KEYS.reveal, b"", "org_1:key_1"),
    ]:
        with pytest.raises(SealBroken):
            unseal(key, ciphertext, context=context)


def test_a_process_without_a_sub_key_cannot_use_it() -> None:
    with pytest.raises(PermissionError):
        hash_secret(b"", "secret")
    with pytest.raises(PermissionError):
        seal(b"", "secret", context="")
    with pytest.raises(PermissionError):
        unseal(b"", seal(KEYS.reveal, "x", context=""), context="")
