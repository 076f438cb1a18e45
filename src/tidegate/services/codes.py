"""Single-use codes: links for a browser, and codes that a person copies into a terminal."""

import secrets
from enum import StrEnum
from typing import Final

from tidegate.services.vault import hash_secret, new_token
from tidegate.store.ports import Code

_MINUTE_US: Final = 60_000_000
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
_MISREAD: Final = str.maketrans("ILO", "110", " -\t\r\n")
_CODE_CHARS: Final = 20  # 100 bits
_GROUP_CHARS: Final = 4


class Purpose(StrEnum):
    """What a code opens; a code is good for its purpose only."""

    SETUP = "setup"
    SIGN_IN = "sign_in"
    ENROLMENT = "enrolment"
    RESET = "reset"
    GITHUB = "github"  # the way back from GitHub


LIFETIME_US: Final = {
    Purpose.SETUP: 15 * _MINUTE_US,
    Purpose.SIGN_IN: 15 * _MINUTE_US,
    Purpose.ENROLMENT: 24 * 60 * _MINUTE_US,
    Purpose.RESET: 60 * _MINUTE_US,
    Purpose.GITHUB: 60 * _MINUTE_US,
}


def make_code(
    subkey: bytes,
    purpose: Purpose,
    now_us: int,
    *,
    organization_id: str = "",
    member_id: str = "",
    key_id: str = "",
) -> tuple[str, Code]:
    """A new code and what is stored of it."""
    text = _human_code() if purpose is Purpose.ENROLMENT else new_token()
    code = Code(
        code_hash=hash_code(subkey, purpose, text),
        purpose=purpose,
        organization_id=organization_id,
        member_id=member_id,
        key_id=key_id,
        created_us=now_us,
        expires_us=now_us + LIFETIME_US[purpose],
    )
    return text, code


def hash_code(subkey: bytes, purpose: Purpose, text: str) -> str:
    """What a code is looked up by; one that a person copied may be spaced and misread."""
    if purpose is Purpose.ENROLMENT:
        text = text.upper().translate(_MISREAD)
    return hash_secret(subkey, f"{purpose} {text.strip()}")


def _human_code() -> str:
    chars = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_CHARS))
    return "-".join(chars[i : i + _GROUP_CHARS] for i in range(0, _CODE_CHARS, _GROUP_CHARS))
