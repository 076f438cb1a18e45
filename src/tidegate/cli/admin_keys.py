"""`tidegate admin key`: the keys of coding agents."""

from typing import Annotated

import typer

from tidegate.cli.admin_command import Report, Task, add_command, table
from tidegate.cli.errors import CommandError
from tidegate.store.ports import StoredKey

keys = typer.Typer(help="Keys of coding agents.", no_args_is_help=True)

KeyId = Annotated[
    str, typer.Argument(metavar="[KEY_ID]", help="The key; or name it by --email and --agent.")
]
KeyEmail = Annotated[str, typer.Option("--email", metavar="ADDRESS", help="Whose key it is.")]
KeyAgent = Annotated[str, typer.Option("--agent", metavar="AGENT", help="Which agent's it is.")]


@add_command(keys, "list")
def list_keys(task: Task) -> Report:
    """List the keys; secrets are not shown."""
    organization_id = task.organization_id
    emails = {m.member_id: m.email for m in task.admin.members.list(organization_id)}
    task.admin.drain()
    last_used = task.admin.usage.last_used(organization_id)
    found = [
        {
            "key_id": key.record.key_id,
            "email": emails.get(key.record.member_id, ""),
            "agent": key.record.agent,
            "prefix": key.prefix,
            "credential_mode": key.record.credential_mode,
            "credential_ids": key.record.credential_ids,
            "allowed_models": list(key.record.allowed_models),
            "disabled": key.record.disabled,
            "last_used_us": last_used.get(key.record.key_id),
        }
        for key in task.admin.enrolment.list_keys(organization_id)
    ]
    rows = [
        [str(k[name]) for name in ("key_id", "email", "agent", "prefix", "credential_mode")]
        + ["disabled" if k["disabled"] else "", "used" if k["last_used_us"] else "never used"]
        for k in found
    ]
    head = ["key", "email", "agent", "begins", "credential", "", ""]
    return Report({"keys": found}, table(head, rows))


@add_command(keys, "rotate")
def rotate(
    task: Task,
    key_id: KeyId = "",
    email: KeyEmail = "",
    agent: KeyAgent = "",
    overlap: Annotated[
        int, typer.Option(metavar="SECONDS", help="How long the present secret stays valid.")
    ] = 0,
) -> Report:
    """Give a key a new secret, and make a login code for it."""
    organization_id = task.organization_id
    key = _find(task, organization_id, key_id, email, agent)
    secret = task.admin.enrolment.rotate(organization_id, key.record.key_id, overlap)
    code = task.admin.enrolment.login_code(organization_id, key.record.key_id)
    fields = {"key_id": key.record.key_id, "key": secret, "login_code": code}
    lines = [
        f"{key.record.key_id} has a new secret. On the developer's machine, within 24 hours:",
        f"  tidegate login {task.admin.public_url} {code}",
    ]
    return Report(fields, lines)


@add_command(keys, "reveal")
def reveal(task: Task, key_id: KeyId = "", email: KeyEmail = "", agent: KeyAgent = "") -> Report:
    """Show a key's secret; that it was shown goes to the audit log."""
    organization_id = task.organization_id
    key = _find(task, organization_id, key_id, email, agent)
    secret = task.admin.enrolment.reveal(organization_id, key.record.key_id)
    return Report({"key_id": key.record.key_id, "key": secret}, [secret])


@add_command(keys, "update")
def update(  # noqa: PLR0913 -- options
    task: Task,
    *,
    key_id: KeyId = "",
    email: KeyEmail = "",
    agent: KeyAgent = "",
    disable: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Refuse its requests, or not.")
    ] = None,
    credential: Annotated[
        str | None, typer.Option(metavar="MODE", help="auto, organization or own.")
    ] = None,
    allow_model: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Allowed models; may be repeated. * allows all."),
    ] = None,
    provider_credential: Annotated[
        list[str] | None,
        typer.Option(metavar="CREDENTIAL_ID", help="Credential to use; 'default' chooses none."),
    ] = None,
) -> Report:
    """Change what is given."""
    organization_id = task.organization_id
    key = _find(task, organization_id, key_id, email, agent)
    chosen = None
    if provider_credential:
        chosen = _providers(task, organization_id, provider_credential)
    record = task.admin.enrolment.set_key(
        organization_id,
        key.record.key_id,
        disabled=disable,
        credential_mode=credential,
        allowed_models=allow_model or None,
        credential_ids=chosen,
    )
    fields = {
        "key_id": record.key_id,
        "disabled": record.disabled,
        "credential_mode": record.credential_mode,
        "allowed_models": list(record.allowed_models),
        "credential_ids": record.credential_ids,
    }
    return Report(fields, [f"{field}: {value}" for field, value in fields.items()])


@add_command(keys, "unenroll")
def unenroll(task: Task, key_id: KeyId = "", email: KeyEmail = "", agent: KeyAgent = "") -> Report:
    """Delete a key for good; its usage stays under the member's name."""
    organization_id = task.organization_id
    key = _find(task, organization_id, key_id, email, agent)
    task.admin.enrolment.unenroll(organization_id, key.record.key_id)
    return Report({"key_id": key.record.key_id}, [f"Deleted {key.record.key_id}."])


def _find(task: Task, organization_id: str, key_id: str, email: str, agent: str) -> StoredKey:
    if bool(key_id) == bool(email and agent):
        raise CommandError("Name the key by its id, or by --email and --agent.")
    member_id = task.admin.members.by_email(organization_id, email).member_id if email else ""
    for key in task.admin.enrolment.list_keys(organization_id):
        record = key.record
        if record.key_id == key_id or (record.member_id, record.agent) == (member_id, agent):
            return key
    raise CommandError(f"There is no key {key_id or f'of {email} for {agent}'}.")


def _providers(task: Task, organization_id: str, credential_ids: list[str]) -> dict[str, str]:
    """The chosen credentials by their provider."""
    if credential_ids == ["default"]:
        return {}
    known = {
        c.record.credential_id: c.record.provider
        for c in task.admin.credentials.list(organization_id)
    }
    if missing := [i for i in credential_ids if i not in known]:
        raise CommandError(f"There is no credential {missing[0]} in this organization.")
    return {known[credential_id]: credential_id for credential_id in credential_ids}
