"""The connection with GitHub. It is made in the browser, as GitHub asks for consent there."""

import msgspec

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Call, NoBody, NoQuery
from tidegate.console.api_v1.table import get
from tidegate.console.api_v1.times import Time, time_or_none
from tidegate.services.github_state import InstallationState


class Installation(msgspec.Struct, frozen=True):
    id: int
    account: str
    repository_selection: str  # "all" or "selected"
    used: bool  # false: nothing of it is read
    suspended: bool
    repositories: int


class GithubIntegration(msgspec.Struct, frozen=True, kw_only=True):
    """`last_error` is empty after a look that succeeded."""

    connected: bool
    web_url: str
    app_id: int
    app_name: str
    webhook_url: str
    believes_webhooks: bool  # there is a secret that they are signed with
    installations: list[Installation]
    repositories: int
    last_webhook_at: Time | None
    last_success_at: Time | None
    last_error: str
    next_attempt_at: Time | None  # not before, after an error


def get_github_integration(call: Call[NoQuery, NoBody]) -> GithubIntegration:
    """How the connection with GitHub stands."""
    state = call.services.github.states.get(call.organization_id)
    status = state.status
    return GithubIntegration(
        connected=state.connected,
        web_url=state.web_url,
        app_id=state.app_id,
        app_name=state.app_name,
        webhook_url=state.hook_url,
        believes_webhooks=state.has_webhook_secret,
        installations=[_installation(each) for each in state.installations],
        repositories=len(state.repositories),
        last_webhook_at=time_or_none(status.last_delivery_us),
        last_success_at=time_or_none(status.last_success_us),
        last_error=status.last_error,
        next_attempt_at=time_or_none(status.retry_us),
    )


def _installation(each: InstallationState) -> Installation:
    return Installation(
        id=each.installation_id,
        account=each.account,
        repository_selection=each.selection,
        used=each.approved,
        suspended=each.suspended,
        repositories=each.repositories,
    )


OPERATIONS = (
    get("/integrations/github", get_github_integration, need=Need.ADMIN, tag="Integrations"),
)
