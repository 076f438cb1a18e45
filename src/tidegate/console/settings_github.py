"""Settings → GitHub: connecting an App, where it is installed, and how it fares."""

from typing import Final
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import Moment, actor_of
from tidegate.console.middleware import policy_with_form_to
from tidegate.console.refusals import status_of
from tidegate.console.settings import SettingsView
from tidegate.console.web import SEE_OTHER, Web
from tidegate.services.errors import NotFound, Refused
from tidegate.services.github import AppForm, Begun, Tried
from tidegate.services.github_state import GithubState
from tidegate.services.logins import Viewer

_PATH: Final = "/settings/github"
_CONNECT: Final = f"{_PATH}/connect"
_SECTION: Final = "github"
_SHOWN: Final = 20  # repositories
_MOST_ID: Final = 1 << 53


class GithubSettings:
    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._web = web
        self._github = web.services.github

    def routes(self) -> list[Route]:
        admin, post = Need.ADMIN, ["POST"]
        one = _PATH + "/installations/{installation_id}"
        return [
            page(_PATH, self.show, need=admin),
            page(_CONNECT, self.connect_form, need=admin),
            page(_CONNECT, self.connect, methods=post, need=admin),
            page(_PATH + "/manifest", self.begin, methods=post, need=admin),
            page(_PATH + "/created", self.created, need=admin),
            page(_PATH + "/install", self.install, need=admin),
            page(_PATH + "/installed", self.installed, need=admin),
            page(one + "/use", self.use, methods=post, need=admin),
            page(_PATH + "/test", self.test, methods=post, need=admin),
            page(_PATH + "/refresh", self.refresh, methods=post, need=admin),
            page(_PATH + "/disconnect", self.ask_disconnect, need=admin),
            page(_PATH + "/disconnect", self.disconnect, methods=post, need=admin),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        return await self._show(request, viewer)

    # connecting

    async def connect_form(self, request: Request, viewer: Viewer) -> Response:
        return await self._connect_form(request, viewer)

    async def begin(self, request: Request, viewer: Viewer) -> Response:
        """The last page before GitHub's: it sends the manifest there."""
        fields: dict[str, str] = request.state.form
        try:
            begun = await run_in_threadpool(
                self._github.connection.begin,
                viewer.organization_id,
                viewer.member_id,
                web_url=fields.get("web_url", ""),
                owner=fields.get("owner", ""),
            )
        except Refused as refused:
            return await self._connect_form(request, viewer, refused, typed=fields)
        return self._leaving(request, viewer, begun)

    async def created(self, request: Request, viewer: Viewer) -> Response:
        """GitHub sends the browser here when the App is made."""
        query = request.query_params
        try:
            await run_in_threadpool(
                self._github.connection.finish,
                viewer.organization_id,
                viewer.member_id,
                state=query.get("state", ""),
                code=query.get("code", ""),
                actor=actor_of(request, viewer),
            )
        except Refused as refused:
            return await self._show(request, viewer, refused=refused)
        return self._web.done(request, _PATH, "The App is made. Install it now.")

    async def connect(self, request: Request, viewer: Viewer) -> Response:
        """With an App that was made by hand."""
        fields: dict[str, str] = request.state.form
        form = AppForm(
            web_url=fields.get("hand_web_url", ""),
            app_id=fields.get("app_id", ""),
            private_key=fields.get("private_key", ""),
            webhook_secret=fields.get("webhook_secret", ""),
        )
        try:
            await run_in_threadpool(
                self._github.connection.connect,
                viewer.organization_id,
                form,
                actor=actor_of(request, viewer),
            )
        except Refused as refused:
            return await self._connect_form(request, viewer, refused, typed=fields, by_hand=True)
        return self._web.done(request, _PATH, "GitHub accepts the App. Install it now.")

    # installing

    async def install(self, request: Request, viewer: Viewer) -> Response:
        """To GitHub, where repositories are chosen."""
        address = await run_in_threadpool(
            self._github.installations.begin, viewer.organization_id, viewer.member_id
        )
        return RedirectResponse(address, SEE_OTHER)

    async def installed(self, request: Request, viewer: Viewer) -> Response:
        """GitHub sends the browser here when the App is installed, or asked for."""
        query = request.query_params
        if query.get("setup_action") == "request":
            return self._web.done(request, _PATH, "Asked for. An owner on GitHub has to agree.")
        try:
            used = await run_in_threadpool(
                self._github.installations.finish,
                viewer.organization_id,
                viewer.member_id,
                installation_id=_number(query.get("installation_id", "")),
                state=query.get("state", ""),
                actor=actor_of(request, viewer),
            )
        except Refused as refused:
            return await self._show(request, viewer, refused=refused)
        told = "Installed. Repositories are being read." if used else "Installed. Use it, or not."
        return self._web.done(request, _PATH, told)

    async def use(self, request: Request, viewer: Viewer) -> Response:
        await run_in_threadpool(
            self._github.installations.approve,
            viewer.organization_id,
            _number(request.path_params["installation_id"]),
            actor=actor_of(request, viewer),
        )
        return self._web.done(request, _PATH, "Repositories are being read.", leave=True)

    # and after

    async def test(self, request: Request, viewer: Viewer) -> Response:
        tried = await run_in_threadpool(
            self._github.connection.test, viewer.organization_id, actor=actor_of(request, viewer)
        )
        return await self._show(request, viewer, tried=tried)

    async def refresh(self, request: Request, viewer: Viewer) -> Response:
        await run_in_threadpool(self._github.connection.refresh, viewer.organization_id)
        return self._web.done(request, _PATH, "GitHub is asked in a moment.", leave=True)

    async def ask_disconnect(self, request: Request, viewer: Viewer) -> Response:
        state = await self._state(viewer)
        if not state.connected:
            raise NotFound("GitHub is not connected.")
        return self._view.dialog(
            request, viewer, "settings_github_disconnect.html", home=_PATH, state=state
        )

    async def disconnect(self, request: Request, viewer: Viewer) -> Response:
        keep = request.state.form.get("forget", "") != "yes"
        await run_in_threadpool(
            self._github.connection.disconnect,
            viewer.organization_id,
            keep=keep,
            actor=actor_of(request, viewer),
        )
        return self._web.done(request, _PATH, "GitHub is disconnected.", leave=True)

    async def _state(self, viewer: Viewer) -> GithubState:
        return await run_in_threadpool(self._github.states.get, viewer.organization_id)

    async def _show(
        self,
        request: Request,
        viewer: Viewer,
        *,
        refused: Refused | None = None,
        tried: Tried | None = None,
    ) -> Response:
        state = await self._state(viewer)
        return self._view.show(
            request,
            viewer,
            _SECTION,
            status=status_of(refused) if refused else 200,
            errors={"": refused.message} if refused else {},
            state=state,
            host=urlsplit(state.web_url).netloc,
            shown=state.repositories[:_SHOWN],
            more=max(0, len(state.repositories) - _SHOWN),
            tried=tried,
            moments=self._moments(viewer, state),
        )

    async def _connect_form(
        self,
        request: Request,
        viewer: Viewer,
        refused: Refused | None = None,
        *,
        typed: dict[str, str] | None = None,
        by_hand: bool = False,
    ) -> Response:
        state = await self._state(viewer)
        if state.connected:
            return RedirectResponse(_PATH, SEE_OTHER)
        field = refused.field if refused else ""
        named = f"hand_{field}" if by_hand and field == "web_url" else field
        return self._view.show(
            request,
            viewer,
            _SECTION,
            template="settings_github_connect.html",
            status=422 if refused else 200,
            errors={named: refused.message} if refused else {},
            values=typed or {},
            by_hand=by_hand,
            state=state,
        )

    def _leaving(self, request: Request, viewer: Viewer, begun: Begun) -> Response:
        response = self._view.show(
            request,
            viewer,
            _SECTION,
            template="settings_github_leaving.html",
            begun=begun,
            host=urlsplit(begun.origin).netloc,
        )
        response.headers["content-security-policy"] = policy_with_form_to(begun.origin)
        return response

    def _moments(self, viewer: Viewer, state: GithubState) -> dict[str, Moment | None]:
        times = {
            "delivery": state.status.last_delivery_us,
            "success": state.status.last_success_us,
            "begun": state.status.last_sync_us,
            "retry": state.status.retry_us,
        }
        return {
            name: self._view.moment(viewer, at_us) if at_us else None
            for name, at_us in times.items()
        }


def _number(text: str) -> int:
    """An id of GitHub's. NotFound for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 17) or int(text) >= _MOST_ID:
        raise NotFound("There is no such installation of the App.")
    return int(text)
