"""The mails that Tidegate sends: an invitation, a link to sign in, a link to reset a password.

Each goes out by the mail server of the organization that it is about, so that no organization's
mail server sees a link into another one.
"""

from datetime import UTC, datetime
from urllib.parse import quote

from tidegate.core.model import Role
from tidegate.services.codes import LIFETIME_US, Purpose
from tidegate.services.invitations import Invited
from tidegate.services.letters import Letter
from tidegate.services.mail_settings import Delivery, MailSettings
from tidegate.services.organizations import Organizations
from tidegate.services.passwords import Reset, SignInLink

__all__ = ["Delivery", "Notices"]

_ROLES = {Role.OWNER: "an owner", Role.ADMIN: "an admin", Role.MEMBER: "a member"}
_UNASKED = "If you did not ask for this, you need not do anything: without the link nobody gets in."


class Notices:
    """Words and links of each mail. Sending takes seconds: not for an event loop."""

    def __init__(
        self, organizations: Organizations, settings: MailSettings, public_url: str
    ) -> None:
        self._organizations = organizations
        self._settings = settings
        self._public_url = public_url.rstrip("/")

    def invitation(self, organization_id: str, invited: Invited, inviter_name: str) -> Delivery:
        """Mail the link of an invitation to the invited address."""
        name = self._organizations.get(organization_id).name
        invitation = invited.invitation
        role = _ROLES.get(Role(invitation.role), "a member")
        letter = Letter(
            subject=f"{inviter_name} invited you to {name} on Tidegate",
            paragraphs=(
                f"{inviter_name} invited you to join {name} on Tidegate as {role}.",
                "Tidegate is the gateway between the team's coding agents and their providers.",
            ),
            label="Accept the invitation",
            link=self._link("join", invited.token),
            after=(
                f"The link works once, until {_moment(invitation.expires_us)}.",
                "If you do not know what this is about, you need not do anything.",
            ),
        )
        return self._settings.send(organization_id, invitation.email, letter)

    def reset(self, reset: Reset) -> Delivery:
        """Mail the link that sets a new password, to whom the password belongs."""
        name = reset.organization_name
        letter = Letter(
            subject=f"Set a new password for {name} on Tidegate",
            paragraphs=(f"Here is the link to set a new password for {name} on Tidegate.",),
            label="Set a new password",
            link=self._link("reset", reset.token),
            after=(f"The link works once, for {_span(Purpose.RESET)}.", _UNASKED),
        )
        return self._settings.send(reset.organization_id, reset.email, letter)

    def sign_in_link(self, link: SignInLink) -> Delivery:
        """Mail a link that signs in once, to whom it signs in."""
        name = link.organization_name
        letter = Letter(
            subject=f"Sign in to {name} on Tidegate",
            paragraphs=(f"Here is the link to sign in to {name} on Tidegate.",),
            label="Sign in",
            link=self._link("sign-in", link.token),
            after=(f"The link works once, for {_span(Purpose.SIGN_IN)}.", _UNASKED),
        )
        return self._settings.send(link.organization_id, link.email, letter)

    def _link(self, page: str, token: str) -> str:
        return f"{self._public_url}/{page}/{quote(token, safe='')}"


def _moment(at_us: int) -> str:
    at = datetime.fromtimestamp(at_us / 1_000_000, UTC)
    return f"{at.day} {at:%B %Y}, {at:%H:%M} UTC"


def _span(purpose: Purpose) -> str:
    minutes = LIFETIME_US[purpose] // 60_000_000
    return "an hour" if minutes == 60 else f"{minutes} minutes"
