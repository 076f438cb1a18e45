"""The server as the command line sees it: a few calls, by the standard library alone.

The key goes to the server of the profile and nowhere else: redirects are not followed.
"""

import json
import ssl
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from tidegate.cli.server_url import is_loopback

_MAX_REPLY_BYTES: Final = 4 << 20


class ServerError(Exception):
    """The server refused, or did not answer as a Tidegate server does.

    `status` is that of the answer, 0 if there was none.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a code was exchanged for."""

    key: str
    key_id: str
    agent: str
    organization_id: str
    organization_name: str
    email: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model that agents may use, with its windows and its rates in USD per million tokens."""

    id: str
    name: str
    provider: str
    context_tokens: int | None
    output_tokens: int | None
    cost: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class LaunchFacts:
    """What the server says of a key when an agent is launched with it."""

    agent: str
    credential_mode: str
    allow_own: bool
    providers: frozenset[str]
    models: tuple[Model, ...]
    debug_until: datetime | None = None  # requests and answers are stored until then
    session_tools: bool = False  # servers of before 0.6 have none


@dataclass(frozen=True, slots=True)
class LaunchUsage:
    """What the requests of one launch used; the subscription's cost is a part of the cost."""

    requests: int
    tokens: int
    cost_nusd: int
    subscription_cost_nusd: int
    estimated: int
    debug_until: datetime | None = None
    saved_tokens: int = 0  # servers of before 0.4 do not say


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget that bounds what a key may spend; money is in nano-USD."""

    budget_id: str
    title: str
    whose: str
    hard: bool
    limit_nusd: int
    raised_nusd: int
    spent_nusd: int
    held_nusd: int
    left_nusd: int
    used_percent: int
    resets_at: datetime | None
    asked: "AskedState | None" = None  # of late, for more of it


@dataclass(frozen=True, slots=True)
class AskedState:
    """A request for more, and what became of it."""

    amount_nusd: int
    state: str  # open, approved, declined
    note: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for more that was noted, or taken back."""

    request_id: str
    amount_nusd: int


class ServerApi:
    """The calls to one server."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._host = urlsplit(base_url).netloc
        self._opener = _opener(base_url)

    def exchange(self, code: str, *, timeout_s: float) -> Enrolment:
        """Exchange a single-use code for a key."""
        reply = self._call("POST", "/api/login", timeout_s, body={"code": code})
        with _Shape(self._host):
            return Enrolment(
                _text(reply["key"]),
                _text(reply["key_id"]),
                _text(reply["agent"]),
                _text(reply["organization"]["id"]),
                _text(reply["organization"]["name"]),
                _text(reply["member"]["email"]),
            )

    def launch(self, key: str, *, timeout_s: float) -> LaunchFacts:
        """What a launch needs to know: credentials the organization has, models, the mode."""
        reply = self._call("GET", "/api/launch", timeout_s, key=key)
        with _Shape(self._host):
            return LaunchFacts(
                _text(reply["agent"]),
                _text(reply["credential_mode"]),
                bool(reply["allow_own"]),
                frozenset(name for name, there in reply["providers"].items() if there),
                tuple(_read_model(entry) for entry in reply["models"]),
                _time(reply.get("debug_until")),
                bool(reply.get("session_tools", False)),
            )

    def launch_usage(self, key: str, launch_id: str, *, timeout_s: float) -> LaunchUsage:
        """What the requests of one launch used."""
        reply = self._call("GET", f"/api/launches/{launch_id}/usage", timeout_s, key=key)
        with _Shape(self._host):
            return LaunchUsage(
                int(reply["requests"]),
                int(reply["tokens"]),
                int(reply["cost_nusd"]),
                int(reply["subscription_cost_nusd"]),
                int(reply["estimated"]),
                _time(reply.get("debug_until")),
                int(reply.get("saved_tokens", 0)),
            )

    def budgets(self, key: str, repository: str, *, timeout_s: float) -> list[BudgetState]:
        """How the budgets stand that requests with this key count under."""
        path = f"/api/budgets?repository={quote(repository, safe='')}"
        reply = self._call("GET", path, timeout_s, key=key)
        with _Shape(self._host):
            return [_read_budget(entry) for entry in reply["budgets"]]

    def ask_for_more(
        self,
        key: str,
        *,
        amount: str,
        reason: str,
        budget_id: str,
        repository: str,
        timeout_s: float,
    ) -> Asked:
        """Ask an admin for more of a budget."""
        wish = {
            "amount": amount,
            "reason": reason,
            "budget_id": budget_id,
            "repository": repository,
        }
        reply = self._call("POST", "/api/budgets/requests", timeout_s, key=key, body=wish)
        with _Shape(self._host):
            return Asked(_text(reply["request_id"]), int(reply["amount_nusd"]))

    def withdraw(self, key: str, request_id: str, *, timeout_s: float) -> Asked:
        """Take back what was asked for."""
        path = f"/api/budgets/requests/{quote(request_id, safe='')}/withdraw"
        reply = self._call("POST", path, timeout_s, key=key, body={})
        with _Shape(self._host):
            return Asked(_text(reply["request_id"]), int(reply["amount_nusd"]))

    def _call(
        self, method: str, path: str, timeout_s: float, *, key: str = "", body: object = None
    ) -> dict[str, Any]:
        request = Request(self._base_url + path, method=method)  # noqa: S310  # http(s), see login
        request.add_header("Accept", "application/json")
        request.add_header("User-Agent", "tidegate-cli")
        if key:
            request.add_unredirected_header("Authorization", f"Bearer {key}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=timeout_s) as reply:
                return _parse(reply.read(_MAX_REPLY_BYTES), self._host)
        except HTTPError as error:
            with error:
                raise _refusal(error.code, error.read(_MAX_REPLY_BYTES), self._host) from None
        except (OSError, HTTPException) as error:
            raise ServerError(_unreachable(self._host, error)) from None


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_arguments: object) -> None:
        return None


class _Shape:
    """Turns what a reply of another shape raises into one error."""

    def __init__(self, host: str) -> None:
        self._host = host

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is not None and issubclass(kind, (KeyError, TypeError, ValueError, AttributeError)):
            raise _stranger(self._host) from None


def _opener(base_url: str) -> OpenerDirector:
    # The default context verifies, and reads SSL_CERT_FILE and SSL_CERT_DIR.
    handlers = [_NoRedirects(), HTTPSHandler(context=ssl.create_default_context())]
    if is_loopback(base_url):
        return build_opener(*handlers, ProxyHandler({}))
    return build_opener(*handlers)


def _parse(body: bytes, host: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        raise _stranger(host) from None
    if not isinstance(document, dict):
        raise _stranger(host)
    return document


def _refusal(status: int, body: bytes, host: str) -> ServerError:
    """The server's own message where it has one."""
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = None
    if isinstance(message, str) and message.isprintable() and message:
        return ServerError(message, status=status)
    if 300 <= status < 400:
        return ServerError(
            f"{host} answers with a redirect; use the address it leads to.", status=status
        )
    if status >= 500:
        return ServerError(f"{host} cannot answer at the moment (status {status}).", status=status)
    return ServerError(_stranger_text(host, f" (status {status})"), status=status)


def _stranger(host: str) -> ServerError:
    return ServerError(_stranger_text(host, ""))


def _stranger_text(host: str, detail: str) -> str:
    return f"{host} does not answer like a Tidegate server{detail}. Check the URL."


def _unreachable(host: str, error: OSError | HTTPException) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {host} is not trusted: {reason.verify_message}. "
            "For a private authority set SSL_CERT_FILE to its certificate."
        )
    if isinstance(reason, TimeoutError):
        return f"{host} cannot be reached: no answer in time."
    if isinstance(reason, HTTPException):
        return _stranger_text(host, "")
    return f"{host} cannot be reached: {getattr(reason, 'strerror', None) or reason}."


def _read_model(entry: dict[str, Any]) -> Model:
    return Model(
        _text(entry["id"]),
        _text(entry["name"]),
        _text(entry["provider"]),
        entry["context_tokens"],
        entry["output_tokens"],
        dict(entry["cost"]),
    )


def _read_budget(entry: dict[str, Any]) -> BudgetState:
    return BudgetState(
        _text(entry["budget_id"]),
        _text(entry["title"]),
        _text(entry["for"]),
        bool(entry["hard"]),
        int(entry["limit_nusd"]),
        int(entry["raised_nusd"]),
        int(entry["spent_nusd"]),
        int(entry["held_nusd"]),
        int(entry["left_nusd"]),
        int(entry["used_percent"]),
        _time(entry["resets_at"]),
        _read_asked(entry.get("asked")),
    )


def _read_asked(entry: dict[str, Any] | None) -> AskedState | None:
    if entry is None:
        return None
    return AskedState(
        int(entry["amount_nusd"]),
        _text(entry["state"]),
        _text(entry["note"]),
        _text(entry["request_id"]),
    )


def _time(value: object) -> datetime | None:
    """A time with its zone; an older server says none."""
    if value is None:
        return None
    at = datetime.fromisoformat(_text(value))
    if at.tzinfo is None:
        raise ValueError
    return at


def _text(value: object) -> str:
    """Text that may go to a terminal, into a header and into a config."""
    if not isinstance(value, str) or any(unicodedata.category(char) == "Cc" for char in value):
        raise TypeError
    return value
