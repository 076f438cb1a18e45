"""Secrets at rest: keyed hashes to look them up, AES-256-GCM to get them back.

One master key, kept outside the database, yields a sub-key per purpose, so that a process is
handed only what it needs: a gateway worker can neither reveal keys nor make logins.
"""

import hmac
import os
import secrets
from functools import lru_cache
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tidegate.core.model import KEY_PREFIX

MASTER_KEY_BYTES: Final = 32
_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARS: Final = 43  # 256 bits in base 62


class Subkeys(msgspec.Struct, frozen=True):
    """One key per purpose; empty where a process was not given it."""

    lookup: bytes = b""  # keyed hash of keys' secrets
    reveal: bytes = b""  # encryption of keys' secrets: console and command line only
    credential: bytes = b""  # encryption of provider secrets
    login: bytes = b""  # keyed hash of codes and login cookies
    capture: bytes = b""  # encryption of what debug mode keeps


class SealBroken(ValueError):
    """The ciphertext was made under another master key, for another place, or was altered."""


def derive(master: bytes) -> Subkeys:
    """The sub-keys of a master key."""
    if len(master) != MASTER_KEY_BYTES:
        raise ValueError(f"the master key must be {MASTER_KEY_BYTES} bytes, not {len(master)}")
    purposes = ("lookup", "reveal", "credential", "login", "capture")
    return Subkeys(*(_expand(master, purpose) for purpose in purposes))


def new_secret() -> str:
    """A new key's secret: the prefix and 256 random bits in base 62."""
    return KEY_PREFIX + _base62(secrets.randbits(256))


def new_token() -> str:
    """A secret for a link or a cookie: 256 random bits in base 62."""
    return _base62(secrets.randbits(256))


def hash_secret(subkey: bytes, secret: str) -> str:
    """The keyed hash that a secret is stored and looked up by, in hex."""
    return hmac.digest(_required(subkey), secret.encode("utf-8", "replace"), "sha256").hex()


def sign(subkey: bytes, purpose: str, text: str) -> str:
    """A token that proves that whoever holds the sub-key made it, for this text and purpose."""
    key = hmac.digest(_required(subkey), f"sign {purpose} v1".encode(), "sha256")
    return _base62(int.from_bytes(hmac.digest(key, text.encode("utf-8", "replace"), "sha256")))


def seal(subkey: bytes, plaintext: str, *, context: str) -> bytes:
    """Encrypt, bound to `context`: the ciphertext opens nowhere else."""
    nonce = os.urandom(_NONCE_BYTES)
    cipher = AESGCM(_required(subkey))
    return _VERSION + nonce + cipher.encrypt(nonce, plaintext.encode(), context.encode())


def unseal(subkey: bytes, ciphertext: bytes, *, context: str) -> str:
    """Decrypt what `seal` made for the same context, or raise SealBroken."""
    version, nonce = ciphertext[:1], ciphertext[1 : 1 + _NONCE_BYTES]
    if version != _VERSION or len(nonce) != _NONCE_BYTES:
        raise SealBroken("not a sealed secret of this version")
    cipher = AESGCM(_required(subkey))
    try:
        return cipher.decrypt(nonce, ciphertext[1 + _NONCE_BYTES :], context.encode()).decode()
    except InvalidTag:
        raise SealBroken("sealed under another master key or for another place") from None


def seal_capture(subkey: bytes, organization_id: str, event_id: str, content: bytes) -> bytes:
    """Encrypt what was kept of a request with its organization's own key, bound to both ids."""
    nonce = os.urandom(_NONCE_BYTES)
    cipher = _organization_cipher(_required(subkey), organization_id)
    return _VERSION + nonce + cipher.encrypt(nonce, content, _place(organization_id, event_id))


def unseal_capture(subkey: bytes, organization_id: str, event_id: str, ciphertext: bytes) -> bytes:
    """Decrypt what `seal_capture` made for the same request, or raise SealBroken."""
    version, nonce = ciphertext[:1], ciphertext[1 : 1 + _NONCE_BYTES]
    if version != _VERSION or len(nonce) != _NONCE_BYTES:
        raise SealBroken("not a sealed capture of this version")
    cipher = _organization_cipher(_required(subkey), organization_id)
    content = ciphertext[1 + _NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, content, _place(organization_id, event_id))
    except InvalidTag:
        raise SealBroken("sealed under another master key or for another place") from None


@lru_cache(256)
def _organization_cipher(subkey: bytes, organization_id: str) -> AESGCM:
    info = f"tidegate capture {organization_id} v1".encode()
    return AESGCM(HKDF(SHA256(), length=32, salt=None, info=info).derive(subkey))


def _place(organization_id: str, event_id: str) -> bytes:
    return f"{organization_id}:{event_id}".encode()


def _expand(master: bytes, purpose: str) -> bytes:
    expansion = HKDF(SHA256(), length=32, salt=None, info=f"tidegate {purpose} v1".encode())
    return expansion.derive(master)


def _base62(number: int) -> str:
    digits = []
    for _ in range(_SECRET_CHARS):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))


def _required(subkey: bytes) -> bytes:
    if not subkey:
        raise PermissionError("this process was not given the sub-key for that")
    return subkey
