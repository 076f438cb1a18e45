"""What messages are made of names that want to be more than names; and what is told of secrets."""

import msgspec
import pytest

from tidegate.services.alert_channels import ChannelForm, ChannelSecret
from tidegate.services.alert_messages import Event, Message, letter, slack, teams, webhook
from tidegate.services.letters import Envelope, make_message

EVIL = "<!channel> <https://evil.example|x> [x](https://evil.example) *b* & \u202e"
LINK = "https://tidegate.example/alerts/alert_1"
MESSAGE = Message(
    event=Event.FIRED,
    organization_id="org_1",
    organization=f"{EVIL}\r\nBcc: eve@evil.example",
    title=f"Budget: {EVIL}\r\nBcc: eve@evil.example",
    paragraphs=(f"{EVIL} reached 80 %.",),
    facts=(("Reached", EVIL),),
    link=LINK,
)


def test_a_mail_has_no_more_headers_and_receivers() -> None:
    envelope = Envelope(
        name=MESSAGE.organization, sender="t@x.dev", to="maya@x.dev", at_us=0, id="dlv_1"
    )
    made = make_message(envelope, letter(MESSAGE))
    assert made["Bcc"] is None
    assert made["To"] == "maya@x.dev"
    assert "\n" not in made["Subject"]
    html = made.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert html.count("<a ") == 1
    assert f'href="{LINK}"' in html
    assert "<!channel>" not in html


def test_slack_shows_names_as_they_are() -> None:
    made = slack(MESSAGE)
    assert "<" not in made["text"]
    assert "&lt;!channel&gt;" in made["text"]
    *texts, buttons = made["blocks"]
    assert {block["text"]["type"] for block in texts} == {"plain_text"}
    assert [element["url"] for element in buttons["elements"]] == [LINK]


def test_teams_shows_names_as_they_are() -> None:
    [attachment] = teams(MESSAGE)["attachments"]
    card = attachment["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    runs = [run for block in card["body"] for run in block["inlines"]]
    assert {run["type"] for run in runs} == {"TextRun"}
    assert [action["url"] for action in card["actions"]] == [LINK]


@pytest.mark.parametrize("event", list(Event))
def test_every_event_has_a_form_for_every_channel(event: Event) -> None:
    long = "x" * 10_000
    message = msgspec.structs.replace(MESSAGE, event=event, title=long, paragraphs=(long,))
    assert letter(message).label
    head, section, _ = slack(message)["blocks"]
    assert len(head["text"]["text"]) <= 150
    assert len(section["text"]["text"]) <= 3000
    assert teams(message)["type"] == "message"
    assert msgspec.json.decode(msgspec.json.encode(webhook(message, "dlv_1")))["event"] == event


def test_secrets_are_not_printed() -> None:
    form = ChannelForm(kind="slack", url="https://hooks.slack.example/T0/B0/planted")
    secret = ChannelSecret(form.url, "tgw_planted")
    assert "planted" not in f"{form!r} {secret!r} {[form, secret]}"
