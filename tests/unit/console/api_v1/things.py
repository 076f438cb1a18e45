"""One of each thing that the API deals with, and what each operation is sent about it."""

from itertools import count
from typing import Any, Final

from tests.browser.world import World, alert_things, budget_things, squad_of

from tidegate.console.api_v1.api import TABLE
from tidegate.console.api_v1.operation import Operation
from tidegate.core.model import Cost, TokenCounts
from tidegate.services.audit import COMMAND_LINE, Actor
from tidegate.services.enrolment import Enrolled
from tidegate.services.mail_form import MailForm
from tidegate.services.session_shares import Hidden

_NUMBERS: Final = count(1)
# Bodies that nothing stands in the way of.
BODIES: Final[dict[str, Any]] = {
    "update_me": {"name": "Someone"},
    "create_access_token": {"name": "another"},
    "update_organization": {"week_start": 7},
    "update_member": {"name": "Someone"},
    "invite_member": {"email": "new@brightwater.dev"},
    "update_key": {"debug": True},
    "rotate_key": {"overlap_s": 60},
    "debug_key": {"hours": 1},
    "create_credential": {
        "provider": "openai",
        "base_url": "https://api.openai.com",
        "api_key": "sk-secret",
    },
    "replace_credential": {"base_url": "https://api.openai.com", "api_key": "sk-other"},
    "replace_mail_settings": {"host": "127.0.0.1", "port": 1, "sender": "t@brightwater.dev"},
    "update_session": {"name": "A session"},
    "correct_session_link": {"value": "fix/it"},
    "share_session": {"days": 7},
    "test_mail_settings": {"to": "maya@brightwater.dev"},
    "snooze_alert": {"hours": 1},
    "mute_alert": {"muted": True},
    "create_alert_rule": {"kind": "errors", "thresholds": [10]},
    "replace_alert_rule": {"kind": "budget", "thresholds": [90]},
    "create_alert_channel": {"kind": "webhook", "url": "http://127.0.0.1:1/"},
    "replace_alert_channel": {"kind": "slack", "name": "Ops"},
    "replace_alert_settings": {"digest": False},
    "create_budget": {"amount_nusd": 1_000_000_000},
    "update_budget": {"amount_nusd": 2_000_000_000},
    "raise_budget": {"extra_nusd": 1_000_000_000, "ends_at": "2026-12-01T00:00:00Z"},
    "create_budget_request": {"amount_nusd": 1_000_000_000, "reason": "A release"},
    "approve_budget_request": {"note": "Fine"},
    "decline_budget_request": {},
    "update_squad": {"allowed_models": ["claude-*"]},
    "replace_organization_limit": {"requests_per_minute": 1_000_000},
    "replace_each_key_limit": {"tokens_per_minute": 10_000_000},
    "replace_key_limit": {"concurrent_streams": 100},
}


class Things:
    """A new member of the role, and one of each thing; the member's own where it is someone's."""

    def __init__(self, world: World, organization_id: str, role: str = "member") -> None:
        self._world = world
        self._organization_id = organization_id
        self._name = f"{role}{next(_NUMBERS)}"
        self.member_id = self._member(self._name, role)
        self._ids: dict[str, str] = {}
        form = MailForm(host="127.0.0.1", port=1, security="none", sender="t@brightwater.dev")
        world.services.mail_settings.set(organization_id, form)

    def path(self, operation: Operation) -> str:
        return operation.path.format(**{name: self.id(name) for name in operation.parameters})

    def id(self, name: str) -> str:
        """The id of the thing, which is made when it is first asked for: a case needs few."""
        if name not in self._ids:
            self._ids |= self._made(name)
        return self._ids[name]

    def ids(self) -> dict[str, str]:
        """All there may be."""
        return {name: self.id(name) for each in TABLE for name in each.parameters}

    def _made(self, name: str) -> dict[str, str]:
        about = (self._world, self._organization_id)
        match name:
            case "member_id":
                return {name: self._member(f"leaving-{self._name}", "member")}
            case "invitation_id":
                return {name: self._invitation()}
            case "key_id":
                return {name: self._key()}
            case "credential_id":
                return {name: self._credential()}
            case "login_id":
                return {name: self._login()}
            case "token_id":
                return {name: self._access_token()}
            case "request_id":
                return {name: self._request()}
            case "session_id" | "kind" | "share_id":
                return self._session()
            case "budget_id" | "raise_id" | "budget_request_id":
                return budget_things(*about, self.member_id)
            case "squad_id":
                return {name: squad_of(*about, self.id("member_id"))}
            case _:
                return alert_things(*about, self.member_id)

    def body(self, operation: Operation) -> Any:
        if operation.name == "enrol_agent":
            return {"member_id": self.member_id, "agent": "opencode"}
        body = BODIES.get(operation.name)
        named = {"create_credential": {"name": self._name}}
        if operation.name == "create_squad":
            return {"name": self._name}
        invited = {"invite_member": {"email": f"new-{self._name}@brightwater.dev"}}
        return body and body | (named | invited).get(operation.name, {})

    def _member(self, name: str, role: str) -> str:
        members = self._world.services.members
        return members.add(self._organization_id, f"{name}@b.dev", role).member_id

    def _invitation(self) -> str:
        invited = self._world.services.invitations.invite(
            self._organization_id,
            f"asked-{self._name}@b.dev",
            "member",
            by_role="owner",
            actor=COMMAND_LINE,
        )
        return invited.invitation.invitation_id

    def _key(self) -> str:
        enrolled = self._world.services.enrolment.enroll_member(
            self._organization_id, self.member_id, "codex", actor=Actor(self.member_id)
        )
        return enrolled.key_id

    def _request(self) -> str:
        """A request of the member, with what debug mode stored of it."""
        key_id = self.id("key_id")
        enrolled = Enrolled(self.member_id, key_id, "", "")
        organization_id = self._organization_id
        [event_id] = self._world.use(
            enrolled, TokenCounts(input=1), Cost(input=1), organization_id=organization_id,
            captured=True, session_id=f"ses_{self.member_id[-32:]}",
        )  # fmt: skip
        self._world.capture(organization_id, enrolled, event_id)
        return event_id

    def _session(self) -> dict[str, str]:
        """A session of the member, corrected and shared."""
        services, actor = self._world.services, Actor(self.member_id)
        self.id("request_id")
        session_id = f"ses_{self.member_id[-32:]}"
        of = (self._organization_id, session_id)
        services.session_changes.correct(*of, "branch", "main", actor=actor)
        shared = services.session_shares.make(*of, days=7, hidden=Hidden(), actor=actor)
        return {
            "session_id": session_id,
            "kind": "branch",
            "share_id": shared.record.share_id,
        }

    def _credential(self) -> str:
        return self._world.services.credentials.add(
            self._organization_id,
            "anthropic",
            "http://127.0.0.1:9",
            "sk-ant-secret",
            name=self._name,
        )

    def _login(self) -> str:
        logins = self._world.services.logins
        token = logins.make_sign_in_token(self._organization_id, self.member_id)
        logins.redeem_sign_in(token, address="203.0.113.7")
        return logins.list(self._organization_id, self.member_id)[0].login_id

    def _access_token(self) -> str:
        made = self._world.services.access_tokens.create(
            self._organization_id, self.member_id, "to end", "read"
        )
        return made.record.token_id
