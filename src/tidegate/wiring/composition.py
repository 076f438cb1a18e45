"""The services that a console is made of, put together in one place: the server's, and a test's."""

from collections.abc import Callable, Sequence

import msgspec

from tidegate.console.services import ConsoleServices
from tidegate.services.audit_log import AuditLog
from tidegate.services.context import Clock, now_us
from tidegate.services.credential_test import CredentialTests, Probe
from tidegate.services.credentials import Credentials
from tidegate.services.enrolment import Enrolment
from tidegate.services.idempotency import Idempotency
from tidegate.services.logins import Logins
from tidegate.services.mail import MailSender
from tidegate.services.mail_settings import MailSettings
from tidegate.services.members import Members
from tidegate.services.organizations import Organizations
from tidegate.services.price_book import ModelListing
from tidegate.services.usage import UsageReports
from tidegate.services.vault import Subkeys
from tidegate.store.ports import Store


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the services need beside the store and its keys."""

    public_url: str
    drain_now: Callable[[], int]
    agent_models: Callable[[str], Sequence[ModelListing]]
    mail_sender: MailSender
    probe: Probe  # tries provider credentials
    clock: Clock = now_us


def compose(store: Store, subkeys: Subkeys, around: Surroundings) -> ConsoleServices:
    """All services of a console."""
    made = (store, subkeys, around.clock)
    return ConsoleServices(
        organizations=Organizations(*made),
        members=Members(*made),
        logins=Logins(*made),
        enrolment=Enrolment(*made),
        credentials=Credentials(*made),
        credential_tests=CredentialTests(*made, probe=around.probe),
        mail_settings=MailSettings(*made, sender=around.mail_sender),
        idempotency=Idempotency(*made),
        audit_log=AuditLog(*made),
        usage=UsageReports(store),
        drain_now=around.drain_now,
        agent_models=around.agent_models,
    )
