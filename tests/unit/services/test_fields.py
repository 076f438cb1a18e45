from collections.abc import Callable

import pytest

from tidegate.services import fields
from tidegate.services.errors import InvalidField

LONG = "x" * 5000


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("Ana@Example.COM", "ana@example.com"),
        ("  ana@example.com\n", "ana@example.com"),
        ("STRASSE@x.de", "strasse@x.de"),
        ("a.b+tag@sub.example.co.uk", "a.b+tag@sub.example.co.uk"),
        ("root@localhost", "root@localhost"),
        ("用户@例子.广告", "用户@例子.广告"),
    ],
)
def test_emails_that_are_taken(text: str, stored: str) -> None:
    assert fields.email_address(text) == stored


@pytest.mark.parametrize(
    "text",
    ["", "ana", "@x.de", "ana@", "a@b@c.de", "a b@c.de", "a@b..c", "a@.b", "a@b.", "a@b\0.c",
     "<a@b.c>", "a@b.c,d@e.f", f"{LONG}@x.de", "a\u202e\ud800@x.de", f"{'x' * 65}@x.de",
     "=?utf-8?q?a=0Abcc=3Ax=40y.z?=@b.c", "a\u200bb@x.de", "a@x\u200d.de", "a\u00adb@x.de",
     "\u202eed.x@a", "\ufeffa@x.de", "a@x.de\u2066", f"{'a' * 1_000_000}@x.de"],
)  # fmt: skip
def test_emails_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidField, match="no email address") as refusal:
        fields.email_address(text)
    assert refusal.value.field == "email"
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("text", ["Acme", "  Acme ", "🚀 Ltd", "شركة", "<script>alert(1)</script>"])
def test_names_are_kept_as_given(text: str) -> None:
    assert fields.display_name(text, field="organization") == text.strip()


@pytest.mark.parametrize("text", ["", " \t", "a\nb", "a\0b", "x" * 101, "\ud800"])
def test_names_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        fields.display_name(text, field="organization")
    assert refusal.value.field == "organization"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("https://openrouter.example/api/v1", "https://openrouter.example/api/v1"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://host/proxy/anthropic", "https://host/proxy/anthropic"),
    ],
)
def test_base_urls_that_are_taken(text: str, stored: str) -> None:
    assert fields.base_url(text) == stored


@pytest.mark.parametrize(
    "text",
    ["", "api.openai.com", "ftp://x", "https://", "https://u:p@x", "https://x?a=b", "https://x#f",
     "https://x:99999", "https://x:0", "https://x y", "https://[::1", f"https://x/{LONG}", "https://ü"],
)  # fmt: skip
def test_base_urls_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidField, match="no base URL"):
        fields.base_url(text)


@pytest.mark.parametrize("text", ["", "\n", "a b", "a\r\nb", "ключ", LONG])
def test_api_keys_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidField, match="API key"):
        fields.api_key(text)


@pytest.mark.parametrize("text", ["Europe/Berlin", "Asia/Kathmandu", "UTC"])
def test_time_zones_that_are_taken(text: str) -> None:
    assert fields.time_zone(f" {text} ") == text


@pytest.mark.parametrize(
    "text", ["", "Mars/Base", "../../etc/passwd", "/etc/passwd", "Europe", "\0"]
)
def test_time_zones_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidField, match="no time zone"):
        fields.time_zone(text)


@pytest.mark.parametrize(
    ("read", "choices"),
    [
        (fields.agent, "claude_code, codex, opencode"),
        (fields.provider, "anthropic, openai"),
        (fields.credential_mode, "auto, organization, own"),
    ],
)
def test_choices_name_what_there_is(read: Callable[[str], object], choices: str) -> None:
    with pytest.raises(InvalidField, match=choices):
        read("Nonsense")


def test_model_globs() -> None:
    assert fields.model_globs(["claude-*", " ", "claude-*", " gpt-5 "]) == ("claude-*", "gpt-5")
    for refused in [["x" * 101], ["a\nb"], [f"m{i}" for i in range(101)]]:
        with pytest.raises(InvalidField):
            fields.model_globs(refused)


@pytest.mark.parametrize(
    ("text", "stored"), [("", ""), ("  ", ""), (" Ana \u202e🚀 ", "Ana \u202e🚀")]
)
def test_a_persons_name_may_be_left_out(text: str, stored: str) -> None:
    assert fields.person_name(text) == stored


@pytest.mark.parametrize("text", ["x" * 101, "a\0", "\ud800"])
def test_persons_names_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        fields.person_name(text)
    assert refusal.value.field == "name"
