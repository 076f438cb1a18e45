"""`tidegate admin`: administer an installation from its own machine."""

import sys
from collections.abc import Callable
from getpass import getpass
from typing import IO, Annotated, Any, Final

import typer

from tidegate.cli.admin_command import Email, Report, Task, add_command, dollars, table
from tidegate.cli.admin_keys import keys
from tidegate.cli.admin_members import members
from tidegate.cli.admin_store import copy_store
from tidegate.cli.errors import CommandError

_API_KEY_CHARS: Final = 8192
_BASE_URLS: Final = {
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com",
}

app = typer.Typer(
    help="Administer an installation from its own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
credentials = typer.Typer(help="Provider credentials of an organization.", no_args_is_help=True)
organizations = typer.Typer(help="The organization itself.", no_args_is_help=True)
app.add_typer(credentials, name="credential")
app.add_typer(keys, name="key")
app.add_typer(members, name="member")
app.add_typer(organizations, name="organization")


@app.callback()
def _root() -> None:
    """A group, even if it had one command only."""


@add_command(app, "bootstrap", may_create=True)
def bootstrap(
    task: Task,
    email: Email,
    time_zone: Annotated[
        str, typer.Option(metavar="ZONE", help="Time zone of its days, as Europe/Berlin.")
    ] = "UTC",
) -> Report:
    """Make an organization, named by --org, with its owner and a link that signs the owner in."""
    if not task.org:
        raise CommandError("Name the organization with --org.")
    made = task.admin.organizations.bootstrap(task.org, email, time_zone=time_zone)
    url = f"{task.admin.public_url}/sign-in/{made.sign_in_token}"
    fields = {"organization_id": made.organization_id, "sign_in_url": url}
    lines = [f"Made the organization {task.org}.", f"Sign in (once, within 15 minutes): {url}"]
    return Report({**fields, "member_id": made.member_id}, lines)


@add_command(app, "sign-in-link")
def sign_in_link(
    task: Task,
    email: Annotated[
        str, typer.Option(metavar="ADDRESS", help="The member's email; by default the owner's.")
    ] = "",
) -> Report:
    """Make a link that signs a member in; before there is an organization, a set-up link."""
    admin = task.admin
    if not admin.organizations.exists():
        url = f"{admin.public_url}/setup/{admin.logins.make_setup_token()}"
        line = f"Make your organization here (once, within 15 minutes): {url}"
        return Report({"setup_url": url}, [line])
    organization_id = task.organization_id
    member = (
        admin.members.by_email(organization_id, email)
        if email
        else admin.members.owner(organization_id)
    )
    token = admin.logins.make_sign_in_token(organization_id, member.member_id)
    url = f"{admin.public_url}/sign-in/{token}"
    line = f"Sign in as {member.email} (once, within 15 minutes): {url}"
    return Report({"sign_in_url": url, "email": member.email}, [line])


@add_command(app, "enroll")
def enroll(
    task: Task,
    email: Email,
    agent: Annotated[str, typer.Option(metavar="AGENT", help="claude_code, codex or opencode.")],
) -> Report:
    """Give a member, who is added if new, a key for a coding agent."""
    made = task.admin.enrolment.enroll(task.organization_id, email, agent)
    fields = {
        "key": made.key,
        "login_code": made.login_code,
        "key_id": made.key_id,
        "member_id": made.member_id,
    }
    lines = [
        f"Enrolled {email} with {agent}: {made.key_id}",
        "On the developer's machine, once, within 24 hours:",
        f"  tidegate login {task.admin.public_url} {made.login_code}",
    ]
    return Report(fields, lines)


add_command(app, "copy-store")(copy_store)


@add_command(app, "usage")
def usage(task: Task) -> Report:
    """Show all that the organization used."""
    organization_id = task.organization_id
    task.admin.drain()
    totals = task.admin.usage.totals(organization_id)
    unmetered = task.admin.unmetered()
    lines = _usage_lines(totals)
    if unmetered:
        lines.append(f"{unmetered} requests of this machine went on unmetered.")
    return Report(totals | {"unmetered": unmetered}, lines)


@add_command(credentials, "set")
def set_credential(  # noqa: PLR0913 -- options
    task: Task,
    *,
    provider: Annotated[str, typer.Option(metavar="PROVIDER", help="anthropic or openai.")],
    base_url: Annotated[
        str, typer.Option(metavar="URL", help="Of a compatible service; else the provider's own.")
    ] = "",
    api_key_stdin: Annotated[
        bool, typer.Option("--api-key-stdin", help="Read the API key from standard input.")
    ] = False,
    name: Annotated[str, typer.Option(help="To tell several apart.")] = "",
    default: Annotated[
        bool, typer.Option("--default/--no-default", help="For keys that choose none.")
    ] = True,
    price_table: Annotated[
        str,
        typer.Option(help="Price list or table for it; by default the list of a known service."),
    ] = "",
) -> Report:
    """Add a provider credential, or replace the one of that provider and name."""
    if not api_key_stdin:
        raise CommandError("Give the API key on standard input, with --api-key-stdin.")
    url = base_url or _BASE_URLS.get(provider, "")
    if not price_table and url not in _BASE_URLS.values():
        price_table = task.admin.price_table(url)
    credential_id = task.admin.credentials.set(
        task.organization_id,
        provider,
        url,
        read_api_key(sys.stdin),
        name=name,
        default=default,
        price_table=price_table,
    )
    fields = {"credential_id": credential_id, "provider": provider, "price_table": price_table}
    lines = [f"Stored the {provider} credential: {credential_id}"]
    if price_table:
        lines.append(f"Its requests are valued by the price list {price_table}.")
    return Report(fields, lines)


@add_command(credentials, "list")
def list_credentials(task: Task) -> Report:
    """List the provider credentials; secrets are never shown."""
    found = [
        {
            "credential_id": c.record.credential_id,
            "provider": c.record.provider,
            "name": c.name,
            "base_url": c.record.base_url,
            "is_default": c.record.is_default,
            "price_table": c.record.price_table,
            "hint": c.hint,
        }
        for c in task.admin.credentials.list(task.organization_id)
    ]
    rows = [
        [
            c["credential_id"],
            c["provider"],
            c["name"],
            c["base_url"],
            "yes" if c["is_default"] else "",
        ]
        for c in found
    ]
    head = ["credential", "provider", "name", "base URL", "default"]
    return Report({"credentials": found}, table(head, [[str(cell) for cell in r] for r in rows]))


@add_command(credentials, "remove")
def remove_credential(
    task: Task, credential: Annotated[str, typer.Argument(metavar="CREDENTIAL_ID")]
) -> Report:
    """Delete a provider credential; keys that chose it take the default one."""
    task.admin.credentials.remove(task.organization_id, credential)
    return Report({"credential_id": credential}, [f"Removed {credential}."])


@add_command(organizations, "update")
def update_organization(  # noqa: PLR0913 -- by name beyond the first
    task: Task,
    *,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    time_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Time zone, as Europe/Berlin.")
    ] = None,
    allow_own: Annotated[
        bool | None,
        typer.Option("--allow-own/--forbid-own", help="Own subscriptions of developers."),
    ] = None,
    self_enrolment: Annotated[
        bool | None,
        typer.Option(
            "--self-enrolment/--no-self-enrolment", help="Members may give themselves keys."
        ),
    ] = None,
    session_tools: Annotated[
        bool | None,
        typer.Option(
            "--session-tools/--no-session-tools",
            help="Agents get tools to say what their sessions are about.",
        ),
    ] = None,
    allow_model: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Allowed models; may be repeated. * allows all."),
    ] = None,
) -> Report:
    """Change what is given."""
    record = task.admin.organizations.update(
        task.organization_id,
        name=name,
        time_zone=time_zone,
        allow_own_credential=allow_own,
        self_enrolment=self_enrolment,
        session_tools=session_tools,
        allowed_models=allow_model or None,
    )
    if time_zone is not None:
        task.admin.drain()  # rebuilds hours and days in the new zone
    names = ("organization_id", "name", "time_zone", "allow_own_credential")
    switches = ("self_enrolment", "session_tools")
    fields = {name: getattr(record, name) for name in (*names, *switches)}
    fields["allowed_models"] = list(record.allowed_models)
    return Report(fields, [f"{field}: {value}" for field, value in fields.items()])


def read_api_key(stdin: IO[str], ask: Callable[[str], str] = getpass) -> str:
    """What is piped in; on a terminal one line, which is not shown."""
    return ask("API key (not shown): ") if stdin.isatty() else stdin.read(_API_KEY_CHARS)


def _usage_lines(totals: dict[str, Any]) -> list[str]:
    outcomes = ", ".join(f"{name} {count}" for name, count in totals["by_outcome"].items())
    lines = table(
        ["", "requests", "input", "output", "cache read", "cache write", "cost"],
        [
            _usage_row("total", totals),
            *(_usage_row(f"{k['email']} {k['agent']}", k) for k in totals["by_key"]),
            *(_usage_row(m["model"] or "(no model)", m) for m in totals["by_model"]),
        ],
    )
    lines.append(f"Outcomes: {outcomes or 'none'}. Sessions: {len(totals['by_session'])}.")
    if totals["subscription_cost_nusd"]:
        own = dollars(totals["subscription_cost_nusd"])
        lines.append(f"Of the cost, {own} is own subscriptions valued at list price.")
    if totals["price_unknown_models"]:
        unknown = ", ".join(totals["price_unknown_models"])
        lines.append(f"Without a known price, valued by the fallback: {unknown}")
    if totals["estimated"]:
        lines.append(f"Requests that are estimated in part: {totals['estimated']}")
    return lines


def _usage_row(name: str, sums: dict[str, Any]) -> list[str]:
    writes = sums["cache_write_5m_tokens"] + sums["cache_write_1h_tokens"]
    counts = (
        sums["requests"], sums["input_tokens"], sums["output_tokens"], sums["cache_read_tokens"],
        writes,
    )  # fmt: skip
    return [name, *(f"{count:,}" for count in counts), dollars(sums["cost_nusd"])]
