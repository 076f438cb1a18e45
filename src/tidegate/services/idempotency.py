"""Creation by the API happens once: an answer is kept for a day under the caller's key.

What is created may be a secret, so the answers are sealed. A request whose process ended before
it was answered is not run again: nobody knows whether it took effect.
"""

import base64
import re
from collections.abc import Callable
from typing import Final

import msgspec

from tidegate.services.context import Service
from tidegate.services.errors import Conflict, InvalidField
from tidegate.services.vault import SealBroken, hash_secret, seal, unseal
from tidegate.store.people import IdempotentRecord

KEPT_US: Final = 24 * 3_600_000_000
_RUNS_AT_MOST_US: Final = 120_000_000
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


class Answer(msgspec.Struct, frozen=True):
    """A response to be given again."""

    status: int
    body: bytes
    headers: dict[str, str] = {}


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is to happen once: whose, under which key, and all that it says."""

    organization_id: str
    member_id: str
    key: str
    request: bytes  # method, path and body


class Idempotency(Service):
    """Answers by organization, member and key."""

    def run(self, once: Once, work: Callable[[], Answer]) -> Answer:
        """The answer of `work`, or the one that was given before; a refusal is not kept.

        Raises Conflict for a key that was used for another request, or for one still running.
        """
        if not _KEY.fullmatch(once.key):
            raise InvalidField(
                "An idempotency key is 1 to 255 visible ASCII characters.", field="idempotency_key"
            )
        claim = self._claim(once)
        if claim.status:
            return self._stored(claim)
        try:
            answer = work()
        except BaseException:
            with self._directory.changing() as change:
                change.delete_idempotent(once.organization_id, once.member_id, once.key)
            raise
        self._keep(claim, answer)
        return answer

    def _claim(self, once: Once) -> IdempotentRecord:
        """The record of this key; with a status where it is another's, and answered."""
        now_us = self._clock()
        digest = hash_secret(self._subkeys.login, once.request.decode("latin-1"))
        claim = IdempotentRecord(
            organization_id=once.organization_id,
            member_id=once.member_id,
            idempotency_key=once.key,
            request_digest=digest,
            created_us=now_us,
        )
        with self._directory.changing() as change:
            change.delete_old_idempotent(now_us - KEPT_US)
            found = change.idempotent(once.organization_id, once.member_id, once.key)
            if found is None:
                change.add_idempotent(claim)
                return claim
        if found.request_digest != digest:
            raise Conflict(
                "This idempotency key was used for another request. Use a new one.",
                field="idempotency_key",
            )
        if not found.status:
            raise Conflict(_unfinished(now_us - found.created_us), field="idempotency_key")
        return found

    def _keep(self, claim: IdempotentRecord, answer: Answer) -> None:
        plain = base64.b64encode(msgspec.msgpack.encode(answer)).decode()
        sealed = seal(self._subkeys.reveal, plain, context=_context(claim))
        record = msgspec.structs.replace(claim, status=answer.status, response=sealed)
        with self._directory.changing() as change:
            change.update_idempotent(record)

    def _stored(self, record: IdempotentRecord) -> Answer:
        try:
            plain = unseal(self._subkeys.reveal, record.response, context=_context(record))
        except SealBroken:
            raise Conflict(
                "The answer to this idempotency key cannot be read any more. Use a new one.",
                field="idempotency_key",
            ) from None
        return msgspec.msgpack.decode(base64.b64decode(plain), type=Answer)


def _unfinished(age_us: int) -> str:
    if age_us < _RUNS_AT_MOST_US:
        return "A request with this idempotency key is still running. Try again in a moment."
    return (
        "A request with this idempotency key was never answered. See whether it took effect,"
        " then use a new key."
    )


def _context(record: IdempotentRecord) -> str:
    return f"idempotency:{record.organization_id}:{record.member_id}:{record.idempotency_key}"
