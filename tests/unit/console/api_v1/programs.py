"""Programs of people of every role."""

from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.browser.world import PUBLIC_URL, World

PREFIX = "/api/v1"


@dataclass
class Programs:
    """Clients of the API by who they act for; each has an access token that may write."""

    world: World
    app: Starlette
    ids: dict[str, str] = field(default_factory=dict)  # of members, by role
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)  # by role and scope

    def client(self, token: str = "") -> TestClient:
        headers = {"x-tidegate-peer": "203.0.113.7"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        return TestClient(self.app, base_url=f"{PUBLIC_URL}{PREFIX}", headers=headers)

    def token(self, member_id: str, scope: str = "write") -> str:
        """A new access token of a member."""
        made = self.world.services.access_tokens.create(
            self.world.organization_id, member_id, f"test {scope}", scope
        )
        return made.secret

    def of(self, role: str, scope: str = "write") -> TestClient:
        """A program of someone in this role."""
        if role not in self.ids:
            members = self.world.services.members
            added = members.add(self.world.organization_id, f"{role}@brightwater.dev", role)
            self.ids[role] = added.member_id
        if (role, scope) not in self.tokens:
            self.tokens[role, scope] = self.token(self.ids[role], scope)
        return self.client(self.tokens[role, scope])
