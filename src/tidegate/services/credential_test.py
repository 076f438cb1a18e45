"""Trying a provider credential: one request for the list of models, and a sentence about it.

What the provider says goes no further than its status: a body might repeat the secret.
"""

from enum import StrEnum
from threading import BoundedSemaphore
from typing import Any, Final, Protocol

import msgspec

from tidegate.core.model import CredentialRecord, Provider
from tidegate.core.routing import (
    PROVIDER_TITLE,
    BadBaseUrl,
    BadSecret,
    Base,
    organization_header,
    organization_path,
    parse_base_url,
)
from tidegate.services import audit
from tidegate.services.audit import Action, Actor
from tidegate.services.context import Clock, Service, now_us
from tidegate.services.errors import NotFound
from tidegate.services.vault import SealBroken, Subkeys, unseal
from tidegate.store.ports import Store

_AT_ONCE: Final = 4  # slow providers must not take every thread
_MODELS: Final = "/v1/models"
_ANTHROPIC_VERSION: Final = (b"anthropic-version", b"2023-06-01")


class Trouble(StrEnum):
    """Why there was no answer."""

    FORBIDDEN = "forbidden"  # the address is one that requests may not go to
    UNKNOWN = "unknown"  # the name has no address
    UNREACHED = "unreached"
    CERTIFICATE = "certificate"
    TLS = "tls"
    SLOW = "slow"
    GARBLED = "garbled"


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What a request came to; `detail` explains some troubles, and holds no secret."""

    status: int = 0  # 0: no answer
    body: bytes = b""  # its beginning
    whole: bool = True  # else the body goes on
    milliseconds: int = 0
    trouble: Trouble | None = None
    detail: str = ""


class Probe(Protocol):
    """Makes one GET by the upstreams' rules, follows nothing, and gives up after seconds."""

    def get(self, base: Base, path: str, headers: list[tuple[bytes, bytes]]) -> Probed: ...


class TestResult(msgspec.Struct, frozen=True):
    """Whether a credential works, in a sentence that says what to do if not."""

    ok: bool
    sentence: str
    status: int = 0
    milliseconds: int = 0


class CredentialTests(Service):
    """Tests of stored credentials."""

    def __init__(
        self, store: Store, subkeys: Subkeys, clock: Clock = now_us, *, probe: Probe
    ) -> None:
        super().__init__(store, subkeys, clock)
        self._probe = probe
        self._turns = BoundedSemaphore(_AT_ONCE)

    def test(self, organization_id: str, credential_id: str, *, actor: Actor) -> TestResult:
        """Ask the provider for its models. Takes seconds: not for an event loop."""
        record = self._record(organization_id, credential_id)
        if not self._turns.acquire(blocking=False):
            return TestResult(ok=False, sentence=_BUSY)
        try:
            result = self._try(record)
        finally:
            self._turns.release()
        detail = {"ok": "yes" if result.ok else "no", "status": str(result.status)}
        with self._directory.changing() as change:
            action = Action("credential.test", organization_id, credential_id, detail)
            audit.record(change, actor, action, self._clock())
        return result

    def _record(self, organization_id: str, credential_id: str) -> CredentialRecord:
        with self._directory.reading() as reads:
            for credential in reads.credentials(organization_id):
                if credential.record.credential_id == credential_id:
                    return credential.record
        raise NotFound("There is no such credential in this organization.")

    def _try(self, record: CredentialRecord) -> TestResult:
        provider = Provider(record.provider)
        context = f"{record.organization_id}:{record.credential_id}"
        try:
            base = parse_base_url(record.base_url)
            secret = unseal(self._subkeys.credential, record.ciphertext, context=context)
            headers = [organization_header(provider, secret)]
        except SealBroken:
            return TestResult(
                ok=False,
                sentence="The stored API key cannot be read with this master key. Replace it.",
            )
        except (BadBaseUrl, BadSecret) as fault:
            return TestResult(ok=False, sentence=f"The credential cannot be used: {fault}.")
        if provider is Provider.ANTHROPIC:
            headers.append(_ANTHROPIC_VERSION)
        probed = self._probe.get(base, organization_path(base.path, provider, _MODELS), headers)
        return judge(probed, base.origin.authority, PROVIDER_TITLE[provider])


def judge(probed: Probed, host: str, provider: str) -> TestResult:
    """What an answer, or none, says about the credential."""
    ok = probed.status == 200 and _lists_models(probed)
    if probed.trouble is not None:
        sentence = _TROUBLES[probed.trouble]
    elif probed.status == 200:
        sentence = _WORKS if ok else _NO_LIST
    else:
        sentence = _STATUSES.get(probed.status) or _by_class(probed.status)
    return TestResult(
        ok=ok,
        sentence=sentence.format(
            host=host, provider=provider, status=probed.status, detail=probed.detail
        ),
        status=probed.status,
        milliseconds=probed.milliseconds,
    )


_BUSY: Final = "Other credentials are being tested right now. Try again in a few seconds."
_WORKS: Final = "{host} accepted the API key."
_NO_LIST: Final = (
    "{host} answered, but not with a list of models. Check that the base URL is that of an API"
    " compatible with {provider}."
)
_STATUSES: Final = {
    401: "{host} refused the API key (401): it is wrong, expired or revoked. Replace it.",
    403: "{host} knows the API key but forbids its use (403). Check its permissions and the"
    " account it belongs to.",
    404: "{host} has no list of models at this base URL (404). Check the base URL and its path.",
    407: "The proxy between here and {host} wants a sign-in (407). Tell whoever runs this server.",
    408: "{host} took too long to answer (408). Try again.",
    429: "{host} has taken too many requests, or the account is out of credit (429). The API key"
    " was not tested; try again later.",
}
_TROUBLES: Final = {
    Trouble.FORBIDDEN: "{detail}. Whoever runs this server can allow it with --allow-upstream.",
    Trouble.UNKNOWN: "There is no server named {host}. Check the base URL.",
    Trouble.UNREACHED: "{host} could not be reached: {detail}. Check the base URL, then the"
    " network and proxy of this server.",
    Trouble.CERTIFICATE: "The certificate of {host} cannot be trusted: {detail}. The API key was"
    " not sent.",
    Trouble.TLS: "{host} did not agree on TLS. Check https:// and the port in the base URL.",
    Trouble.SLOW: "{host} did not answer within 10 seconds. Try again, or check the base URL.",
    Trouble.GARBLED: "{host} did not answer as an HTTP server should. Check scheme and port in"
    " the base URL.",
}


def _by_class(status: int) -> str:
    if 300 <= status < 400:
        return (
            "{host} redirects to another address ({status}), and a credential follows no"
            " redirect. Give the final address as base URL."
        )
    if status >= 500:
        return "{host} has trouble of its own ({status}). Try again later."
    return "{host} refused the request ({status}). Check the base URL and the API key."


def _lists_models(probed: Probed) -> bool:
    if not probed.whole:  # too long to read: a list, if it begins like one
        return probed.body.lstrip()[:1] == b"{" and b'"id"' in probed.body
    try:
        answer: Any = msgspec.json.decode(probed.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(answer, dict) and isinstance(answer.get("data"), list)
