"""`tidegate admin member`: the people of an organization."""

from typing import Annotated

import typer

from tidegate.cli.admin_command import Email, Report, Task, add_command, table
from tidegate.core.model import Role
from tidegate.services.audit import COMMAND_LINE
from tidegate.store.people import MemberRecord

members = typer.Typer(help="The people of an organization.", no_args_is_help=True)

GivenRole = Annotated[str, typer.Option("--role", metavar="ROLE", help="owner, admin or member.")]


@add_command(members, "list")
def list_members(task: Task) -> Report:
    """List the members and their agents."""
    organization_id = task.organization_id
    agents: dict[str, list[str]] = {}
    for key in task.admin.enrolment.list_keys(organization_id):
        agents.setdefault(key.record.member_id, []).append(key.record.agent)
    found = [
        {
            "member_id": m.member_id,
            "email": m.email,
            "name": m.name,
            "role": m.role,
            "agents": agents.get(m.member_id, []),
        }
        for m in task.admin.members.list(organization_id)
        if not m.removed_us
    ]
    rows = [[str(m["email"]), str(m["role"]), ", ".join(m["agents"])] for m in found]
    return Report({"members": found}, table(["email", "role", "agents"], rows))


@add_command(members, "add")
def add_member(task: Task, email: Email, role: GivenRole = Role.MEMBER) -> Report:
    """Add a member, who signs in by a link first: see sign-in-link."""
    member = task.admin.members.add(task.organization_id, email, role)
    return _report(member, f"{member.email} is a member, as {member.role}.")


@add_command(members, "role")
def set_role(task: Task, email: Email, role: GivenRole) -> Report:
    """Change a member's role; the last owner stays one."""
    found = task.admin.members.by_email(task.organization_id, email)
    member = task.admin.members.set_role(
        found.organization_id, found.member_id, role, by_role=Role.OWNER, actor=COMMAND_LINE
    )
    return _report(member, f"{member.email} is {member.role} now.")


@add_command(members, "remove")
def remove_member(task: Task, email: Email) -> Report:
    """Remove a member with all keys, logins and tokens; the history stays under the name."""
    member = task.admin.members.by_email(task.organization_id, email)
    task.admin.members.remove(
        member.organization_id, member.member_id, by_role=Role.OWNER, actor=COMMAND_LINE
    )
    return _report(member, f"Removed {member.email}.")


def _report(member: MemberRecord, line: str) -> Report:
    fields = {"member_id": member.member_id, "email": member.email, "role": member.role}
    return Report(fields, [line])
