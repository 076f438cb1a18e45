"""One of each thing that the API deals with, and what each operation is sent about it."""

from typing import Any, Final

from tests.browser.world import World

from tidegate.console.api_v1.operation import Operation
from tidegate.services.audit import Actor
from tidegate.services.mail_form import MailForm

# Bodies that nothing stands in the way of.
BODIES: Final[dict[str, Any]] = {
    "update_me": {"name": "Someone"},
    "create_access_token": {"name": "another"},
    "update_organization": {"week_start": 7},
    "update_member": {"name": "Someone"},
    "invite_member": {"email": "new@brightwater.dev"},
    "update_key": {"debug": True},
    "rotate_key": {"overlap_s": 60},
    "create_credential": {
        "provider": "openai",
        "base_url": "https://api.openai.com",
        "api_key": "sk-secret",
    },
    "replace_credential": {"base_url": "https://api.openai.com", "api_key": "sk-other"},
    "replace_mail_settings": {"host": "127.0.0.1", "port": 1, "sender": "t@brightwater.dev"},
    "test_mail_settings": {"to": "maya@brightwater.dev"},
}


class Things:
    """They belong to one member where they belong to someone."""

    def __init__(self, world: World, organization_id: str, member_id: str) -> None:
        self._world = world
        self._organization_id = organization_id
        self._member_id = member_id
        self.ids = {
            "member_id": self._leaving_member(),
            "invitation_id": self._invitation(),
            "key_id": self._key(),
            "credential_id": self._credential(),
            "login_id": self._login(),
            "token_id": self._access_token(),
        }
        form = MailForm(host="127.0.0.1", port=1, security="none", sender="t@brightwater.dev")
        world.services.mail_settings.set(organization_id, form)

    def path(self, operation: Operation) -> str:
        return operation.path.format(**self.ids)

    def body(self, operation: Operation) -> Any:
        if operation.name == "enrol_agent":
            return {"member_id": self._member_id, "agent": "opencode"}
        return BODIES.get(operation.name)

    def _leaving_member(self) -> str:
        added = self._world.services.members.add(self._organization_id, "leaving@b.dev", "member")
        return added.member_id

    def _invitation(self) -> str:
        owner = self._world.services.members.owner(self._organization_id)
        invited = self._world.services.invitations.invite(
            self._organization_id,
            "asked@b.dev",
            "member",
            by_role="owner",
            actor=Actor(owner.member_id),
        )
        return invited.invitation.invitation_id

    def _key(self) -> str:
        enrolled = self._world.services.enrolment.enroll_member(
            self._organization_id, self._member_id, "codex", actor=Actor(self._member_id)
        )
        return enrolled.key_id

    def _credential(self) -> str:
        return self._world.services.credentials.add(
            self._organization_id, "anthropic", "http://127.0.0.1:9", "sk-ant-secret"
        )

    def _login(self) -> str:
        logins = self._world.services.logins
        token = logins.make_sign_in_token(self._organization_id, self._member_id)
        logins.redeem_sign_in(token, address="203.0.113.7")
        return logins.list(self._organization_id, self._member_id)[0].login_id

    def _access_token(self) -> str:
        made = self._world.services.access_tokens.create(
            self._organization_id, self._member_id, "to end", "read"
        )
        return made.record.token_id
