"""The services that a console is made of, put together in one place: the server's, and a test's."""

from collections.abc import Callable, Sequence

import msgspec

from tidegate.console.services import AlertServices, ConsoleServices
from tidegate.core.price_book import PriceBook
from tidegate.services.access_tokens import AccessTokens
from tidegate.services.alert_channels import AlertChannels
from tidegate.services.alert_delivery import AlertDelivery
from tidegate.services.alert_digest import AlertDigest
from tidegate.services.alert_readings import Readings
from tidegate.services.alert_rules import AlertRules
from tidegate.services.alert_watch import LOCAL, AlertWatch, Spool
from tidegate.services.alerts import Alerts
from tidegate.services.audit_log import AuditLog
from tidegate.services.budget_bars import BudgetBars
from tidegate.services.budget_requests import BudgetRequests
from tidegate.services.budget_standings import Standings
from tidegate.services.budgets import Budgets
from tidegate.services.captures import Captures
from tidegate.services.compression_report import CompressionReports
from tidegate.services.compression_settings import CompressionSettings
from tidegate.services.context import Clock, now_us
from tidegate.services.credential_test import CredentialTests, Probe
from tidegate.services.credentials import Credentials
from tidegate.services.enrolment import Enrolment
from tidegate.services.github_parts import Transport, make_github, no_transport
from tidegate.services.idempotency import Idempotency
from tidegate.services.invitations import Invitations
from tidegate.services.log_export import LogExport
from tidegate.services.logins import Logins
from tidegate.services.mail import MailSender
from tidegate.services.mail_settings import MailSettings
from tidegate.services.members import Members
from tidegate.services.notices import Notices
from tidegate.services.organizations import Organizations
from tidegate.services.password_hashing import STANDARD, PasswordHashing
from tidegate.services.passwords import Passwords
from tidegate.services.price_book import ModelListing
from tidegate.services.rate_limits import RateLimits
from tidegate.services.request_log import RequestLog
from tidegate.services.retention import Retention
from tidegate.services.session_calls import SessionCalls
from tidegate.services.session_changes import SessionChanges
from tidegate.services.session_export import SessionExport
from tidegate.services.session_reports import SessionReports
from tidegate.services.session_shares import SessionShares
from tidegate.services.squads import Squads
from tidegate.services.team import TeamReports
from tidegate.services.usage import UsageReports
from tidegate.services.vault import Subkeys
from tidegate.services.webhooks import WebhookSender
from tidegate.store.ports import Store


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the services need beside the store and its keys."""

    public_url: str
    drain_now: Callable[[], int]
    agent_models: Callable[[str], Sequence[ModelListing]]
    prices: Callable[[], PriceBook]
    mail_sender: MailSender
    probe: Probe  # tries provider credentials
    webhooks: WebhookSender
    spool: Spool = LOCAL
    github_transport: Transport = no_transport  # what GitHub is asked by
    clock: Clock = now_us
    hashing: PasswordHashing = STANDARD


def compose(store: Store, subkeys: Subkeys, around: Surroundings) -> ConsoleServices:
    """All services of a console."""
    made = (store, subkeys, around.clock)
    organizations = Organizations(*made)
    request_log = RequestLog(store, around.prices)
    log_export = LogExport(store, request_log)
    session_reports = SessionReports(store)
    mail_settings = MailSettings(*made, sender=around.mail_sender)
    return ConsoleServices(
        organizations=organizations,
        members=Members(*made),
        logins=Logins(*made, around.hashing),
        passwords=Passwords(*made, around.hashing),
        invitations=Invitations(*made, around.hashing),
        enrolment=Enrolment(*made),
        credentials=Credentials(*made),
        credential_tests=CredentialTests(*made, probe=around.probe),
        mail_settings=mail_settings,
        notices=Notices(organizations, mail_settings, around.public_url),
        access_tokens=AccessTokens(*made),
        idempotency=Idempotency(*made),
        audit_log=AuditLog(*made),
        usage=UsageReports(store),
        team=TeamReports(store),
        drain_now=around.drain_now,
        agent_models=around.agent_models,
        request_log=request_log,
        log_export=log_export,
        retention=Retention(*made),
        compression=CompressionSettings(*made),
        compression_reports=CompressionReports(store),
        captures=Captures(*made),
        squads=Squads(*made),
        budgets=Budgets(*made),
        budget_requests=BudgetRequests(*made, public_url=around.public_url),
        budget_standings=Standings(*made),
        budget_bars=BudgetBars(*made),
        rate_limits=RateLimits(*made),
        alerts=_alerts(store, subkeys, around, mail_settings),
        github=make_github(*made, public_url=around.public_url, transport=around.github_transport),
        session_reports=session_reports,
        session_changes=SessionChanges(*made),
        session_export=SessionExport(session_reports, log_export),
        session_calls=SessionCalls(store, around.drain_now, around.clock),
        session_shares=SessionShares(*made),
    )


def _alerts(
    store: Store, subkeys: Subkeys, around: Surroundings, mail: MailSettings
) -> AlertServices:
    made = (store, subkeys, around.clock)
    readings = Readings(store, Standings(*made))
    delivery = AlertDelivery(*made, mail=mail, webhooks=around.webhooks)
    url = around.public_url
    return AlertServices(
        history=Alerts(*made, delivery=delivery, public_url=url),
        rules=AlertRules(*made),
        channels=AlertChannels(*made),
        readings=readings,
        watch=AlertWatch(*made, readings=readings, public_url=url, spool=around.spool),
        digest=AlertDigest(*made, team=TeamReports(store), public_url=url),
        delivery=delivery,
    )
