"""Enrolling a member with a coding agent: the choice, and then the steps for the machine."""

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.access import Need, page
from tidegate.console.agent_marks import AgentMark, agent_mark
from tidegate.console.agent_setup import Setup
from tidegate.console.dialogs import (
    NOT_YOURS,
    Dialogs,
    Moment,
    actor_of,
    launch_name,
    person,
)
from tidegate.console.web import Web
from tidegate.core.model import Agent
from tidegate.services.enrolment import Enrolled, may_enroll
from tidegate.services.errors import Conflict, Forbidden, InvalidField, NotFound
from tidegate.services.logins import Viewer
from tidegate.store.people import MemberRecord

_ASK_AN_ADMIN = "In this organization an admin enrols coding agents. Ask one of them."


@dataclass(frozen=True)
class AgentChoice:
    """One of the agents; with a key it is enrolled already."""

    agent: AgentMark
    command: str
    key_id: str = ""
    since: Moment | None = None


class Enrol:
    def __init__(self, web: Web) -> None:
        self._dialogs = Dialogs(web)
        self._setup = Setup(web)
        self._services = web.services

    def routes(self) -> list[Route]:
        path = "/members/{member_id}/agents/new"
        return [
            page(path, self.form, need=Need.MEMBER),
            page(path, self.enrol, methods=["POST"], need=Need.MEMBER),
        ]

    async def form(self, request: Request, viewer: Viewer) -> Response:
        return await self._form(request, viewer)

    async def enrol(self, request: Request, viewer: Viewer) -> Response:
        try:
            enrolled = await run_in_threadpool(self._enrol, request, viewer)
        except (InvalidField, Conflict) as refused:
            return await self._form(request, viewer, _error(refused))
        return await self._setup.of_new_key(request, viewer, enrolled)

    async def _form(
        self, request: Request, viewer: Viewer, errors: dict[str, str] | None = None
    ) -> Response:
        member, choices = await run_in_threadpool(self._look, viewer, _id(request))
        free = [choice.agent.slug for choice in choices if not choice.key_id]
        asked = request.state.form.get("agent", "") if errors else ""
        return self._dialogs.show(
            request,
            viewer,
            "enrol.html",
            status=422 if errors else 200,
            member=person(member),
            choices=choices,
            chosen=asked if asked in free else next(iter(free), ""),
            errors=errors or {},
        )

    def _enrol(self, request: Request, viewer: Viewer) -> Enrolled:
        member = self._member(viewer, _id(request))
        return self._services.enrolment.enroll_member(
            viewer.organization_id,
            member.member_id,
            request.state.form.get("agent", ""),
            actor=actor_of(request, viewer),
        )

    def _look(self, viewer: Viewer, member_id: str) -> tuple[MemberRecord, list[AgentChoice]]:
        member = self._member(viewer, member_id)
        keys = {
            key.record.agent: key
            for key in self._services.enrolment.list_keys(viewer.organization_id)
            if key.record.member_id == member_id
        }
        choices = []
        for agent in Agent:
            choice = AgentChoice(agent_mark(agent), launch_name(agent))
            if key := keys.get(agent):
                since = self._dialogs.moment(viewer, key.created_us)
                choice = AgentChoice(choice.agent, choice.command, key.record.key_id, since)
            choices.append(choice)
        return member, choices

    def _member(self, viewer: Viewer, member_id: str) -> MemberRecord:
        """The member to be enrolled, if that is for the viewer to do."""
        member = self._services.members.get(viewer.organization_id, member_id)
        if member.removed_us:
            raise NotFound("This member was removed.")
        if not may_enroll(viewer, member_id):
            raise Forbidden(_ASK_AN_ADMIN if member_id == viewer.member_id else NOT_YOURS)
        return member


def _error(refused: InvalidField | Conflict) -> dict[str, str]:
    if isinstance(refused, Conflict):
        return {"agent": "This agent is enrolled already. Manage it, or choose another."}
    return {"agent": "Choose one of the agents."}


def _id(request: Request) -> str:
    member_id: str = request.path_params["member_id"]
    return member_id
