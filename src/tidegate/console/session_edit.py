"""Changing a session: its name, and what it is said to have worked on."""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import Dialogs, actor_of
from tidegate.console.log_range import own_rows
from tidegate.console.session_query import PATH
from tidegate.console.session_work import TITLES
from tidegate.console.web import Web
from tidegate.core.attribution import Kind, Method
from tidegate.services.errors import InvalidField
from tidegate.services.logins import Viewer
from tidegate.services.session_changes import corrected_kind
from tidegate.services.session_reports import SessionRow

_ONE: Final = f"{PATH}/{{session_id}}"
_HINTS: Final = {
    Kind.REPOSITORY: "A remote or the address of its page, as github.com/acme/app.",
    Kind.BRANCH: "Its whole name.",
    Kind.PULL_REQUEST: "A number of this repository, or the address of its page.",
}


class SessionEdit:
    """For admins, and for members of their own sessions."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._dialogs = Dialogs(web)
        self._services = web.services

    def routes(self) -> list[Route]:
        name, link = f"{_ONE}/name", f"{_ONE}/links/{{kind}}"
        return [
            page(name, self.name_form, need=Need.MEMBER),
            page(name, self.rename, methods=["POST"], need=Need.MEMBER),
            page(link, self.link_form, need=Need.MEMBER),
            page(link, self.correct, methods=["POST"], need=Need.MEMBER),
            page(f"{link}/withdraw", self.withdraw, methods=["POST"], need=Need.MEMBER),
        ]

    async def name_form(self, request: Request, viewer: Viewer) -> Response:
        row = await run_in_threadpool(self._row, request, viewer)
        return self._name_form(request, viewer, row, row.name, {})

    async def rename(self, request: Request, viewer: Viewer) -> Response:
        row = await run_in_threadpool(self._row, request, viewer)
        text = request.state.form.get("name", "")
        try:
            name = await run_in_threadpool(
                self._services.session_changes.rename,
                viewer.organization_id,
                row.session_id,
                text,
                actor=actor_of(request, viewer),
            )
        except InvalidField as refused:
            return self._name_form(request, viewer, row, text, {"name": refused.message})
        return self._web.done(request, _path(row), f"The session is called “{name}” now.")

    async def link_form(self, request: Request, viewer: Viewer) -> Response:
        return await run_in_threadpool(self._link_form, request, viewer, {})

    async def correct(self, request: Request, viewer: Viewer) -> Response:
        row = await run_in_threadpool(self._row, request, viewer)
        form, kind = request.state.form, _kind(request)
        text = "" if form.get("none") else form.get("value", "").strip()
        if not text and not form.get("none"):
            refused = InvalidField("Type it, or say that there is none.", field="value")
            return await run_in_threadpool(self._refused, request, viewer, refused)
        try:
            value = await run_in_threadpool(
                self._services.session_changes.correct,
                viewer.organization_id,
                row.session_id,
                kind.value,
                text,
                repository=row.repository,
                actor=actor_of(request, viewer),
            )
        except InvalidField as refused:
            return await run_in_threadpool(self._refused, request, viewer, refused)
        what = TITLES[kind].lower()
        told = f"Its {what} is {value} now." if value else f"It has no {what} now."
        return self._web.done(request, _path(row), told)

    async def withdraw(self, request: Request, viewer: Viewer) -> Response:
        row = await run_in_threadpool(self._row, request, viewer)
        kind = _kind(request)
        await run_in_threadpool(
            self._services.session_changes.withdraw,
            viewer.organization_id,
            row.session_id,
            kind.value,
            actor=actor_of(request, viewer),
        )
        return self._web.done(
            request, _path(row), f"The {TITLES[kind].lower()} is what was found again."
        )

    def _row(self, request: Request, viewer: Viewer) -> SessionRow:
        """The session, by its own id, if it is the viewer's to change."""
        return self._services.session_reports.one(
            viewer.organization_id, request.path_params["session_id"], member_id=own_rows(viewer)
        )

    def _name_form(
        self, request: Request, viewer: Viewer, row: SessionRow, name: str, errors: dict[str, str]
    ) -> Response:
        return self._dialogs.show(
            request,
            viewer,
            "session_name.html",
            status=422 if errors else 200,
            row=row,
            path=_path(row),
            name=name,
            errors=errors,
        )

    def _refused(self, request: Request, viewer: Viewer, refused: InvalidField) -> Response:
        return self._link_form(request, viewer, {"value": refused.message})

    def _link_form(self, request: Request, viewer: Viewer, errors: dict[str, str]) -> Response:
        kind = _kind(request)
        row = self._row(request, viewer)
        links = self._services.session_reports.links(viewer.organization_id, row.session_id)
        of_kind = [link for link in links if link.kind == kind]
        found = [each.value for each in of_kind if each.method != Method.PERSON]
        typed = request.state.form.get("value", "") if errors else ""
        return self._dialogs.show(
            request,
            viewer,
            "session_link.html",
            status=422 if errors else 200,
            path=_path(row),
            kind=kind.value,
            title=TITLES[kind],
            hint=_HINTS[kind],
            value=typed or _current(row, kind),
            corrected=any(link.method == Method.PERSON for link in of_kind),
            found=list(dict.fromkeys(found))[:20],
            errors=errors,
        )


def _current(row: SessionRow, kind: Kind) -> str:
    match kind:
        case Kind.REPOSITORY:
            return row.repository
        case Kind.BRANCH:
            return row.branch
    return row.pull_requests[0] if row.pull_requests else ""


def _kind(request: Request) -> Kind:
    return corrected_kind(request.path_params["kind"])


def _path(row: SessionRow) -> str:
    return f"{PATH}/{row.session_id}"
