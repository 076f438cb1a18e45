"""From a request to an operation and back: who asks, may they, what do they send, what is it."""

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from tidegate.console.access import Need
from tidegate.console.api_v1 import reading
from tidegate.console.api_v1.operation import JSON_TYPE, PREFIX, Call, File, NoBody, Operation
from tidegate.console.api_v1.problems import (
    FieldError,
    Kind,
    ProblemRaised,
    at_field,
    of_refusal,
    respond,
    unavailable,
)
from tidegate.console.file_stream import send_file
from tidegate.console.web import Web, peer_of
from tidegate.services.audit import Actor
from tidegate.services.errors import Conflict, InvalidField, Refused
from tidegate.services.idempotency import Answer, Once
from tidegate.services.logins import Viewer
from tidegate.store.ports import StoreUnavailable

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
_NO_LIMIT: Final = 1 << 62  # of the framework: ours answers with a problem
_NOBODY: Final = Viewer(
    organization_id="",
    organization_name="",
    member_id="",
    email="",
    name="",
    role="",
    time_zone="UTC",
)


class ApiRoute(Route):
    """The route of an operation. `need` says who may, for whoever tries them all.

    `plain` are the addresses without parameters: they are never taken for some thing's id.
    """

    def __init__(self, operation: Operation, web: Web, plain: frozenset[str] = frozenset()) -> None:
        super().__init__(
            PREFIX + operation.path,
            _Endpoint(operation, web).answer,
            methods=[operation.method],
            name=f"api_v1_{operation.name}",
            max_body_size=_NO_LIMIT,
        )
        self.operation = operation
        self.need = operation.need
        self._others = plain - {PREFIX + operation.path}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["path"] in self._others:
            return Match.NONE, {}
        return super().matches(scope)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """An answer as it is sent, and stored for those who ask again."""

    status: int
    body: bytes
    location: str = ""
    replayed: bool = False


class _Endpoint:
    def __init__(self, operation: Operation, web: Web) -> None:
        self._operation = operation
        self._web = web

    async def answer(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except ProblemRaised as raised:
            return respond(raised)
        except Refused as refused:
            return respond(of_refusal(refused, self._operation.field_names))
        except StoreUnavailable:
            return respond(unavailable())

    async def _answer(self, request: Request) -> Response:
        reading.refuse_unacceptable(request, self._operation.media_type)
        viewer = await self._viewer(request)
        call = await self._call(request, viewer)
        if self._operation.file:
            file = await run_in_threadpool(self._file, call)
            return await send_file(request, file.parts, file.form, file.name)
        if self._operation.method == "GET":
            return await run_in_threadpool(self._read, request, call)
        return await run_in_threadpool(self._change, request, call)

    async def _viewer(self, request: Request) -> Viewer:
        """Who asks, if they may."""
        operation = self._operation
        if operation.need is Need.ANYONE:
            return _NOBODY
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        viewer = None
        if scheme.lower() == "bearer" and secret.strip():
            tokens = self._web.services.access_tokens
            viewer = await run_in_threadpool(tokens.authenticate, secret.strip())
        if viewer is None:
            raise ProblemRaised(Kind.UNAUTHENTICATED)
        if not operation.need.met_by(viewer.role):
            raise ProblemRaised(Kind.FORBIDDEN)
        if operation.writes and viewer.scope != "write":
            raise ProblemRaised(Kind.READ_ONLY_TOKEN)
        return viewer

    async def _call(self, request: Request, viewer: Viewer) -> Call[msgspec.Struct, msgspec.Struct]:
        operation, web = self._operation, self._web
        query = reading.query(request, operation.query)
        body: msgspec.Struct = NoBody()
        if operation.writes:
            raw = await reading.body_bytes(request, web.options.max_body_bytes)
            body = reading.body(request, raw, operation.body)
        return Call(
            services=web.services,
            viewer=viewer,
            actor=Actor(viewer.member_id, peer_of(request)),
            path=request.path_params,
            query=query,
            body=body,
            now_us=web.clock(),
            public_url=web.options.public_url.rstrip("/"),
        )

    def _read(self, request: Request, call: Call[msgspec.Struct, msgspec.Struct]) -> Response:
        version = self._operation.version
        etag = _etag(self._versioned(call, version(call))) if version else ""
        if etag and _knows(request, etag):
            return _tagged(Response(status_code=304), etag)
        encoded = self._run(call)
        etag = etag or _etag(encoded.body)
        if _knows(request, etag):
            return _tagged(Response(status_code=304), etag)
        return _tagged(_respond(encoded), etag)

    def _file(self, call: Call[msgspec.Struct, msgspec.Struct]) -> File:
        file: File = self._operation.run(call)
        return file

    def _versioned(self, call: Call[msgspec.Struct, msgspec.Struct], version: str) -> bytes:
        who = (call.viewer.organization_id, call.viewer.member_id, call.viewer.role)
        return msgspec.msgpack.encode(
            (self._operation.name, who, dict(call.path), call.query, version)
        )

    def _change(self, request: Request, call: Call[msgspec.Struct, msgspec.Struct]) -> Response:
        keys = request.headers.getlist(IDEMPOTENCY_HEADER)
        if not keys or not self._operation.creates:
            return _respond(self._run(call))
        if len(keys) > 1:
            raise at_field(IDEMPOTENCY_HEADER, "Send one key.")
        return self._once(keys[0], request, call)

    def _once(
        self, key: str, request: Request, call: Call[msgspec.Struct, msgspec.Struct]
    ) -> Response:
        """The answer that this key was given already, else of doing it now."""
        once = Once(
            organization_id=call.organization_id,
            member_id=call.viewer.member_id,
            key=key,
            request=msgspec.msgpack.encode(
                (self._operation.name, request.url.path, call.query, call.body)
            ),
        )
        done = False

        def work() -> Answer:
            nonlocal done
            done = True
            encoded = self._run(call)
            return Answer(encoded.status, encoded.body, {"location": encoded.location})

        try:
            answer = self._web.services.idempotency.run(once, work)
        except Conflict as refused:
            error = FieldError(IDEMPOTENCY_HEADER, refused.message)
            raise ProblemRaised(Kind.IDEMPOTENCY, refused.message, errors=(error,)) from None
        except InvalidField as refused:
            raise at_field(IDEMPOTENCY_HEADER, refused.message) from None
        encoded = _Encoded(
            answer.status, answer.body, answer.headers["location"], replayed=not done
        )
        return _respond(encoded)

    def _run(self, call: Call[msgspec.Struct, msgspec.Struct]) -> _Encoded:
        operation = self._operation
        try:
            answer = operation.run(call)
        except Refused as refused:
            raise of_refusal(refused, operation.field_names) from None
        if operation.answer is None:
            return _Encoded(operation.status, b"")
        location = ""
        if operation.item:
            location = PREFIX + operation.item.partition("{")[0] + answer.id
        return _Encoded(operation.status, msgspec.json.encode(answer), location)


def _respond(encoded: _Encoded) -> Response:
    headers = {}
    if encoded.location:
        headers["location"] = encoded.location
    if encoded.replayed:
        headers[REPLAYED_HEADER.lower()] = "true"
    media = JSON_TYPE if encoded.body else None
    return Response(encoded.body, encoded.status, headers, media)


def _tagged(response: Response, etag: str) -> Response:
    response.headers["etag"] = etag
    response.headers["cache-control"] = "private, no-cache"
    response.headers["vary"] = "authorization"
    return response


def _etag(version: bytes) -> str:
    """Weak: an answer may be sent compressed or not."""
    return f'W/"{hashlib.sha256(version).hexdigest()[:32]}"'


def _knows(request: Request, etag: str) -> bool:
    """Whether If-None-Match names this version; comparison is weak."""
    wanted = etag.removeprefix("W/")
    for header in request.headers.getlist("if-none-match"):
        for part in header.split(","):
            if part.strip() == "*" or part.strip().removeprefix("W/") == wanted:
                return True
    return False
