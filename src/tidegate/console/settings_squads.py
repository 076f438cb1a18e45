"""Settings: squads, who is in them, and where else their name stands."""

from dataclasses import dataclass
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.dialogs import actor_of
from tidegate.console.formats import plural
from tidegate.console.settings import SettingsView, refuse_stale, seen
from tidegate.console.web import Web
from tidegate.core.budgets import Scope
from tidegate.services.errors import NotFound, Refused
from tidegate.services.logins import Viewer
from tidegate.services.squads import Squad

_PATH: Final = "/settings/squads"
_SECTION: Final = "squads"


@dataclass(frozen=True, slots=True)
class Person:
    member_id: str
    name: str
    email: str
    squad: str  # the name of the one that they are in


@dataclass(frozen=True, slots=True)
class SquadRow:
    squad_id: str
    name: str
    people: list[Person]
    models: int  # patterns of its own
    budgets: int  # that are for this squad
    seen: str


class SquadSettings:
    def __init__(self, web: Web) -> None:
        self._view = SettingsView(web)
        self._web = web
        self._services = web.services
        self._squads = web.services.squads

    def routes(self) -> list[Route]:
        one, admin, post = _PATH + "/{squad_id}", Need.ADMIN, ["POST"]
        return [
            page(_PATH, self.show, need=admin, name="squad_settings"),
            page(_PATH + "/add", self.add_form, need=admin),
            page(_PATH + "/add", self.add, methods=post, need=admin),
            page(one, self.edit, need=admin),
            page(one, self.save, methods=post, need=admin),
            page(one + "/members", self.members, need=admin),
            page(one + "/members", self.put_in, methods=post, need=admin),
            page(one + "/members/{member_id}/out", self.put_out, methods=post, need=admin),
            page(one + "/delete", self.ask_delete, need=admin),
            page(one + "/delete", self.delete, methods=post, need=admin),
        ]

    async def show(self, request: Request, viewer: Viewer) -> Response:
        rows, free = await run_in_threadpool(self._look, viewer)
        return self._view.show(request, viewer, _SECTION, rows=rows, free=len(free))

    async def add_form(self, request: Request, viewer: Viewer) -> Response:
        return self._form(request, viewer, None, {})

    async def add(self, request: Request, viewer: Viewer) -> Response:
        try:
            made = await run_in_threadpool(
                self._squads.create,
                viewer.organization_id,
                request.state.form.get("name", ""),
                by_role=viewer.role,
                actor=actor_of(request, viewer),
            )
        except Refused as refused:
            return self._form(request, viewer, None, {refused.field: refused.message})
        return self._web.done(request, _PATH, f"The squad “{made.name}” is there.")

    async def edit(self, request: Request, viewer: Viewer) -> Response:
        return self._form(request, viewer, await self._row(request, viewer), {})

    async def save(self, request: Request, viewer: Viewer) -> Response:
        row = await self._row(request, viewer)
        form: dict[str, str] = request.state.form
        try:
            refuse_stale(form, row.name)
            await run_in_threadpool(
                self._squads.change,
                viewer.organization_id,
                row.squad_id,
                name=form.get("name", ""),
                by_role=viewer.role,
                actor=actor_of(request, viewer),
            )
        except NotFound:
            raise
        except Refused as refused:
            return self._form(request, viewer, row, {refused.field: refused.message})
        return self._web.done(request, _PATH, "Saved.")

    async def members(self, request: Request, viewer: Viewer) -> Response:
        return await self._members(request, viewer)

    async def put_in(self, request: Request, viewer: Viewer) -> Response:
        """Into this squad, out of any other."""
        row = await self._row(request, viewer)
        member_id = request.state.form.get("member", "")
        return await self._place(request, viewer, member_id, row.squad_id)

    async def put_out(self, request: Request, viewer: Viewer) -> Response:
        row = await self._row(request, viewer)
        member_id = request.path_params["member_id"]
        if member_id not in {person.member_id for person in row.people}:
            raise NotFound("This member is not in the squad.")
        return await self._place(request, viewer, member_id, "")

    async def ask_delete(self, request: Request, viewer: Viewer) -> Response:
        row = await self._row(request, viewer)
        if row.budgets:
            return self._view.dialog(
                request, viewer, "settings_squad_kept.html", home=_PATH, row=row
            )
        people = len(row.people)
        return self._view.confirm(
            request,
            viewer,
            f"Delete the squad “{row.name}”?",
            f"Its {plural(people, 'member')} {'stays' if people == 1 else 'stay'}, in no squad."
            if people
            else "",
            "It has no budget of its own. Budgets for each squad do not count it any more.",
            "Its list of models ends with it." if row.models else "",
            "What was spent in it stays in the reports.",
            verb="Delete the squad",
            home=_PATH,
        )

    async def delete(self, request: Request, viewer: Viewer) -> Response:
        row = await self._row(request, viewer)
        await run_in_threadpool(
            self._squads.delete,
            viewer.organization_id,
            row.squad_id,
            by_role=viewer.role,
            actor=actor_of(request, viewer),
        )
        return self._web.done(request, _PATH, f"The squad “{row.name}” is deleted.")

    async def _place(
        self, request: Request, viewer: Viewer, member_id: str, squad_id: str
    ) -> Response:
        try:
            await run_in_threadpool(
                self._squads.place,
                viewer.organization_id,
                member_id,
                squad_id,
                by_role=viewer.role,
                actor=actor_of(request, viewer),
            )
        except NotFound as refused:
            return await self._members(request, viewer, {"member": refused.message})
        return await self._members(request, viewer, changed=True)

    async def _members(
        self,
        request: Request,
        viewer: Viewer,
        errors: dict[str, str] | None = None,
        *,
        changed: bool = False,
    ) -> Response:
        row = await self._row(request, viewer)
        rows, free = await run_in_threadpool(self._look, viewer)
        inside = {person.member_id for person in row.people}
        others = [p for each in rows for p in each.people if p.member_id not in inside]
        return self._view.dialog(
            request,
            viewer,
            "settings_squad_members.html",
            home=_PATH,
            status=422 if errors else 200,
            errors=errors or {},
            row=row,
            others=sorted(free + others, key=lambda person: person.name.casefold()),
            changed=changed,
        )

    def _form(
        self, request: Request, viewer: Viewer, row: SquadRow | None, errors: dict[str, str]
    ) -> Response:
        typed = request.state.form if request.method == "POST" else {}
        return self._view.dialog(
            request,
            viewer,
            "settings_squad.html",
            home=_PATH,
            status=(409 if "" in errors else 422) if errors else 200,
            errors=errors,
            row=row,
            name=row.name if row and "" in errors else typed.get("name", row.name if row else ""),
        )

    async def _row(self, request: Request, viewer: Viewer) -> SquadRow:
        squad_id = request.path_params["squad_id"]
        rows, _ = await run_in_threadpool(self._look, viewer)
        for row in rows:
            if row.squad_id == squad_id:
                return row
        raise NotFound("There is no such squad in this organization.")

    def _look(self, viewer: Viewer) -> tuple[list[SquadRow], list[Person]]:
        """The squads, and who is in none."""
        organization_id = viewer.organization_id
        squads = self._squads.list(organization_id)
        squad_of = {m: each.record.name for each in squads for m in each.member_ids}
        people = {
            member.member_id: Person(
                member.member_id,
                member.name or member.email,
                member.email,
                squad_of.get(member.member_id, ""),
            )
            for member in self._services.members.list(organization_id)
            if not member.removed_us
        }
        budgets = [
            budget.scope_id
            for budget in self._services.budgets.list(organization_id)
            if budget.scope == Scope.SQUAD
        ]
        rows = [_row(each, people, budgets.count(each.record.squad_id)) for each in squads]
        return rows, [person for person in people.values() if not person.squad]


def _row(squad: Squad, people: dict[str, Person], budgets: int) -> SquadRow:
    inside = [people[m] for m in squad.member_ids if m in people]
    return SquadRow(
        squad_id=squad.record.squad_id,
        name=squad.record.name,
        people=sorted(inside, key=lambda person: person.name.casefold()),
        models=len(squad.record.allowed_models),
        budgets=budgets,
        seen=seen(squad.record.name),
    )
