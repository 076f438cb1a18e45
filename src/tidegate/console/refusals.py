"""How the console says no: a plain page for people, JSON for programs; nothing about why inside."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tidegate.console.web import Web

_PAGES: Final = {
    400: ("Not understood", "The request was not well-formed. Go back and try again."),
    403: ("Not allowed", "The form was too old or came from elsewhere. Reload its page first."),
    404: ("Not found", "There is nothing here, or nothing that you may see."),
    405: ("Not possible", "This page cannot be used in this way."),
    413: ("Too large", "The request was larger than this page takes."),
    415: ("Not understood", "This page takes forms only."),
    429: ("Too many attempts", "Wait a minute, then try again."),
    503: ("Not available", "The database cannot be reached. Try again in a moment."),
}
_CODES: Final = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_attempts",
    503: "unavailable",
}
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


class Refusals:
    def __init__(self, web: Web) -> None:
        self._web = web

    async def http(self, request: Request, refusal: Exception) -> Response:
        """What routing, forms and limits refuse."""
        assert isinstance(refusal, HTTPException)
        return self._answer(request, refusal.status_code, dict(refusal.headers or {}))

    async def unavailable(self, request: Request, _fault: Exception) -> Response:
        """What needs a database that is away."""
        return self._answer(request, 503, {"retry-after": str(_RETRY_AFTER_S)})

    def _answer(self, request: Request, status: int, headers: dict[str, str]) -> Response:
        title, message = _PAGES.get(status, ("Not possible", "This cannot be done."))
        if request.url.path.startswith("/api/"):
            return _json(status, _CODES.get(status, "refused"), message, headers)
        page = self._web.page(
            request, "error.html", status=status, title=title, message=message, code=status
        )
        page.headers.update(headers)
        return page


def _json(status: int, code: str, message: str, headers: dict[str, str]) -> Response:
    body = {"error": {"code": code, "message": message}}
    return JSONResponse(body, status, headers=headers)
