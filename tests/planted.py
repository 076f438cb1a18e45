"""Secrets of every known form, written down apart from the program that has to find them.

None of them is or was anybody's.
"""

import json
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

_BODY: Final = "Zr4Tq8Wm1Kx7Lb3Nc9Vd5Hf2Jg6Ps0Qa4We8Rt2Yu6I"
_BASE64: Final = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"

PLANTED: Final[dict[str, tuple[str, ...]]] = {
    "tidegate-key": (f"tg_{_BODY}",),
    "tidegate-token": (f"tgp_{_BODY}",),
    "tidegate-login": (f"tidegate_login={_BODY}",),
    "tidegate-code": ("7QW2-K9TD-3HXM-5RJN-8VBC",),
    "tidegate-link": (
        f"https://tidegate.example/sign-in/{_BODY}",
        f"https://tidegate.example/setup/{_BODY}",
        f"https://tidegate.example/reset/{_BODY}",
        f"https://tidegate.example/join/inv_0190a1b2c3d47e5f8a9b0c1d2e3f4a5b.{_BODY}",
    ),
    "anthropic-key": (
        f"sk-ant-api03-{_BODY}-{_BODY}AA",
        f"sk-ant-oat01-{_BODY}_x-AA",
        f"sk-ant-admin01-{_BODY}",
    ),
    "openai-key": (
        "sk-Qm4T8xW2k9Lr5Nc7T3BlbkFJ1Vd6Hf3Jg0Ps4Qa8We2Rt6Y",
        f"sk-proj-{_BODY}_T3BlbkFJ-{_BODY}",
        f"sk-svcacct-{_BODY}",
        f"sk-admin-{_BODY}",
    ),
    "aws-key-id": ("AKIA7QWERTY4ZXCV2BNM", "ASIA7QWERTY4ZXCV2BNM"),
    "aws-secret": (
        "aws_secret_access_key = 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",
        "AWS_SECRET_ACCESS_KEY=wJa1rXUtnFEMI/K7MDENG+bPxRfiCYzQ9tLm4Kxw",
        '"SecretAccessKey": "wJa1rXUtnFEMI/K7MDENG+bPxRfiCYzQ9tLm4Kxw"',
    ),
    "github-token": (
        "ghp_Zr4Tq8Wm1Kx7Lb3Nc9Vd5Hf2Jg6Ps0Qa4We8",
        "gho_Zr4Tq8Wm1Kx7Lb3Nc9Vd5Hf2Jg6Ps0Qa4We8",
        "ghu_Zr4Tq8Wm1Kx7Lb3Nc9Vd5Hf2Jg6Ps0Qa4We8",
        "ghs_Zr4Tq8Wm1Kx7Lb3Nc9Vd5Hf2Jg6Ps0Qa4We8",
        "ghr_Zr4Tq8Wm1Kx7Lb3Nc9Vd5Hf2Jg6Ps0Qa4We8",
        f"github_pat_11ABCDEFG0aBcDeFgHiJkL_{_BODY}",
    ),
    "slack-token": (
        "xoxb-123456789012-1234567890123-Zr4Tq8Wm1Kx7Lb3Nc9Vd5Hf2",
        "xoxa-2-123456789012-Zr4Tq8Wm1Kx7Lb3N",
        "xoxp-123456789012-123456789012-Zr4Tq8Wm1Kx7",
        "xoxr-123456789012-Zr4Tq8Wm1Kx7Lb3N",
        "xoxs-123456789012-Zr4Tq8Wm1Kx7Lb3N",
        "xapp-1-A0123456789-1234567890123-Zr4Tq8Wm1Kx7Lb3N",
    ),
    "slack-webhook": (
        "https://hooks.slack.com/services/T01ABCDEF/B02GHIJKL/Zr4Tq8Wm1Kx7Lb3Nc9Vd5Hf2",
        "https://hooks.slack.com/workflows/T01ABCDEF/A02GHIJKL/123456789/Zr4Tq8Wm1Kx7",
        "https://hooks.slack.com/triggers/T01ABCDEF/123456789/Zr4Tq8Wm1Kx7Lb3Nc9Vd5",
    ),
    "jwt": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0"
        ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    ),
    "private-key": (
        f"-----BEGIN PRIVATE KEY-----\n{_BASE64}\n{_BASE64[::-1]}\n-----END PRIVATE KEY-----",
        f"-----BEGIN RSA PRIVATE KEY-----\n{_BASE64}\n{_BASE64[::-1]}\n"
        "-----END RSA PRIVATE KEY-----",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{_BASE64}\n-----END OPENSSH PRIVATE KEY-----",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{_BASE64}\n-----END PGP PRIVATE KEY BLOCK-----",
        f"-----BEGIN EC PRIVATE KEY-----\n{_BASE64}\n",  # cut
    ),
    "url-userinfo": (
        "https://ada:correct-horse-battery@git.example/acme/app.git",
        "postgresql://app:hunter2hunter2@db.example:5432/app",
        "https://Zr4Tq8Wm1Kx7Lb3Nc9Vd5Hf2@git.example/acme/app",
    ),
}
"""Kind to texts that each hold one secret of that kind."""

EVERY: Final = [(kind, text) for kind, texts in PLANTED.items() for text in texts]

_TELLING: Final = {
    "aws-secret": r"wJa1r\S{12}",
    "private-key": r"MIIEvQ\w{20}",
    "url-userinfo": r"(?<=//)[^@/]{10,}(?=@)",
    "slack-webhook": r"[TB]0\w+/\w+/\w+",
}


def telling(kind: str, text: str) -> str:
    """The part of a planted text that must be found nowhere."""
    if kind in _TELLING:
        found = re.search(_TELLING[kind], text)
        assert found is not None
        return found[0]
    return re.split(r"[/=]", text)[-1][-12:]


def _escaped(text: str, only: str) -> str:
    return "".join(f"\\u{ord(c):04x}" if c in only else c for c in text)


WRITTEN: Final[dict[str, Callable[[str], str]]] = {
    "plain": lambda text: text,
    "json": lambda text: json.dumps(text)[1:-1],
    "json in json": lambda text: json.dumps(json.dumps({"a": text})),
    "json with slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "json, marks escaped": lambda text: _escaped(json.dumps(text)[1:-1], "-_:/@+=. "),
    "json, all escaped": lambda text: "".join(f"\\u{ord(c):04X}" for c in text),
    "url": lambda text: quote(text, safe=""),
    "url, all escaped": lambda text: "".join(f"%{ord(c):02X}" for c in text),
    "url twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form": lambda text: quote(text, safe=" ").replace(" ", "+"),
}
"""How a text may stand in a request."""
