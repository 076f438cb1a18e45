"""What people type in: normalised and checked, or refused with a message for that field."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tidegate.core.model import Agent, CredentialMode, Provider, Role
from tidegate.services.errors import InvalidField

_MAX_EMAIL_CHARS: Final = 254
_MAX_LOCAL_CHARS: Final = 64
_MAX_NAME_CHARS: Final = 100
_MIN_PASSWORD_CHARS: Final = 12
_MAX_PASSWORD_CHARS: Final = 256
_MIN_DISTINCT_CHARS: Final = 5
_MAX_SECRET_CHARS: Final = 4096
_MAX_URL_CHARS: Final = 500
_MAX_GLOBS: Final = 100
_EMAIL: Final = re.compile(
    r"[^\s@\"(),:;<>\[\\\]]+@[^\s@.\"(),:;<>\[\\\]]+(\.[^\s@.\"(),:;<>\[\\\]]+)*"
)
_HEADER_SAFE: Final = re.compile(r"[\x21-\x7e]+")


def email_address(text: str) -> str:
    """An email address in the form that it is stored and compared in."""
    short = text[: 2 * _MAX_EMAIL_CHARS]
    email = unicodedata.normalize("NFC", short.strip()).casefold()
    local = email.partition("@")[0]
    too_long = len(text) > len(short) or len(email) > _MAX_EMAIL_CHARS
    too_long = too_long or len(local) > _MAX_LOCAL_CHARS
    encoded = "=?" in email  # an encoded word, which mail programs would write out
    if too_long or encoded or not _EMAIL.fullmatch(email) or not _visible(email):
        raise InvalidField(
            f"{_shown(text)} is no email address; write it like name@example.com.", field="email"
        )
    return email


def display_name(text: str, *, field: str) -> str:
    """A name as given, without the space around it."""
    name = text.strip()
    if not name:
        raise InvalidField("A name is needed.", field=field)
    if len(name) > _MAX_NAME_CHARS:
        raise InvalidField(f"The name is longer than {_MAX_NAME_CHARS} characters.", field=field)
    if not _printable(name):
        raise InvalidField("The name holds control characters.", field=field)
    return name


def plain_text(text: str, *, field: str, most: int = 500) -> str:
    """A line of text, as given."""
    if len(text) > most:
        raise InvalidField(f"This is longer than {most} characters.", field=field)
    if not _printable(text):
        raise InvalidField("This holds control characters.", field=field)
    return text


def person_name(text: str) -> str:
    """A person's name, which may be left out."""
    return display_name(text, field="name") if text.strip() else ""


def role(text: str) -> Role:
    """A role by its name."""
    if text not in list(Role):
        raise InvalidField(f"{_shown(text)} is no role; {_one_of(Role)}.", field="role")
    return Role(text)


def new_password(text: str, email: str) -> str:
    """A password that someone chose, as given."""
    if len(text) < _MIN_PASSWORD_CHARS:
        sentence = f"Use at least {_MIN_PASSWORD_CHARS} characters."
    elif len(text) > _MAX_PASSWORD_CHARS:
        sentence = f"Use at most {_MAX_PASSWORD_CHARS} characters."
    elif len(set(text.casefold())) < _MIN_DISTINCT_CHARS:
        sentence = "This is too easy to guess. Use more different characters."
    elif text.casefold().strip() == email:
        sentence = "This is your email address. Use something that only you know."
    else:
        return text
    raise InvalidField(sentence, field="password")


def time_zone(text: str) -> str:
    """The name of a time zone of the IANA database."""
    name = text.strip()
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidField(
            f"{_shown(text)} is no time zone; write it like Europe/Berlin or UTC.",
            field="time_zone",
        ) from None
    return name


def agent(text: str) -> Agent:
    """A coding agent by its name."""
    if text not in list(Agent):
        raise InvalidField(f"{_shown(text)} is no agent; {_one_of(Agent)}.", field="agent")
    return Agent(text)


def provider(text: str) -> Provider:
    """A provider by its name."""
    if text not in list(Provider):
        raise InvalidField(f"{_shown(text)} is no provider; {_one_of(Provider)}.", field="provider")
    return Provider(text)


def credential_mode(text: str) -> CredentialMode:
    """A credential mode by its name."""
    if text not in list(CredentialMode):
        raise InvalidField(
            f"{_shown(text)} is no credential mode; {_one_of(CredentialMode)}.", field="credential"
        )
    return CredentialMode(text)


def base_url(text: str) -> str:
    """A provider's base URL without a slash at its end; how its path is joined is up to routing."""
    url = text.strip()
    parts = web_address(url, _MAX_URL_CHARS)
    if parts is None or parts.query:
        raise InvalidField(
            f"{_shown(text)} is no base URL; write it like https://api.example.com,"
            " without user name, query or fragment.",
            field="base_url",
        )
    return url.rstrip("/")


def web_address(url: str, most: int) -> SplitResult | None:
    """The parts of an address on the web; None without a host, with a user name or a fragment."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    plain = not parts.fragment and "@" not in parts.netloc and port != 0
    safe = len(url) <= most and _HEADER_SAFE.fullmatch(url)
    known = parts.scheme in {"http", "https"} and parts.hostname
    return parts if known and plain and safe else None


def api_key(text: str) -> str:
    """A provider's secret: one header-safe word."""
    secret = text.strip()
    if not secret:
        raise InvalidField("The API key is empty.", field="api_key")
    if len(secret) > _MAX_SECRET_CHARS or not _HEADER_SAFE.fullmatch(secret):
        raise InvalidField(
            "The API key holds spaces or characters that no API key has, or is too long.",
            field="api_key",
        )
    return secret


def model_globs(patterns: Iterable[str]) -> tuple[str, ...]:
    """Globs of allowed models, each once, in the order given."""
    globs = tuple(dict.fromkeys(p.strip() for p in patterns if p.strip()))
    if len(globs) > _MAX_GLOBS:
        raise InvalidField(f"At most {_MAX_GLOBS} model patterns.", field="allowed_models")
    for glob in globs:
        if len(glob) > _MAX_NAME_CHARS or not _printable(glob):
            raise InvalidField(f"{_shown(glob)} is no model pattern.", field="allowed_models")
    return globs


def _printable(text: str) -> bool:
    """No control characters, no lone surrogates; right-to-left text and emoji are fine."""
    return not any(unicodedata.category(c) in {"Cc", "Cs"} for c in text)


def _visible(text: str) -> bool:
    """No character that shows as nothing or turns the text around: addresses look like others."""
    return _printable(text) and not any(unicodedata.category(c) == "Cf" for c in text)


def _shown(text: str) -> str:
    shown = "".join(c if _printable(c) else "?" for c in text[:1000].strip())
    return f"“{shown[:60]}…”" if len(shown) > 60 else f"“{shown}”"


def _one_of(choices: Iterable[str]) -> str:
    return "choose one of " + ", ".join(choices)
