"""All that has to do with GitHub, put together."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tidegate.services.context import Clock, now_us
from tidegate.services.github import GithubConnection
from tidegate.services.github_branches import BranchLinks
from tidegate.services.github_calls import AddressRefused, GithubCalls
from tidegate.services.github_hooks import GithubHooks
from tidegate.services.github_installations import GithubInstallations
from tidegate.services.github_state import GithubStates
from tidegate.services.github_sync import GithubSync
from tidegate.services.vault import Subkeys
from tidegate.store.ports import Store

Transport = Callable[[], Any]
"""Makes what requests go out by, an httpx.BaseTransport."""


class Github(NamedTuple):
    connection: GithubConnection
    installations: GithubInstallations
    hooks: GithubHooks
    sync: GithubSync
    states: GithubStates


def no_transport() -> Any:
    """For a console that asks nobody."""
    raise AddressRefused("This server asks no GitHub")


def make_github(
    store: Store,
    subkeys: Subkeys,
    clock: Clock = now_us,
    *,
    public_url: str,
    transport: Transport = no_transport,
) -> Github:
    calls = GithubCalls(transport)
    made = (store, subkeys, clock)
    connection = GithubConnection(*made, calls=calls, public_url=public_url)
    installations = GithubInstallations(*made, connection=connection, calls=calls)
    branches = BranchLinks(store)
    return Github(
        connection=connection,
        installations=installations,
        hooks=GithubHooks(
            *made, connection=connection, installations=installations, branches=branches
        ),
        sync=GithubSync(
            *made,
            connection=connection,
            installations=installations,
            branches=branches,
            calls=calls,
        ),
        states=GithubStates(store, connection, installations, public_url),
    )
