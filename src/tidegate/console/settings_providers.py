"""Settings: the organization's credentials at providers. A secret is never shown again."""

from dataclasses import dataclass
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import Moment, actor_of
from tidegate.console.settings import SettingsView
from tidegate.console.web import Web, is_partial
from tidegate.core.model import Provider
from tidegate.services.errors import NotFound, Refused
from tidegate.services.logins import Viewer
from tidegate.store.ports import StoredCredential

_PATH: Final = "/settings/providers"
_SECTION: Final = "providers"
PROVIDERS: Final = (
    ("anthropic", "Anthropic", "https://api.anthropic.com"),
    ("openai", "OpenAI", "https://api.openai.com"),
)
_TITLES: Final = {name: title for name, title, _ in PROVIDERS}


@dataclass(frozen=True)
class CredentialRow:
    credential_id: str
    provider: str
    title: str
    name: str
    base_url: str
    hint: str
    is_default: bool
    created: Moment


class ProviderSettings:
    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._web = web
        self._credentials = web.services.credentials
        self._tests = web.services.credential_tests

    def routes(self) -> list[Route]:
        one, admin, post = _PATH + "/{credential_id}", Need.ADMIN, ["POST"]
        return [
            page(_PATH, self.show, need=admin),
            page(_PATH + "/add", self.add_form, need=admin),
            page(_PATH + "/add", self.add, methods=post, need=admin),
            page(one + "/replace", self.replace_form, need=admin),
            page(one + "/replace", self.replace, methods=post, need=admin),
            page(one + "/default", self.make_default, methods=post, need=admin),
            page(one + "/test", self.test, methods=post, need=admin),
            page(one + "/remove", self.ask_remove, need=admin),
            page(one + "/remove", self.remove, methods=post, need=admin),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        return await self._show(request, viewer)

    async def add_form(self, request: Request, viewer: Viewer) -> Response:
        return self._add_form(request, viewer, {})

    async def add(self, request: Request, viewer: Viewer) -> Response:
        fields: dict[str, str] = request.state.form
        provider = fields.get("provider", "")
        address = fields.get("base_url", "").strip() or _usual_url(provider)
        try:
            await run_in_threadpool(
                self._credentials.add,
                viewer.organization_id,
                provider,
                address,
                fields.get("api_key", ""),
                name=fields.get("name", ""),
                actor=actor_of(request, viewer),
            )
        except Refused as refused:
            return self._add_form(request, viewer, {refused.field: refused.message})
        return self._web.done(request, _PATH, "The credential is stored. Test it once.")

    async def replace_form(self, request: Request, viewer: Viewer) -> Response:
        row = self._row(viewer, await self._get(request, viewer))
        return self._replace_form(request, viewer, row, {})

    async def replace(self, request: Request, viewer: Viewer) -> Response:
        stored = await self._get(request, viewer)
        fields: dict[str, str] = request.state.form
        try:
            await run_in_threadpool(
                self._credentials.replace,
                viewer.organization_id,
                stored.record.credential_id,
                base_url=fields.get("base_url", ""),
                api_key=fields.get("api_key", ""),
                actor=actor_of(request, viewer),
            )
        except NotFound:
            raise
        except Refused as refused:
            errors = {refused.field: refused.message}
            return self._replace_form(request, viewer, self._row(viewer, stored), errors)
        return self._web.done(request, _PATH, "The new key is in use.")

    async def make_default(self, request: Request, viewer: Viewer) -> Response:
        await run_in_threadpool(
            self._credentials.make_default,
            viewer.organization_id,
            request.path_params["credential_id"],
            actor=actor_of(request, viewer),
        )
        return self._web.done(request, _PATH, "It is the default now.", leave=True)

    async def test(self, request: Request, viewer: Viewer) -> Response:
        """Try the credential; what came of it stands at its row."""
        credential_id = request.path_params["credential_id"]
        result = await run_in_threadpool(
            self._tests.test,
            viewer.organization_id,
            credential_id,
            actor=actor_of(request, viewer),
        )
        if is_partial(request):
            return self._web.fragment(request, "settings_provider_test.html", result=result)
        return await self._show(request, viewer, results={credential_id: result})

    async def ask_remove(self, request: Request, viewer: Viewer) -> Response:
        row = self._row(viewer, await self._get(request, viewer))
        return self._view.confirm(
            request,
            viewer,
            f"Remove {row.title} credential “{row.name}”?",
            "Requests that used it fall back to the default of this provider."
            if not row.is_default
            else "It is the default: requests that used it are refused until another is chosen.",
            "The secret is deleted here. It stays valid at the provider until you revoke it there.",
            verb="Remove the credential",
            home=_PATH,
        )

    async def remove(self, request: Request, viewer: Viewer) -> Response:
        stored = await self._get(request, viewer)
        await run_in_threadpool(
            self._credentials.remove,
            viewer.organization_id,
            stored.record.credential_id,
            actor=actor_of(request, viewer),
        )
        return self._web.done(request, _PATH, f"“{stored.name}” is removed.")

    async def _get(self, request: Request, viewer: Viewer) -> StoredCredential:
        return await run_in_threadpool(
            self._credentials.get, viewer.organization_id, request.path_params["credential_id"]
        )

    async def _show(
        self, request: Request, viewer: Viewer, results: dict[str, object] | None = None
    ) -> Response:
        stored = await run_in_threadpool(self._credentials.list, viewer.organization_id)
        rows = sorted(
            (self._row(viewer, each) for each in stored),
            key=lambda row: (row.title, not row.is_default, row.name.casefold()),
        )
        return self._view.show(request, viewer, _SECTION, rows=rows, results=results or {})

    def _add_form(self, request: Request, viewer: Viewer, errors: dict[str, str]) -> Response:
        typed = request.state.form if request.method == "POST" else {}
        return self._view.dialog(
            request,
            viewer,
            "settings_provider_add.html",
            home=_PATH,
            status=422 if errors else 200,
            errors=errors,
            providers=PROVIDERS,
            values={name: typed.get(name, "") for name in ("provider", "name", "base_url")},
        )

    def _replace_form(
        self, request: Request, viewer: Viewer, row: CredentialRow, errors: dict[str, str]
    ) -> Response:
        typed = request.state.form if request.method == "POST" else {}
        return self._view.dialog(
            request,
            viewer,
            "settings_provider_replace.html",
            home=_PATH,
            status=422 if errors else 200,
            errors=errors,
            row=row,
            base_url=typed.get("base_url", row.base_url),
        )

    def _row(self, viewer: Viewer, stored: StoredCredential) -> CredentialRow:
        record = stored.record
        return CredentialRow(
            credential_id=record.credential_id,
            provider=record.provider,
            title=_TITLES[Provider(record.provider)],
            name=stored.name,
            base_url=record.base_url,
            hint=stored.hint,
            is_default=record.is_default,
            created=self._view.moment(viewer, stored.created_us),
        )


def _usual_url(provider: str) -> str:
    """The provider's own address; empty for one that is not known."""
    return next((url for name, _, url in PROVIDERS if name == provider), "")
