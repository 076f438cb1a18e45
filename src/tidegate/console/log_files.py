"""`/logs/export.csv` and `.jsonl`: the rows that the log's filters show, all of them, as a file."""

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
from tidegate.console.log_query import PATH, read_log_query
from tidegate.console.log_range import choose_range, own_rows
from tidegate.console.web import Web
from tidegate.core.calendar import local_time
from tidegate.services.errors import InvalidField
from tidegate.services.log_table import FORMS, Form
from tidegate.services.logins import Viewer

_NAME: Final = "tidegate-requests-{}"


class LogFiles:
    """Members get their own rows, admins all."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._services = web.services

    def routes(self) -> list[Route]:
        return [
            page(
                f"{PATH}/export.{suffix}",
                partial(self.export, form),
                need=Need.MEMBER,
                name=f"export_{suffix}",
            )
            for suffix, form in FORMS.items()
        ]

    async def export(self, form: Form, request: Request, viewer: Viewer) -> Response:
        parts = await run_in_threadpool(self._parts, request, viewer, form)
        today = local_time(self._web.clock(), ZoneInfo(viewer.time_zone)).date()
        return await send_file(request, parts, form, _NAME.format(today.isoformat()))

    def _parts(self, request: Request, viewer: Viewer, form: Form) -> Iterator[bytes]:
        query = read_log_query(request.query_params)
        if query.faults:
            raise InvalidField(" ".join(query.faults.values()))
        chosen = choose_range(self._services.team, viewer, query, self._web.clock())
        return self._services.log_export.parts(
            viewer.organization_id,
            query.filter(chosen.start_us, chosen.end_us),
            form,
            zone=viewer.time_zone,
            member_id=own_rows(viewer),
        )
