"""The services that the console's pages and API are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidegate.services.credentials import Credentials
from tidegate.services.enrolment import Enrolment
from tidegate.services.logins import Logins
from tidegate.services.members import Members
from tidegate.services.organizations import Organizations
from tidegate.services.price_book import ModelListing
from tidegate.services.usage import UsageReports


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleServices:
    organizations: Organizations
    members: Members
    logins: Logins
    enrolment: Enrolment
    credentials: Credentials
    usage: UsageReports
    drain_now: Callable[[], int]  # moves spooled events to the ledger: how many
    agent_models: Callable[[str], Sequence[ModelListing]]  # of a provider
