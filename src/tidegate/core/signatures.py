"""How a webhook of ours is signed, so that its receiver knows who sent it, and when."""

import hmac
from hashlib import sha256
from typing import Final

TIMESTAMP: Final = "tidegate-timestamp"  # seconds since the epoch, of this attempt
SIGNATURE: Final = "tidegate-signature"  # v1= and the HMAC in hex
DELIVERY: Final = "tidegate-delivery"  # the same for every attempt of one message
EVENT: Final = "tidegate-event"
REPLAY_S: Final = 300
_VERSION: Final = "v1="


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a full stop and the body."""
    signed = b"%d.%b" % (timestamp, body)
    return _VERSION + hmac.new(secret.encode(), signed, sha256).hexdigest()


def is_signed(secret: str, given: str, timestamp: str, body: bytes, now_s: int) -> bool:
    """What a receiver checks: the signature, and that it is of the last five minutes."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    expected = signature(secret, int(timestamp), body)
    is_right = hmac.compare_digest(expected.encode(), given.encode())
    return is_right and abs(now_s - int(timestamp)) <= REPLAY_S
