"""What mails say; no name gets into a header or into HTML as anything but a name."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import msgspec
import pytest

from tidegate.services.letters import Envelope, Letter, make_message, one_line
from tidegate.services.mail import MailFault

AT_US = 1_795_348_800_000_000  # 22 Nov 2026, 12:00 UTC
ENVELOPE = Envelope(
    name="Brightwater", sender="noreply@brightwater.dev", to="ada@example.com", at_us=AT_US
)
LETTER = Letter(
    subject="Join us",
    paragraphs=("Maya invited you.",),
    label="Accept the invitation",
    link="https://tidegate.example/join/inv_1.ab",
    after=("It works once.",),
)


def sent(letter: Letter = LETTER, envelope: Envelope = ENVELOPE) -> EmailMessage:
    """The message as a mail program reads it."""
    message = message_from_bytes(make_message(envelope, letter).as_bytes(), policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


def test_plain_text_first_and_the_same_in_html() -> None:
    message = sent()
    assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html"]
    assert part(message, "plain") == (
        "Maya invited you.\n\nAccept the invitation:\nhttps://tidegate.example/join/inv_1.ab\n\n"
        "It works once.\n"
    )
    page = part(message, "html")
    assert page.count('href="https://tidegate.example/join/inv_1.ab"') == 1
    assert "<title>Join us</title>" in page


def test_headers() -> None:
    message = sent()
    assert sorted(message.keys()) == [
        "Auto-Submitted",
        "Content-Type",
        "Date",
        "From",
        "MIME-Version",
        "Message-ID",
        "Subject",
        "To",
    ]
    assert message["From"] == '"Brightwater (Tidegate)" <noreply@brightwater.dev>'
    assert message["Date"] == "Sun, 22 Nov 2026 12:00:00 +0000"
    assert message["Message-ID"].endswith("@brightwater.dev>")


@pytest.mark.parametrize(
    "name",
    [
        "Evil\r\nBcc: everyone@example.com",
        "Evil\nBcc: everyone@example.com",
        "Evil\x85Bcc: everyone@example.com",
        "Evil\u2028Bcc: everyone@example.com",
        "Evil\u2029\x0b\x0c\x1c\x00Bcc: everyone@example.com",
        'Evil" <everyone@example.com>, "Bcc: everyone@example.com',
        "=?utf-8?q?Evil=0ABcc:_everyone@example.com?=",
    ],
)
def test_a_name_adds_no_header_and_no_recipient(name: str) -> None:
    envelope = Envelope(
        name=name, sender="noreply@brightwater.dev", to="ada@example.com", at_us=AT_US
    )
    letter = Letter(subject=f"{name} invited you", paragraphs=(name,))
    message = sent(letter, envelope)
    assert len(message.keys()) == len(sent().keys())
    assert message["Bcc"] is None
    assert [a.addr_spec for a in message["From"].addresses] == ["noreply@brightwater.dev"]
    assert message["To"] == "ada@example.com"


@pytest.mark.parametrize("field", ["sender", "to"])
def test_an_address_adds_no_header(field: str) -> None:
    address = "=?utf-8?q?a=0abcc=3ax=40y.z?=@example.com"
    envelope = msgspec.structs.replace(ENVELOPE, **{field: address})
    with pytest.raises(MailFault, match="cannot be sent"):
        make_message(envelope, LETTER)


def test_a_name_is_no_html() -> None:
    name = '<script>alert("1")</script>&amp;'
    page = part(sent(Letter(subject=name, paragraphs=(name,), after=(name,))), "html")
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;") == 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("משה  לוי 🌊", "משה לוי 🌊"),
        ("👩‍💻 Ada", "👩‍💻 Ada"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("\t a\x00b\n", "a b"),
        ("", ""),
    ],
)
def test_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_names_of_every_script_arrive() -> None:
    name = "Тихая вода 🌊 משה"
    envelope = Envelope(name=name, sender="noreply@bücher.example", to="ada@x.dev", at_us=AT_US)
    message = sent(Letter(subject=name * 8, paragraphs=(name,)), envelope)
    assert message["Subject"] == name * 8
    assert message["From"].addresses[0].display_name == f"{name} (Tidegate)"
    assert message["From"].addresses[0].domain == "xn--bcher-kva.example"
    assert part(message, "plain") == name + "\n"
    assert all(len(line) < 999 for line in message.as_bytes().splitlines())
