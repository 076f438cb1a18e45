"""What a mail of ours says and looks like: plain text, and the same as simple HTML.

Names come from people. They are made one line of visible text before they stand in a header, and
escaped before they stand in HTML.
"""

import unicodedata
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from html import escape
from typing import Final

import msgspec

from tidegate.services.mail import MailFault, ascii_address

_INVISIBLE: Final = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
_DIRECTION: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_PARAGRAPH: Final = '<p style="margin:0 0 16px">{}</p>'
_BUTTON: Final = (
    '<p style="margin:24px 0"><a href="{link}" style="background:#18181b;color:#fafafa;'
    'padding:10px 16px;border-radius:6px;text-decoration:none">{label}</a></p>'
    '<p style="margin:0 0 16px;color:#71717a;font-size:13px">Or open this address:<br>{link}</p>'
)
_PAGE: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    '<body style="font:15px/1.5 system-ui,sans-serif;color:#18181b;max-width:560px;'
    'margin:0 auto;padding:24px">{body}</body></html>\n'
)


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A mail's words: paragraphs, a link to follow if there is one, and what comes after it."""

    subject: str
    paragraphs: tuple[str, ...]
    label: str = ""  # of the link
    link: str = ""
    after: tuple[str, ...] = ()


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """From whom to whom, and when."""

    name: str  # of the organization
    sender: str
    to: str
    at_us: int
    id: str = ""  # of the message, the same whenever it is sent again


def make_message(envelope: Envelope, letter: Letter) -> EmailMessage:
    """The message as it is sent. Raises MailFault for an address that no header can hold."""
    sender = ascii_address(envelope.sender)
    message = EmailMessage(policy=SMTP)
    message["Subject"] = _for_header(letter.subject)
    message["From"] = _address(sender, _for_header(f"{envelope.name} (Tidegate)"))
    message["To"] = _address(ascii_address(envelope.to))
    message["Date"] = format_datetime(datetime.fromtimestamp(envelope.at_us / 1_000_000, UTC))
    domain = sender.rpartition("@")[2]
    message["Message-ID"] = (
        f"<{envelope.id}@{domain}>" if envelope.id else make_msgid(domain=domain)
    )
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_text(letter), cte="quoted-printable")
    message.add_alternative(_html(letter), subtype="html", cte="quoted-printable")
    return message


def one_line(text: str) -> str:
    """One line of visible text, whatever a name holds; letters of every script stay."""
    clean = (
        " " if unicodedata.category(c) in _INVISIBLE else "" if c in _DIRECTION else c for c in text
    )
    return " ".join("".join(clean).split())


def _for_header(text: str) -> str:
    """One line without encoded words: the library would decode them, line breaks and all."""
    return one_line(text).replace("=?", "= ?")


def _address(address: str, name: str = "") -> Address:
    if "=?" in address:
        raise MailFault(f"{address} is an address that mail cannot be sent to or from.")
    local, _, domain = address.rpartition("@")
    return Address(display_name=name, username=local, domain=domain)


def _text(letter: Letter) -> str:
    link = (f"{one_line(letter.label)}:\n{letter.link}",) if letter.link else ()
    before, after = ([one_line(p) for p in part] for part in (letter.paragraphs, letter.after))
    return "\n\n".join((*before, *link, *after)) + "\n"


def _html(letter: Letter) -> str:
    before, after = (
        [_PARAGRAPH.format(escape(one_line(p))) for p in part]
        for part in (letter.paragraphs, letter.after)
    )
    link = _BUTTON.format(link=escape(letter.link), label=escape(letter.label))
    body = "".join((*before, link if letter.link else "", *after))
    return _PAGE.format(title=escape(one_line(letter.subject)), body=body)
