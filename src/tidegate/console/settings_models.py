"""Settings: which models the organization, a squad and a key may use, and what that comes to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.agent_marks import agent_mark
from tidegate.console.dialogs import actor_of
from tidegate.console.settings import CHANGED, SettingsView, seen
from tidegate.console.web import Web
from tidegate.core.model import Provider
from tidegate.core.policy import allows
from tidegate.services.errors import Conflict, NotFound, Refused
from tidegate.services.logins import Viewer

_PATH: Final = "/settings/models"
_SECTION: Final = "models"
_BETWEEN: Final = re.compile(r"[\s,]+")
EXAMPLES: Final = (
    ("claude-*", "every Claude model"),
    ("*-haiku-*", "the small ones of Claude"),
    ("gpt-6.?-*", "any model of GPT 6"),
)


@dataclass(frozen=True, slots=True)
class ModelList:
    """Patterns of one place, and what is left by all that hold there."""

    kind: str  # organization, squads or keys
    id: str
    title: str
    patterns: tuple[str, ...]
    allowed: list[str]  # known models
    known: int
    unknown: list[str]  # patterns that fit no known model

    @property
    def href(self) -> str:
        return f"{_PATH}/{self.kind}/{self.id}" if self.id else f"{_PATH}/{self.kind}"

    @property
    def seen(self) -> str:
        return seen(*self.patterns)


class ModelSettings:
    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._web = web
        self._services = web.services

    def routes(self) -> list[Route]:
        kinds = ("organization", "squads/{squad_id}", "keys/{key_id}")
        admin, paths = Need.ADMIN, [f"{_PATH}/{kind}" for kind in kinds]
        return [
            page(_PATH, self.show, need=admin, name="model_settings"),
            *(page(path, self.edit, need=admin, name="models_form") for path in paths),
            *(page(path, self.save, methods=["POST"], need=admin) for path in paths),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        lists = await run_in_threadpool(self._look, viewer)
        shown = [each for each in lists if each.kind != "keys" or each.patterns]
        return self._view.show(request, viewer, _SECTION, lists=shown, examples=EXAMPLES)

    async def edit(self, request: Request, viewer: Viewer) -> Response:
        return self._form(request, viewer, await self._one(request, viewer), {})

    async def save(self, request: Request, viewer: Viewer) -> Response:
        one = await self._one(request, viewer)
        try:
            await run_in_threadpool(self._set, request, viewer, one)
        except NotFound:
            raise
        except Refused as refused:
            return self._form(request, viewer, one, {refused.field: refused.message})
        return self._web.done(request, _PATH, "Saved. It holds within a second.")

    def _set(self, request: Request, viewer: Viewer, one: ModelList) -> None:
        form: dict[str, str] = request.state.form
        if form.get("seen", "") != one.seen:
            raise Conflict(CHANGED)
        patterns = _BETWEEN.split(form.get("allowed_models", ""))
        actor, organization_id = actor_of(request, viewer), viewer.organization_id
        if one.kind == "organization":
            self._services.organizations.update(
                organization_id, allowed_models=patterns, actor=actor
            )
        elif one.kind == "squads":
            self._services.squads.change(
                organization_id, one.id, allowed_models=patterns, by_role=viewer.role, actor=actor
            )
        else:
            self._services.enrolment.set_key(
                organization_id, one.id, allowed_models=patterns, actor=actor
            )

    def _form(
        self, request: Request, viewer: Viewer, one: ModelList, errors: dict[str, str]
    ) -> Response:
        typed = request.state.form if request.method == "POST" and "" not in errors else {}
        return self._view.dialog(
            request,
            viewer,
            "settings_model.html",
            home=_PATH,
            status=(409 if "" in errors else 422) if errors else 200,
            errors=errors,
            one=one,
            examples=EXAMPLES,
            text=typed.get("allowed_models", "\n".join(one.patterns)),
        )

    async def _one(self, request: Request, viewer: Viewer) -> ModelList:
        wanted = next(iter(request.path_params.values()), "")
        for each in await run_in_threadpool(self._look, viewer):
            if (each.href, each.id) == (request.url.path, wanted):
                return each
        raise NotFound("There is no such squad or key in this organization.")

    def _look(self, viewer: Viewer) -> list[ModelList]:
        """The organization's, the squads' and then every key's."""
        organization_id, services = viewer.organization_id, self._services
        known = [m.id for each in Provider for m in services.agent_models(each.value)]
        organization = services.organizations.get(organization_id)
        every = organization.allowed_models
        squads = services.squads.list(organization_id)
        of_member = {m: each.record.allowed_models for each in squads for m in each.member_ids}
        names = {m.member_id: m.name or m.email for m in services.members.list(organization_id)}
        found = [_list(("organization", "", organization.name), known, every)]
        found += [
            _list(
                ("squads", each.record.squad_id, each.record.name),
                known,
                each.record.allowed_models,
                every,
            )
            for each in squads
        ]
        for key in services.enrolment.list_keys(organization_id):
            record = key.record
            whose = names.get(record.member_id, "")
            title = f"{agent_mark(record.agent).title} of {whose}"
            others = (every, of_member.get(record.member_id, ()))
            place = ("keys", record.key_id, title)
            found.append(_list(place, known, record.allowed_models, *others))
        return found


def _list(
    place: tuple[str, str, str],
    known: Sequence[str],
    patterns: tuple[str, ...],
    *others: tuple[str, ...],
) -> ModelList:
    kind, own_id, title = place
    return ModelList(
        kind=kind,
        id=own_id,
        title=title,
        patterns=patterns,
        allowed=[model for model in known if allows(model, patterns, *others)],
        known=len(known),
        unknown=[each for each in patterns if not any(allows(m, (each,)) for m in known)],
    )
