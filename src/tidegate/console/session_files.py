"""`/sessions/export.csv` and `.jsonl`: the sessions that the filters show; and one's requests."""

from collections.abc import Iterator
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.file_stream import send_file
from tidegate.console.log_range import own_rows
from tidegate.console.session_look import SessionLook
from tidegate.console.session_query import PATH, read_session_query
from tidegate.console.web import Web
from tidegate.core.calendar import local_time
from tidegate.services.errors import InvalidField
from tidegate.services.log_table import FORMS, Form
from tidegate.services.logins import Viewer
from tidegate.services.session_reports import SessionSort

_LIST: Final = "tidegate-sessions-{}"
_ONE: Final = "tidegate-{}"


class SessionFiles:
    """Members get their own, admins all."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._services = web.services

    def routes(self) -> list[Route]:
        found: list[Route] = []
        for suffix, form in FORMS.items():
            found += [
                page(
                    f"{PATH}/export.{suffix}",
                    partial(self.export, form),
                    need=Need.MEMBER,
                    name=f"export_sessions_{suffix}",
                ),
                page(
                    f"{PATH}/{{session_id}}/export.{suffix}",
                    partial(self.export_one, form),
                    need=Need.MEMBER,
                    name=f"export_session_{suffix}",
                ),
            ]
        return found

    async def export(self, form: Form, request: Request, viewer: Viewer) -> Response:
        parts = await run_in_threadpool(self._list, request, viewer, form)
        today = local_time(self._web.clock(), ZoneInfo(viewer.time_zone)).date()
        return await send_file(request, parts, form, _LIST.format(today.isoformat()))

    async def export_one(self, form: Form, request: Request, viewer: Viewer) -> Response:
        """The requests of one session, its sub-agents' too."""
        session_id, parts = await run_in_threadpool(self._one, request, viewer, form)
        return await send_file(request, parts, form, _ONE.format(session_id))

    def _list(self, request: Request, viewer: Viewer, form: Form) -> Iterator[bytes]:
        look = SessionLook(self._web, viewer, read_session_query(request.query_params))
        for name, text in look.faults.items():
            raise InvalidField(text, field=name)
        return self._services.session_export.sessions(
            viewer.organization_id,
            look.filter,
            SessionSort(look.query.sort_name),
            form,
            zone=viewer.time_zone,
            member_id=own_rows(viewer),
        )

    def _one(self, request: Request, viewer: Viewer, form: Form) -> tuple[str, Iterator[bytes]]:
        row = self._services.session_reports.one(
            viewer.organization_id, request.path_params["session_id"], member_id=own_rows(viewer)
        )
        parts = self._services.session_export.requests(
            viewer.organization_id, row.session_id, form, zone=viewer.time_zone
        )
        return row.session_id, parts
