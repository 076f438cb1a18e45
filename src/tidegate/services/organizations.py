"""Organizations: the tenants that own all else."""

from collections.abc import Sequence

import msgspec

from tidegate.core.model import OrganizationRecord, Role
from tidegate.services import audit, fields
from tidegate.services.audit import COMMAND_LINE, Action, Actor
from tidegate.services.codes import Purpose, make_code
from tidegate.services.errors import InvalidField, NotFound
from tidegate.services.ids import new_id
from tidegate.services.organization_changes import OrganizationChanges, refuse_taken, same_name
from tidegate.services.people_changes import ensure_member, new_member
from tidegate.store.ports import DirectoryChange


class Bootstrapped(msgspec.Struct, frozen=True):
    """A new organization, its owner, and the token of a link that signs the owner in."""

    organization_id: str
    member_id: str
    sign_in_token: str


class Organizations(OrganizationChanges):
    """Making, finding and changing organizations."""

    def bootstrap(
        self, name: str, email: str, *, time_zone: str = "UTC", actor: Actor = COMMAND_LINE
    ) -> Bootstrapped:
        """Create an organization with its owner, who may sign in once within 15 minutes."""
        zone = fields.time_zone(time_zone)
        now_us = self._clock()
        with self._directory.changing() as change:
            founded = found_organization(change, actor, now_us, name=name, email=email, zone=zone)
            token, code = make_code(
                self._subkeys.login,
                Purpose.SIGN_IN,
                now_us,
                organization_id=founded.organization_id,
                member_id=founded.member_id,
            )
            change.add_code(code)
        return Bootstrapped(founded.organization_id, founded.member_id, token)

    def exists(self) -> bool:
        """Whether there is any organization yet."""
        return bool(self.list())

    def list(self) -> list[OrganizationRecord]:
        """All organizations, oldest first."""
        with self._directory.reading() as reads:
            return reads.organizations()

    def get(self, organization_id: str) -> OrganizationRecord:
        """One organization, or NotFound."""
        with self._directory.reading() as reads:
            organization = reads.organization(organization_id)
        if organization is None:
            raise NotFound("There is no such organization.", field="organization")
        return organization

    def find(self, name_or_id: str) -> OrganizationRecord:
        """The organization of that id or name; the only one, if nothing is said."""
        organizations = self.list()
        if not organizations:
            raise NotFound(
                "There is no organization yet; make one with `tidegate admin bootstrap`."
            )
        if not name_or_id:
            if len(organizations) > 1:
                raise InvalidField("There are several organizations; choose one with --org.")
            return organizations[0]
        wanted = name_or_id.strip()
        for organization in organizations:
            if wanted == organization.organization_id or same_name(wanted, organization.name):
                return organization
        raise NotFound(f"There is no organization “{wanted}”.", field="organization")

    def update(  # noqa: PLR0913 -- by name beyond the first
        self,
        organization_id: str,
        *,
        name: str | None = None,
        time_zone: str | None = None,
        week_start: int | None = None,
        allow_own_credential: bool | None = None,
        self_enrolment: bool | None = None,
        session_tools: bool | None = None,
        allowed_models: Sequence[str] | None = None,
        actor: Actor = COMMAND_LINE,
    ) -> OrganizationRecord:
        """Change what is given. A new time zone rebuilds the rollups at the next drain."""
        changes: dict[str, object] = {}
        if name is not None:
            changes["name"] = fields.display_name(name, field="organization")
        if time_zone is not None:
            changes["time_zone"] = fields.time_zone(time_zone)
        if week_start is not None:
            if week_start not in range(1, 8):
                raise InvalidField("The week starts on a day from 1 to 7.", field="week_start")
            changes["week_start"] = week_start
        if allow_own_credential is not None:
            changes["allow_own_credential"] = allow_own_credential
        if self_enrolment is not None:
            changes["self_enrolment"] = self_enrolment
        if session_tools is not None:
            changes["session_tools"] = session_tools
        if allowed_models is not None:
            changes["allowed_models"] = fields.model_globs(allowed_models)
        return self._change(organization_id, changes, actor)


def found_organization(
    change: DirectoryChange, actor: Actor, now_us: int, *, name: str, email: str, zone: str
) -> Bootstrapped:
    """Add an organization and its owner; the token is left empty."""
    name = fields.display_name(name, field="organization")
    owner = new_member(new_id("org"), fields.email_address(email), Role.OWNER)
    refuse_taken(change, name)
    organization = OrganizationRecord(
        organization_id=owner.organization_id, name=name, time_zone=zone
    )
    change.add_organization(organization, now_us)
    detail = {"name": name, "time_zone": zone}
    action = Action("organization.create", owner.organization_id, owner.organization_id, detail)
    audit.record(change, actor, action, now_us)
    member = ensure_member(change, actor, now_us, owner)
    return Bootstrapped(owner.organization_id, member.member_id, "")
