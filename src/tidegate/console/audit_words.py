"""The audit log in words: `Changed the role of Aiko Tanaka to admin`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tidegate.core.model import Agent
from tidegate.core.routing import PROVIDER_TITLE
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
}
_NO_MEMBERS: Final = {
    "cli": "Command line",
    "setup": "Set-up link",
    "mail": "Someone with the address",
}
_HIDDEN: Final = frozenset({"member_id", "new_password", "overlap_s"})

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
    "budget.approve": "Raised a budget by {extra_nusd} nano-USD, as {target} had asked",
    "budget.change": "Changed a budget",
    "budget.create": "Made a {window} budget for the {scope}",
    "budget.decline": "Declined a request for more of a budget: {note}",
    "budget.delete": "Deleted the {window} budget of the {scope}",
    "budget.end_raise": "Ended a raise of a budget",
    "budget.raise": "Raised a budget by {extra_nusd} nano-USD",
    "budget.request": "Asked for more of a budget: {reason}",
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
    "rate_limit.set": "Set the limits per {scope} of {target}: {requests_per_minute} requests and"
    " {tokens_per_minute} tokens a minute, {concurrent_streams} at once",
    "squad.change": "Changed a squad",
    "squad.create": "Made the squad “{name}”",
    "squad.delete": "Deleted the squad “{name}”",
    "squad.member": "Changed the squad of {target}",
}
_WITH_DETAILS: Final = frozenset(
    {"key.switch", "key.update", "organization.update", "squad.change", "budget.change"}
)


@dataclass(frozen=True)
class Names:
    """What ids are called, as far as it is still known."""

    members: Mapping[str, str]
    keys: Mapping[str, tuple[str, str]]  # agent, member

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
    told = _filled(sentence, values)
    details = details_in_words(entry.detail) if entry.action in _WITH_DETAILS else ""
    return f"{told}: {details}" if details else told


def details_in_words(detail: Mapping[str, str]) -> str:
    """`name Brightwater, time zone Europe/Berlin`."""
    shown = [
        f"{_FIELDS.get(name, name.replace('_', ' '))} {value}"
        for name, value in detail.items()
        if name not in _HIDDEN
    ]
    return ", ".join(shown)


def _filled(sentence: str, values: Mapping[str, str]) -> str:
    """The sentence; what an entry does not tell is a question mark."""
    return sentence.format_map(_Known(values))


class _Known(dict[str, str]):
    def __missing__(self, _name: str) -> str:
        return "?"
