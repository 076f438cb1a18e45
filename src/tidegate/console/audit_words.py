"""The audit log in words: `Changed the role of Aiko Tanaka to admin`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tidegate.console import formats
from tidegate.console.period_text import moment_text
from tidegate.core.budget_words import hours_text
from tidegate.core.budgets import EACH, WindowKind
from tidegate.core.model import Agent
from tidegate.core.routing import PROVIDER_TITLE
from tidegate.services.audit import BEFORE
from tidegate.store.ports import AuditEntry

_AGENTS: Final[Mapping[str, str]] = {agent.value: agent.title for agent in Agent}
_PROVIDERS: Final[Mapping[str, str]] = {p.value: title for p, title in PROVIDER_TITLE.items()}
_FIELDS: Final = {
    "name": "name",
    "time_zone": "time zone",
    "week_start": "first day of the week",
    "allow_own_credential": "own credentials",
    "allowed_models": "allowed models",
    "self_enrolment": "self-enrolment",
    "session_tools": "session tools for agents",
    "ledger_days": "days of the log",
    "capture_days": "days of captures",
    "compression_level": "level of compression",
    "compression_default": "compression of new keys",
    "compression_locked": "compression decided for all keys",
    "holdout_permille": "sessions left uncompressed, in thousandths",
    "amount_nusd": "amount",
    "when_unknown": "if unknown",
    "counts_subscription": "subscriptions count",
    "requests_per_minute": "requests a minute",
    "tokens_per_minute": "tokens a minute",
    "concurrent_streams": "answers at once",
}
_NO_MEMBERS: Final = {
    "cli": "Command line",
    "setup": "Set-up link",
    "mail": "Someone with the address",
}
_HIDDEN: Final = frozenset(
    {"member_id", "new_password", "overlap_s", "of", "budget", "member", "squad"}
    | {"scope", "scope_id"}
)

GROUPS: Final = (
    ("member.", "Members"),
    ("invitation.", "Invitations"),
    ("login.", "Sign-ins"),
    ("password.", "Passwords"),
    ("key.", "Coding agents"),
    ("access_token.", "Access tokens"),
    ("credential.", "Provider credentials"),
    ("mail_settings.", "Email"),
    ("alert", "Alerts"),
    ("github_app.", "GitHub"),
    ("budget.", "Budgets"),
    ("squad.", "Squads"),
    ("rate_limit.", "Limits of rate"),
    ("organization.", "Organization"),
    ("session", "Sessions"),
)

# {target} is who or what it was done to, the rest are details of the entry.
SENTENCES: Final = {
    "access_token.create": "Made the access token “{name}”",
    "access_token.revoke": "Revoked the access token “{name}”",
    "alert.acknowledge": "Acknowledged the alert: {sentence}",
    "alert.mute": "Muted an alert: {sentence}",
    "alert.snooze": "Snoozed an alert for {hours} h: {sentence}",
    "alert.unmute": "Unmuted an alert: {sentence}",
    "alert_channel.create": "Made the alert channel “{name}” to {to}",
    "alert_channel.delete": "Removed the alert channel “{name}”",
    "alert_channel.renew_secret": "Made a new signing secret of “{name}”",
    "alert_channel.test": "Sent a test message by “{name}”",
    "alert_channel.update": "Changed the alert channel “{name}” to {to}",
    "alert_rule.create": "Made an alert rule about {kind}",
    "alert_rule.delete": "Removed an alert rule about {kind}",
    "alert_rule.update": "Changed an alert rule about {kind}",
    "alert_settings.set": "Set quiet hours of alerts: {quiet_hours}, digest: {digest}",
    "budget.approve": "Raised the budget of {of} by {extra} until {until}, as {member} asked",
    "budget.change": "Changed the budget of {of}",
    "budget.create": "Made a {limit} {window} budget of {amount} for {of}",
    "budget.decline": "Declined what {member} asked for of the budget of {of}",
    "budget.delete": "Deleted the {limit} {window} budget of {amount} for {of}",
    "budget.end_raise": "Ended the raise of the budget of {of} by {extra}, made until {was_until}",
    "budget.raise": "Raised the budget of {of} by {extra} until {until}",
    "budget.request": "Asked for {amount} more of the budget of {of}: {reason}",
    "budget.withdraw": "Took back a request for {amount} more of the budget of {of}",
    "credential.default": "Made {provider} credential “{name}” the default",
    "credential.remove": "Removed {provider} credential “{name}”",
    "credential.set": "Stored {provider} credential “{name}” for {base_url}",
    "credential.test": "Tested a provider credential",
    "github_app.connect": "Connected GitHub by the App “{name}”",
    "github_app.disconnect": "Disconnected GitHub",
    "github_app.install": "Took the GitHub account {account} into use",
    "github_app.test": "Tested the connection with GitHub",
    "invitation.accept": "Accepted the invitation of {email}",
    "invitation.create": "Invited {email} as {role}",
    "invitation.link": "Copied the invitation link of {email}",
    "invitation.resend": "Sent the invitation of {email} again",
    "invitation.withdraw": "Withdrew the invitation of {email}",
    "key.debug_off": "Ended debug mode of {target}",
    "key.debug_on": "Turned on debug mode of {target} for {hours} h",
    "key.enroll": "Enrolled {target}",
    "key.login": "Logged in on a machine with {target}",
    "key.login_code": "Made a login code for {target}",
    "key.reveal": "Revealed the key of {target}",
    "key.rotate": "Rotated the key of {target}",
    "key.switch": "Switched {target}",
    "key.unenroll": "Unenrolled {target}",
    "key.update": "Changed {target}",
    "login.create": "Signed in",
    "login.end": "Ended a login",
    "login.link": "Made a one-time link for {target}",
    "mail_settings.remove": "Removed the mail server",
    "mail_settings.set": "Set the mail server to {host}",
    "mail_settings.test": "Sent a test mail to {to}",
    "member.add": "Added {email} as {role}",
    "member.remove": "Removed {target}",
    "member.rename": "Renamed {target} to “{name}”",
    "member.role": "Changed the role of {target} to {role}",
    "organization.create": "Founded the organization “{name}”",
    "organization.update": "Changed the organization",
    "password.link": "Asked for a one-time link for {target}",
    "password.reset": "Set a new password by a link",
    "password.reset_link": "Asked for a new password for {target}",
    "password.set": "Set the password of {target}",
    "session.correct": "Corrected the {kind} of session {target}: {value}",
    "session.rename": "Renamed session {target} to “{name}”",
    "session.withdraw": "Took a correction back: the {kind} of session {target}",
    "session_share.make": "Shared session {session_id} for {days} d, hiding {hidden}",
    "session_share.revoke": "Revoked a share link of session {session_id}, looked at {views} times",
    "rate_limit.set": "Set the limits of {whose_limits}",
    "squad.change": "Changed the squad “{squad}”",
    "squad.create": "Made the squad “{name}”",
    "squad.delete": "Deleted the squad “{name}”",
    "squad.member": "Moved {target} from {from_squad} to {to_squad}",
}
_WITH_DETAILS: Final = frozenset(
    {
        "key.switch",
        "key.update",
        "organization.update",
        "squad.change",
        "budget.change",
        "budget.decline",
        "rate_limit.set",
    }
)


_WINDOWS: Final[Mapping[str, str]] = {
    WindowKind.DAY: "daily",
    WindowKind.WEEK: "weekly",
    WindowKind.MONTH: "monthly",
}
_PLAIN: Final = {"True": "yes", "False": "no", "": "none"}
_MONEY: Final = "_nusd"
_NO_LIMIT: Final = "_per_minute", "_streams"


@dataclass(frozen=True)
class Names:
    """What ids are called, as far as it is still known."""

    members: Mapping[str, str]
    keys: Mapping[str, tuple[str, str]]  # agent, member
    time_zone: str = "UTC"

    def key(self, key_id: str, detail: Mapping[str, str]) -> str:
        agent, member_id = self.keys.get(
            key_id, (detail.get("agent", ""), detail.get("member_id", ""))
        )
        title = _AGENTS.get(agent, "a coding agent that is gone")
        member = self.members.get(member_id, "")
        return f"{title} of {member}" if member else title

    def actor(self, who: str) -> str:
        """Who did something."""
        return self.members.get(who) or _NO_MEMBERS.get(who, who)

    def target(self, entry: AuditEntry) -> str:
        if entry.target.startswith("key_"):
            return self.key(entry.target, entry.detail)
        if entry.target == entry.organization_id:
            return "the organization"
        return self.members.get(entry.target, entry.target)


def in_words(entry: AuditEntry, names: Names) -> str:
    """What was done, as a sentence without a full stop."""
    sentence = SENTENCES.get(entry.action)
    if sentence is None:
        noun, _, verb = entry.action.partition(".")
        return f"{noun} {verb}: {names.target(entry)}".replace("_", " ").capitalize()
    values = entry.detail | {"target": names.target(entry)}
    values["provider"] = _PROVIDERS.get(values.get("provider", ""), "a provider's")
    values |= _budget_values(entry.detail, names)
    told = _filled(sentence, values)
    details = details_in_words(entry.detail) if entry.action in _WITH_DETAILS else ""
    return f"{told}: {details}" if details else told


def details_in_words(detail: Mapping[str, str]) -> str:
    """`name Brightwater, time zone UTC → Europe/Berlin`."""
    shown = []
    for name, value in detail.items():
        before = detail.get(f"{BEFORE}{name}")
        if name in _HIDDEN or name.startswith(BEFORE) or (before is None and not value):
            continue
        was = "" if before is None else f"{_value(name, before)} → "
        shown.append(f"{_FIELDS.get(name, name.replace('_', ' '))} {was}{_value(name, value)}")
    return ", ".join(shown)


def _value(name: str, value: str) -> str:
    if name.endswith(_MONEY) and value.isdecimal():
        return formats.exact_money(int(value))
    if name.endswith(_NO_LIMIT) and value.isdecimal():
        return formats.count(int(value)) if int(value) else "none"
    return _PLAIN.get(value, value)


def _budget_values(detail: Mapping[str, str], names: Names) -> dict[str, str]:
    """What sentences on budgets, squads and limits are made of."""

    def money(name: str) -> str:
        return _value(name, detail[name]) if name in detail else "?"

    def moment(name: str) -> str:
        text = detail.get(name, "")
        return moment_text(int(text), names.time_zone) if text.isdecimal() else "?"

    def squad(name: str) -> str:
        return f"“{detail[name]}”" if detail.get(name) else "no squad"

    window, hours = detail.get("window", "?"), detail.get("rolling_hours", "")
    until = "until_us"
    return {
        "amount": money("amount_nusd"),
        "extra": money("extra_nusd"),
        "until": moment(until),
        "was_until": moment(f"{BEFORE}{until}"),
        "limit": "hard" if detail.get("hard") == "True" else "soft",
        "window": _rolling(hours) if window == "rolling" else _WINDOWS.get(window, window),
        "member": names.members.get(detail.get("member", ""), "a member"),
        "from_squad": squad(f"{BEFORE}name"),
        "to_squad": squad("name"),
        "whose_limits": _whose_limits(detail, names),
    }


def _rolling(hours: str) -> str:
    """`24-hour`, `30-day`."""
    text = hours_text(int(hours)) if hours.isdecimal() else f"{hours} hour"
    return text.removesuffix("s").replace(" ", "-")


def _whose_limits(detail: Mapping[str, str], names: Names) -> str:
    scope_id = detail.get("scope_id", "")
    if scope_id == EACH:
        return "each key"
    return names.key(scope_id, {}) if scope_id else "the organization"


def _filled(sentence: str, values: Mapping[str, str]) -> str:
    """The sentence; what an entry does not tell is a question mark."""
    return sentence.format_map(_Known(values))


class _Known(dict[str, str]):
    def __missing__(self, _name: str) -> str:
        return "?"
