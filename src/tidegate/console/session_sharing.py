"""Share links of a session: what they would show, making and revoking them; and what they show."""

import time
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import Dialogs, actor_of
from tidegate.console.limits import FailureLimit
from tidegate.console.log_range import own_rows
from tidegate.console.session_privacy import HIDDEN, ShareLine, hidden_of, hides_text, share_lines
from tidegate.console.session_query import PATH
from tidegate.console.session_rows import session_title
from tidegate.console.session_view import SessionView, correctors, session_view
from tidegate.console.web import Web, peer_of
from tidegate.core.calendar import local_time
from tidegate.services.errors import InvalidField, NotFound, Refused
from tidegate.services.logins import Viewer
from tidegate.services.session_reports import SessionRow
from tidegate.services.session_shares import DAYS, Hidden, ShareRecord

_ONE: Final = f"{PATH}/{{session_id}}"
_NOT_FOUND: Final = 404
_DEFAULT_DAYS: Final = 7
_NO_INDEX: Final = {"x-robots-tag": "noindex, nofollow", "referrer-policy": "no-referrer"}
_VIEWS: Final = 60  # at once, and in a minute, from one address


class SessionSharing:
    """Making links is for admins, and for members of their own sessions; looking for anyone."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._dialogs = Dialogs(web)
        self._services = web.services
        self._views = FailureLimit(burst=_VIEWS, per_minute=_VIEWS, clock=time.monotonic)

    def routes(self) -> list[Route]:
        share = f"{_ONE}/shares/{{share_id}}/revoke"
        return [
            page(f"{_ONE}/share", self.share_form, need=Need.MEMBER),
            page(f"{_ONE}/share", self.share, methods=["POST"], need=Need.MEMBER),
            page(f"{_ONE}/share/preview", self.share_preview, need=Need.MEMBER),
            page(share, self.confirm_revoke, need=Need.MEMBER),
            page(share, self.revoke, methods=["POST"], need=Need.MEMBER),
            page("/shared/{token}", self.shared, need=Need.ANYONE),
        ]

    async def share_form(self, request: Request, viewer: Viewer) -> Response:
        row = await run_in_threadpool(self._row, request, viewer)
        return await run_in_threadpool(self._form, request, viewer, row, Hidden(), {})

    async def share(self, request: Request, viewer: Viewer) -> Response:
        row = await run_in_threadpool(self._row, request, viewer)
        form = request.state.form
        hidden = _hidden(form)
        try:
            made = await run_in_threadpool(
                self._services.session_shares.make,
                viewer.organization_id,
                row.session_id,
                days=_days(form.get("days", "")),
                hidden=hidden,
                actor=actor_of(request, viewer),
            )
        except Refused as refused:
            errors = {refused.field if refused.field == "days" else "": refused.message}
            return await run_in_threadpool(self._form, request, viewer, row, hidden, errors)
        return self._dialogs.show(
            request,
            viewer,
            "session_share_made.html",
            path=f"{PATH}/{row.session_id}",
            url=f"{self._web.options.public_url.rstrip('/')}/shared/{made.secret}",
            expires=self._dialogs.moment(viewer, made.record.expires_us),
            hides=hides_text(made.record),
        )

    async def share_preview(self, request: Request, viewer: Viewer) -> Response:
        """Just what a link with these choices would show."""
        row = await run_in_threadpool(self._row, request, viewer)
        hidden = _hidden(dict(request.query_params))
        view = await run_in_threadpool(
            self._view, viewer.organization_id, row.session_id, viewer.time_zone, hidden
        )
        return self._web.page(
            request,
            "session_preview.html",
            viewer=viewer,
            current="sessions",
            view=view,
            row=row,
            path=f"{PATH}/{row.session_id}",
            hidden=hidden,
            kept_back=_kept_back(hidden),
            days=request.query_params.get("days", ""),
        )

    async def confirm_revoke(self, request: Request, viewer: Viewer) -> Response:
        line, row = await run_in_threadpool(self._line, request, viewer)
        return self._dialogs.show(
            request,
            viewer,
            "dialog_confirm.html",
            question="Revoke this link?",
            told=[
                f"Made by {line.maker} on {line.made.day}, {line.views}.",
                "It stops working at once, for everyone who has it. You can make another.",
            ],
            action=f"{PATH}/{row.session_id}/shares/{line.share_id}/revoke",
            symbol="link",
            back="",
            keep="Keep it",
            verb="Revoke",
        )

    async def revoke(self, request: Request, viewer: Viewer) -> Response:
        row = await run_in_threadpool(self._row, request, viewer)
        await run_in_threadpool(
            self._services.session_shares.revoke,
            viewer.organization_id,
            row.session_id,
            request.path_params["share_id"],
            actor=actor_of(request, viewer),
        )
        return self._web.done(request, f"{PATH}/{row.session_id}", "The link is revoked.")

    async def shared(self, request: Request) -> Response:
        """What a link shows. Whether it was wrong, revoked or is over is not told."""
        self._web.refuse_hurried(request)
        peer = peer_of(request)
        if wait_s := self._views.wait_s(peer):
            raise HTTPException(429, headers={"retry-after": str(wait_s)})
        self._views.failed(peer)  # counted, whether it fails or not
        found = await run_in_threadpool(self._shared, request)
        if found is None:
            self._web.failures.failed(peer)
            response: Response = self._web.page(
                request, "session_shared_gone.html", status=_NOT_FOUND
            )
        else:
            view, record, zone_name = found
            expires = local_time(record.expires_us, ZoneInfo(zone_name))
            response = self._web.page(
                request, "session_shared.html", view=view, expires=expires, zone_name=zone_name
            )
        response.headers.update(_NO_INDEX)
        return response

    # what runs beside the event loop

    def _shared(self, request: Request) -> tuple[SessionView, ShareRecord, str] | None:
        record = self._services.session_shares.open(request.path_params["token"])
        if record is None:
            return None
        organization = self._services.organizations.get(record.organization_id)
        try:
            view = self._view(
                record.organization_id, record.session_id, organization.time_zone, hidden_of(record)
            )
        except NotFound:  # its requests are older than what is kept
            return None
        if request.method == "GET":
            self._services.session_shares.viewed(record)
        return view, record, organization.time_zone

    def _view(
        self, organization_id: str, session_id: str, zone_name: str, hidden: Hidden
    ) -> SessionView:
        reports = self._services.session_reports
        detail = reports.detail(organization_id, session_id)
        people = reports.names(organization_id, correctors(detail))
        return session_view(
            detail,
            people,
            now_us=self._web.clock(),
            zone_name=zone_name,
            hidden=hidden,
            for_anyone=True,
        )

    def _row(self, request: Request, viewer: Viewer) -> SessionRow:
        return self._services.session_reports.one(
            viewer.organization_id, request.path_params["session_id"], member_id=own_rows(viewer)
        )

    def _line(self, request: Request, viewer: Viewer) -> tuple[ShareLine, SessionRow]:
        row = self._row(request, viewer)
        for line in self._lines(viewer, row):
            if line.share_id == request.path_params["share_id"]:
                return line, row
        raise NotFound("There is no such share link.")

    def _lines(self, viewer: Viewer, row: SessionRow) -> list[ShareLine]:
        """The links that are good."""
        records = self._services.session_shares.of(viewer.organization_id, row.session_id)
        return share_lines(self._dialogs, viewer, records)

    def _form(
        self,
        request: Request,
        viewer: Viewer,
        row: SessionRow,
        hidden: Hidden,
        errors: dict[str, str],
    ) -> Response:
        zone = ZoneInfo(viewer.time_zone)
        today = local_time(self._web.clock(), zone).date()
        return self._dialogs.show(
            request,
            viewer,
            "session_share.html",
            status=422 if errors else 200,
            path=f"{PATH}/{row.session_id}",
            name=session_title(row, zone, today),
            lines=self._lines(viewer, row),
            days=_DEFAULT_DAYS,
            choices=DAYS,
            hidden=hidden,
            errors=errors,
        )


def _hidden(fields: dict[str, Any]) -> Hidden:
    return Hidden(*(bool(fields.get(f"hide_{word}")) for word in HIDDEN))


def _kept_back(hidden: Hidden) -> list[str]:
    """What is not on the shared page, in words."""
    always = [
        "Prompts, answers and tool results: no link ever shows them.",
        "Ids of the session, its requests and keys, and what each error said.",
    ]
    chosen = [
        text
        for word, text in (
            ("names", "Who ran the session, and what it is called."),
            ("costs", "What it cost and what was saved, in money."),
            ("repositories", "Repository, branch, commits and pull requests."),
        )
        if getattr(hidden, word)
    ]
    return always + chosen


def _days(text: str) -> int:
    if not text.isdecimal() or len(text) > 3:
        raise InvalidField("A link lasts 1, 7 or 30 days.", field="days")
    return int(text)
