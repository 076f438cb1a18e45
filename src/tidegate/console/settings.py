"""What the pages of the settings share: the list of sections, dialogs, and how values look."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import Dialogs, Moment
from tidegate.console.web import SEE_OTHER, Web, is_partial
from tidegate.services.errors import Conflict, InvalidField
from tidegate.services.logins import Viewer

_SWITCH: Final = {"on": True, "off": False}
_START: Final = "/settings/organization"
CHANGED: Final = (
    "Someone else changed this in the meantime. What holds now is shown; make your change again."
)


@dataclass(frozen=True)
class Section:
    """A page of the settings."""

    name: str
    title: str
    icon: str

    @property
    def href(self) -> str:
        return f"/settings/{self.name}"


SECTIONS: Final = (
    Section("organization", "Organization", "building-2"),
    Section("providers", "Providers", "key-round"),
    Section("members", "Members", "users"),
    Section("squads", "Squads", "layout-grid"),
    Section("models", "Models", "terminal"),
    Section("limits", "Limits", "chart-column"),
    Section("access", "Sign-in", "shield"),
    Section("compression", "Compression", "minimize-2"),
    Section("email", "Email", "mail"),
    Section("github", "GitHub", "github"),
    Section("retention", "Retention", "calendar"),
    Section("audit", "Audit log", "scroll-text"),
)


class SettingsView:
    """Shows the pages and dialogs of the settings."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.services = web.services
        self._dialogs = Dialogs(web)

    def show(
        self,
        request: Request,
        viewer: Viewer,
        section: str,
        *,
        status: int = 200,
        template: str = "",
        **context: Any,
    ) -> Response:
        """The page of a section, by its template or another one."""
        chosen = next(each for each in SECTIONS if each.name == section)
        return self.web.page(
            request,
            template or f"settings_{section}.html",
            status=status,
            viewer=viewer,
            current="settings",
            sections=SECTIONS,
            section=chosen,
            **context,
        )

    def dialog(
        self, request: Request, viewer: Viewer, template: str, *, home: str, **context: Any
    ) -> Response:
        """A dialog above the page `home`, or a page of its own that leads back there."""
        context |= {"viewer": viewer, "home": home}
        if is_partial(request):
            return self.web.fragment(request, template, **context)
        return self.web.page(request, template, current=home.split("/")[1], **context)

    def confirm(
        self,
        request: Request,
        viewer: Viewer,
        question: str,
        *told: str,
        verb: str,
        home: str,
    ) -> Response:
        """Ask before something is gone. The form goes to where the question was asked."""
        return self.dialog(
            request,
            viewer,
            "dialog_confirm.html",
            home=home,
            question=question,
            told=[sentence for sentence in told if sentence],
            symbol="trash-2",
            action=request.url.path,
            back="",
            keep="Cancel",
            verb=verb,
        )

    def moment(self, viewer: Viewer, at_us: int) -> Moment:
        """A time in the organization's zone."""
        return self._dialogs.moment(viewer, at_us)


class Settings:
    """The entry of the navigation leads to the first section."""

    def routes(self) -> list[Route]:
        return [page("/settings", self.start, need=Need.ADMIN)]

    async def start(self, _request: Request, _viewer: Viewer) -> Response:
        return RedirectResponse(_START, SEE_OTHER)


def read_switch(fields: dict[str, str], name: str) -> bool:
    """What was chosen, not the opposite of what holds: a second click changes nothing."""
    chosen = _SWITCH.get(fields.get(name, ""))
    if chosen is None:
        raise InvalidField(f"The switch “{name.replace('_', ' ')}” is on or off.", field=name)
    return chosen


def seen(*values: object) -> str:
    """A mark of what a form showed when it was opened."""
    return hashlib.sha256("\0".join(str(value) for value in values).encode()).hexdigest()[:16]


def refuse_stale(fields: dict[str, str], *values: object) -> None:
    """Conflict if a form was filled in over values that hold no longer."""
    if fields.get("seen", "") != seen(*values):
        raise Conflict(CHANGED)
