"""What admins are told when somebody asks for more, and what becomes of it is told to whom asked.

Admins and whom it is about get mail by the organization's mail server, whatever channels there are;
that somebody asks is also told by every channel. The links lead to pages for who is signed in:
nothing is granted by opening one.
"""

from collections.abc import Sequence

from tidegate.core.budget_words import usd, words
from tidegate.core.budgets import Budget
from tidegate.services import alert_outbox
from tidegate.services.alert_messages import Event, Message
from tidegate.services.alert_watch import utc_text
from tidegate.store.alerts import DeliveryRecord
from tidegate.store.budgets import BudgetRequestRecord
from tidegate.store.ports import DirectoryChange


def asked(
    change: DirectoryChange, request: BudgetRequestRecord, budget: Budget, public_url: str
) -> Sequence[DeliveryRecord]:
    """To the admins by mail, and by every channel that does not reach one of them again."""
    who = _name(change, request)
    message = _message(
        change,
        request,
        Event.ASKED,
        title=f"{who} asks for {usd(request.amount_nusd)} more",
        paragraphs=(
            f"{who} asks for {usd(request.amount_nusd)} more of: {words(budget)}.",
            f"Reason: {request.reason}" if request.reason else "No reason was given.",
        ),
        public_url=public_url,
    )
    source, now_us = request.request_id, request.created_us
    admins = alert_outbox.admins(change, request.organization_id)
    mails = alert_outbox.mail(change, message, source, admins, now_us=now_us)
    mailed = {entry.receiver for entry in mails}
    by_channels = alert_outbox.address(change, message, source, now_us=now_us)
    return [*mails, *(entry for entry in by_channels if entry.receiver not in mailed)]


def decided(
    change: DirectoryChange, request: BudgetRequestRecord, budget: Budget, public_url: str
) -> Sequence[DeliveryRecord]:
    """To whom asked, by mail; at once, as one who waits is told at any hour."""
    verb = "raised" if request.state == "approved" else "left as it is"
    said = [f"{words(budget)} was {verb}. You had asked for {usd(request.amount_nusd)} more."]
    if request.note:
        said.append(f"Note: {request.note}")
    title = f"Your request for {usd(request.amount_nusd)} more was {request.state}"
    message = _message(
        change, request, Event.DECIDED, title=title, paragraphs=tuple(said), public_url=public_url
    )
    member = change.member(request.organization_id, request.member_id)
    if member is None or member.removed_us:
        return ()
    source, now_us = request.request_id, request.decided_us
    return alert_outbox.mail(change, message, source, [member.email], critical=True, now_us=now_us)


def _message(
    change: DirectoryChange,
    request: BudgetRequestRecord,
    event: Event,
    *,
    title: str,
    paragraphs: tuple[str, ...],
    public_url: str,
) -> Message:
    organization = change.organization(request.organization_id)
    return Message(
        event=event,
        organization_id=request.organization_id,
        organization=organization.name if organization else "",
        title=title,
        paragraphs=paragraphs,
        link=f"{public_url.rstrip('/')}/budgets/requests/{request.request_id}",
        made_at=utc_text(request.decided_us or request.created_us),
    )


def _name(change: DirectoryChange, request: BudgetRequestRecord) -> str:
    member = change.member(request.organization_id, request.member_id)
    return (member.name or member.email) if member else "A member"
