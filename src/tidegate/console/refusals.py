"""How the console says no: a plain page for people, JSON for programs; nothing about why inside."""

from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tidegate.console.web import Web, is_partial, toast_header
from tidegate.services.errors import Conflict, InvalidField, NotFound, Refused, TooMany

_PAGES: Final = {
    400: ("Not understood", "The request was not well-formed. Go back and try again."),
    403: ("Not allowed", "The form was too old or came from elsewhere. Reload its page first."),
    404: ("Not found", "There is nothing here, or nothing that you may see."),
    405: ("Not possible", "This page cannot be used in this way."),
    409: ("Not possible now", "Something changed in the meantime. Go back and try again."),
    413: ("Too large", "The request was larger than this page takes."),
    415: ("Not understood", "This page takes forms only."),
    422: ("Not possible", "A value cannot be taken. Go back and correct it."),
    429: ("Too many attempts", "Wait a minute, then try again."),
    503: ("Not available", "The database cannot be reached. Try again in a moment."),
}
_CODES: Final = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_attempts",
    503: "unavailable",
}
_STATUS_OF: Final = {NotFound: 404, Conflict: 409, InvalidField: 422}
_RETRY_AFTER_S: Final = 5


class ApiRefusal(Exception):
    """An answer of the API that is no success."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def api_refusal(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, ApiRefusal)
    headers = {"www-authenticate": "Bearer"} if refusal.status == 401 else {}
    return _json(refusal.status, refusal.code, refusal.message, headers)


def status_of(refused: Refused) -> int:
    """What a service's refusal is as an answer."""
    return _STATUS_OF.get(type(refused), 403)


class Refusals:
    def __init__(self, web: Web) -> None:
        self._web = web

    async def http(self, request: Request, refusal: Exception) -> Response:
        """What routing, forms and limits refuse."""
        assert isinstance(refusal, HTTPException)
        code = refusal.status_code
        told = "" if refusal.detail == HTTPStatus(code).phrase else refusal.detail
        return self._answer(request, code, dict(refusal.headers or {}), told)

    async def refused(self, request: Request, refused: Exception) -> Response:
        """What a service refuses, where no field of a form is to blame."""
        assert isinstance(refused, Refused)
        if isinstance(refused, TooMany):
            return self._answer(request, 429, {"retry-after": str(refused.wait_s)}, refused.message)
        return self._answer(request, status_of(refused), {}, refused.message)

    async def unavailable(self, request: Request, _fault: Exception) -> Response:
        """What needs a database that is away."""
        return self._answer(request, 503, {"retry-after": str(_RETRY_AFTER_S)})

    def _answer(
        self, request: Request, status: int, headers: dict[str, str], told: str = ""
    ) -> Response:
        title, message = _PAGES.get(status, ("Not possible", "This cannot be done."))
        message = told or message
        if request.url.path.startswith("/api/"):
            return _json(status, _CODES.get(status, "refused"), message, headers)
        if is_partial(request):  # what is on view stays, and the reason stands beside it
            told_there = {"hx-reswap": "none", "hx-trigger": toast_header(message, failed=True)}
            return Response(status_code=status, headers=headers | told_there)
        page = self._web.page(
            request, "error.html", status=status, title=title, message=message, code=status
        )
        page.headers.update(headers)
        return page


def _json(status: int, code: str, message: str, headers: dict[str, str]) -> Response:
    body = {"error": {"code": code, "message": message}}
    return JSONResponse(body, status, headers=headers)
