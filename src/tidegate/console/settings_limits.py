"""Settings: how much may be asked for in a minute and at once, in all and by each key."""

from dataclasses import dataclass
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.agent_marks import agent_mark
from tidegate.console.dialogs import actor_of
from tidegate.console.formats import count
from tidegate.console.settings import CHANGED, SettingsView, seen
from tidegate.console.web import Web
from tidegate.core.budgets import EACH
from tidegate.core.limits import RateLimit
from tidegate.services.errors import Conflict, InvalidField, NotFound, Refused
from tidegate.services.logins import Viewer
from tidegate.services.rate_limits import MOST

_PATH: Final = "/settings/limits"
_SECTION: Final = "limits"
_MOST_DIGITS: Final = 15
TITLES: Final = {
    "requests_per_minute": ("Requests a minute", "requests a minute"),
    "tokens_per_minute": ("Tokens a minute", "tokens a minute"),
    "concurrent_streams": ("Answers at once", "answers at once"),
}


@dataclass(frozen=True, slots=True)
class LimitRow:
    kind: str  # organization, each-key or keys
    key_id: str
    title: str
    what: str
    limit: RateLimit

    @property
    def href(self) -> str:
        return f"{_PATH}/{self.kind}/{self.key_id}" if self.key_id else f"{_PATH}/{self.kind}"

    @property
    def values(self) -> dict[str, str]:
        """As the form shows them: nothing where there is no limit."""
        found = {name: getattr(self.limit, name) for name in TITLES}
        return {name: count(value) if value else "" for name, value in found.items()}

    @property
    def told(self) -> str:
        """`600 requests a minute, 4 answers at once`."""
        said = [f"{text} {TITLES[name][1]}" for name, text in self.values.items() if text]
        return ", ".join(said) or "No limit"

    @property
    def seen(self) -> str:
        return seen(*self.values.values())


class LimitSettings:
    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._web = web
        self._services = web.services

    def routes(self) -> list[Route]:
        admin = Need.ADMIN
        paths = [f"{_PATH}/{kind}" for kind in ("organization", "each-key", "keys/{key_id}")]
        return [
            page(_PATH, self.show, need=admin, name="limit_settings"),
            *(page(path, self.edit, need=admin, name="limits_form") for path in paths),
            *(page(path, self.save, methods=["POST"], need=admin) for path in paths),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        rows = await run_in_threadpool(self._look, viewer)
        shown = [row for row in rows if row.kind != "keys" or not row.limit.is_none]
        return self._view.show(request, viewer, _SECTION, rows=shown)

    async def edit(self, request: Request, viewer: Viewer) -> Response:
        return self._form(request, viewer, await self._one(request, viewer), {})

    async def save(self, request: Request, viewer: Viewer) -> Response:
        row = await self._one(request, viewer)
        try:
            await run_in_threadpool(self._set, request, viewer, row)
        except NotFound:
            raise
        except Refused as refused:
            return self._form(request, viewer, row, {refused.field: refused.message})
        return self._web.done(request, _PATH, "Saved. It holds within a second.")

    def _set(self, request: Request, viewer: Viewer, row: LimitRow) -> None:
        form: dict[str, str] = request.state.form
        if form.get("seen", "") != row.seen:
            raise Conflict(CHANGED)
        self._services.rate_limits.set(
            viewer.organization_id,
            scope=row.limit.scope,
            scope_id=row.limit.scope_id,
            by_role=viewer.role,
            actor=actor_of(request, viewer),
            **{name: read_limit(form.get(name, ""), name) for name in TITLES},
        )

    def _form(
        self, request: Request, viewer: Viewer, row: LimitRow, errors: dict[str, str]
    ) -> Response:
        typed = request.state.form if request.method == "POST" and "" not in errors else {}
        return self._view.dialog(
            request,
            viewer,
            "settings_limit.html",
            home=_PATH,
            status=(409 if "" in errors else 422) if errors else 200,
            errors=errors,
            row=row,
            titles=TITLES,
            values={name: typed.get(name, value) for name, value in row.values.items()},
        )

    async def _one(self, request: Request, viewer: Viewer) -> LimitRow:
        for row in await run_in_threadpool(self._look, viewer):
            if row.href == request.url.path:
                return row
        raise NotFound("There is no such key in this organization.")

    def _look(self, viewer: Viewer) -> list[LimitRow]:
        """The organization's, those of each key, then every key's own."""
        organization_id, services = viewer.organization_id, self._services
        limits = {(r.scope, r.scope_id): r for r in services.rate_limits.list(organization_id)}
        names = {m.member_id: m.name or m.email for m in services.members.list(organization_id)}

        def limit(scope: str, scope_id: str) -> RateLimit:
            none = RateLimit(organization_id=organization_id, scope=scope, scope_id=scope_id)
            return limits.get((scope, scope_id), none)

        rows = [
            LimitRow(
                "organization",
                "",
                viewer.organization_name,
                "All keys together.",
                limit("organization", ""),
            ),
            LimitRow("each-key", "", "Each key", "Every key by itself.", limit("key", EACH)),
        ]
        for key in services.enrolment.list_keys(organization_id):
            record = key.record
            title = f"{agent_mark(record.agent).title} of {names.get(record.member_id, '')}"
            own = limit("key", record.key_id)
            rows.append(LimitRow("keys", record.key_id, title, "This key alone.", own))
        return rows


def read_limit(text: str, name: str) -> int:
    """A whole number, in groups or not; nothing is no limit."""
    digits = "".join(text.replace(",", " ").replace("_", " ").split())
    if not digits:
        return 0
    fits = digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS
    if not fits or int(digits) > MOST[name]:
        raise InvalidField(
            f"Write a whole number up to {count(MOST[name])}, or leave it empty for no limit.",
            field=name,
        )
    return int(digits)
