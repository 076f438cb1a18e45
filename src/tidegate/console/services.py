"""The services that the console's pages and API are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidegate.services.access_tokens import AccessTokens
from tidegate.services.alert_channels import AlertChannels
from tidegate.services.alert_delivery import AlertDelivery
from tidegate.services.alert_digest import AlertDigest
from tidegate.services.alert_readings import Readings
from tidegate.services.alert_rules import AlertRules
from tidegate.services.alert_watch import AlertWatch
from tidegate.services.alerts import Alerts
from tidegate.services.audit_log import AuditLog
from tidegate.services.budget_bars import BudgetBars
from tidegate.services.budget_requests import BudgetRequests
from tidegate.services.budget_standings import Standings
from tidegate.services.budgets import Budgets
from tidegate.services.captures import Captures
from tidegate.services.compression_report import CompressionReports
from tidegate.services.compression_settings import CompressionSettings
from tidegate.services.credential_test import CredentialTests
from tidegate.services.credentials import Credentials
from tidegate.services.enrolment import Enrolment
from tidegate.services.github_parts import Github
from tidegate.services.idempotency import Idempotency
from tidegate.services.invitations import Invitations
from tidegate.services.log_export import LogExport
from tidegate.services.logins import Logins
from tidegate.services.mail_settings import MailSettings
from tidegate.services.members import Members
from tidegate.services.notices import Notices
from tidegate.services.organizations import Organizations
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertServices:
    """What alerts are made of."""

    history: Alerts
    rules: AlertRules
    channels: AlertChannels
    readings: Readings
    watch: AlertWatch
    digest: AlertDigest
    delivery: AlertDelivery


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleServices:
    organizations: Organizations
    members: Members
    logins: Logins
    passwords: Passwords
    invitations: Invitations
    enrolment: Enrolment
    credentials: Credentials
    credential_tests: CredentialTests
    mail_settings: MailSettings
    notices: Notices
    access_tokens: AccessTokens
    idempotency: Idempotency
    audit_log: AuditLog
    usage: UsageReports
    team: TeamReports
    request_log: RequestLog
    log_export: LogExport
    retention: Retention
    compression: CompressionSettings
    compression_reports: CompressionReports
    captures: Captures
    squads: Squads
    budgets: Budgets
    budget_requests: BudgetRequests
    budget_standings: Standings
    budget_bars: BudgetBars
    rate_limits: RateLimits
    alerts: AlertServices
    github: Github
    session_reports: SessionReports
    session_changes: SessionChanges
    session_export: SessionExport
    session_calls: SessionCalls
    session_shares: SessionShares
    drain_now: Callable[[], int]  # moves spooled events to the ledger: how many
    agent_models: Callable[[str], Sequence[ModelListing]]  # of a provider
