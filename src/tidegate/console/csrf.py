"""Forms that only our own pages can send.

Two checks, both needed: the browser says where the form comes from (`Sec-Fetch-Site`, `Origin`),
and the form carries a token that only our page could read. The token belongs to a cookie: the
login's, or, before there is one, one made for the form. Each page masks it anew, so that
compressed pages give nothing away.
"""

import hmac
import secrets
from typing import Final

from starlette.datastructures import Headers

FIELD: Final = "csrf"
_MASK_BYTES: Final = 16


def token_for(cookie: str) -> str:
    """A token for a form on a page sent to the holder of this cookie."""
    mask = secrets.token_bytes(_MASK_BYTES)
    return (mask + _xor(mask, _tag(cookie))).hex()


def is_token_for(cookie: str, token: str) -> bool:
    try:
        masked = bytes.fromhex(token)
    except ValueError:
        return False
    if not cookie or len(masked) != 2 * _MASK_BYTES:
        return False
    tag = _xor(masked[:_MASK_BYTES], masked[_MASK_BYTES:])
    return hmac.compare_digest(tag, _tag(cookie))


def is_own_origin(headers: Headers, origins: frozenset[str]) -> bool:
    """Whether the browser's own account of the form's origin is ours.

    Our pages send no referrer, for which browsers say `Origin: null`; plain HTTP beyond loopback
    has no `Sec-Fetch-Site`. Then the token alone decides.
    """
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    return headers.get("origin", "null") in origins | {"null"}


def _tag(cookie: str) -> bytes:
    return hmac.digest(cookie.encode(), b"tidegate form", "sha256")[:_MASK_BYTES]


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
