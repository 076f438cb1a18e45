"""A message about an alert, and what each kind of channel makes of it.

Names come from people and agents: none of them can make a link, a mention or markup of a message.
"""

from enum import StrEnum
from typing import Any, Final

import msgspec

from tidegate.services.letters import Letter, one_line

_CARD: Final = "application/vnd.microsoft.card.adaptive"
_MAX_TITLE_CHARS: Final = 200
_MAX_TEXT_CHARS: Final = 2500  # Slack takes 3,000 in a section


class ChannelKind(StrEnum):
    """Where messages go."""

    EMAIL = "email"
    SLACK = "slack"
    TEAMS = "teams"
    WEBHOOK = "webhook"

    @property
    def label(self) -> str:
        """As people call it."""
        return _TITLES[self]


_TITLES: Final = {
    ChannelKind.EMAIL: "Email",
    ChannelKind.SLACK: "Slack",
    ChannelKind.TEAMS: "Microsoft Teams",
    ChannelKind.WEBHOOK: "Webhook",
}


class Event(StrEnum):
    """What a message tells."""

    FIRED = "alert.fired"
    ENDED = "alert.ended"
    REMINDER = "alert.reminder"
    DIGEST = "digest"
    TEST = "test"
    ASKED = "budget.asked"
    DECIDED = "budget.decided"


_WHY: Final = "You get this because alerts of {organization} on Tidegate are sent to you."
_OTHER_WHYS: Final = {
    Event.ASKED: "You get this because requests for more budget of {organization} on Tidegate are"
    " sent to you. Nothing is decided by opening the link.",
    Event.DECIDED: "You get this because you asked for it in {organization} on Tidegate.",
}
_OPEN: Final = "Open Tidegate"
_OTHER_LABELS: Final = {Event.ASKED: "Look at the request", Event.DECIDED: "Look at the request"}


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The alert that a message is about, for programs; money is in nano-USD."""

    id: str
    rule_id: str
    kind: str
    subject: str
    subject_name: str
    member_id: str
    threshold: int
    value: int
    amount: int
    limit: int
    fired_at: str
    ended_at: str | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is told, whatever it is told by."""

    event: str  # Event
    organization_id: str
    organization: str
    title: str
    paragraphs: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    link: str = ""
    made_at: str = ""
    alert: Subject | None = None


def letter(message: Message) -> Letter:
    """As mail."""
    facts = tuple(f"{name}: {text}" for name, text in message.facts)
    why = _OTHER_WHYS.get(Event(message.event), _WHY)
    return Letter(
        subject=one_line(message.title)[:_MAX_TITLE_CHARS],
        paragraphs=(*message.paragraphs, *facts),
        label=_label(message),
        link=message.link,
        after=(why.format(organization=message.organization),),
    )


def slack(message: Message) -> dict[str, Any]:
    """As Slack's incoming webhooks take it. Text is escaped: no mention, no link but ours."""
    title = one_line(message.title)[:_MAX_TITLE_CHARS]
    text = "\n".join([*message.paragraphs, *(f"{name}: {told}" for name, told in message.facts)])
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title[:150], "emoji": False}},
        {
            "type": "section",
            "text": {"type": "plain_text", "text": text[:_MAX_TEXT_CHARS], "emoji": False},
        },
    ]
    if message.link:
        button = {"type": "plain_text", "text": _label(message)}
        blocks.append(
            {
                "type": "actions",
                "elements": [{"type": "button", "text": button, "url": message.link}],
            }
        )
    return {"text": _slack_escaped(title), "blocks": blocks}


def teams(message: Message) -> dict[str, Any]:
    """As a Workflows webhook of Microsoft Teams takes it: an adaptive card of plain runs."""
    lines = [*message.paragraphs, *(f"{name}: {told}" for name, told in message.facts)]
    body = [_run(one_line(message.title)[:_MAX_TITLE_CHARS], heading=True)]
    body += [_run(line[:_MAX_TEXT_CHARS]) for line in lines]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if message.link:
        card["actions"] = [
            {"type": "Action.OpenUrl", "title": _label(message), "url": message.link}
        ]
    attachment = {"contentType": _CARD, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def webhook(message: Message, delivery_id: str) -> dict[str, Any]:
    """As programs take it."""
    return {
        "id": delivery_id,
        "event": message.event,
        "made_at": message.made_at,
        "organization": {"id": message.organization_id, "name": message.organization},
        "title": message.title,
        "text": "\n".join(message.paragraphs),
        "facts": dict(message.facts),
        "link": message.link,
        "alert": message.alert,
    }


def _label(message: Message) -> str:
    return _OTHER_LABELS.get(Event(message.event), _OPEN)


def _run(text: str, *, heading: bool = False) -> dict[str, Any]:
    """A line that is shown as it is: in other blocks names could be Markdown."""
    run: dict[str, Any] = {"type": "TextRun", "text": text}
    if heading:
        run |= {"weight": "Bolder", "size": "Medium"}
    return {"type": "RichTextBlock", "inlines": [run]}


def _slack_escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
