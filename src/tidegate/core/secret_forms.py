"""The known forms of secrets, each with how to find one and where it ends.

Each form has a rare byte in it, its anchor, with which its trigger begins. What stands around an
anchor is looked at only where one is found. Behind a trigger a run of bytes is read once, and no
trigger of the same form within it is looked at again, so that no content can make this slow.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple


class Found(NamedTuple):
    """A secret from `start` to `end`, or none where both are equal.

    No other secret of the same form begins before `beyond`.
    """

    start: int
    end: int
    beyond: int


Find = Callable[[bytes, int, int], Found]
"""Given a text, and where a trigger in it begins and ends."""


class Form(NamedTuple):
    """One way in which a kind of secret is written. `docs/debug.md` has them for people.

    The parts of a trigger are regular expressions without groups: `before`, of fixed width, ends
    where the anchor is, which is one literal byte, and `after` follows it. `close` is how the last
    two bytes of `before` look; few anchors have a pair before them that any form asks for.
    """

    kind: str
    before: str
    close: str
    anchor: str
    after: str
    find: Find


def _run(tail: str, least: int, *, back: int = 0, holding: str = "", alone: bool = False) -> Find:
    """From `back` bytes before the anchor to where `tail` ends, or just the group that is in it.

    It has `least` bytes; what was triggered by must be followed by something `holding` matches in;
    `alone` asks that no word goes on in it.
    """
    run = re.compile(tail.encode())
    held = re.compile(holding.encode()) if holding else None

    def find(text: bytes, anchor: int, behind: int) -> Found:
        match = run.match(text, behind)
        if match is None:
            return Found(0, 0, behind)
        begin, end = match.span(run.groups)
        start = begin if run.groups else anchor - back
        if (
            end - start < least
            or (held is not None and held.search(text, anchor, end) is None)
            or (alone and not _begins_word(text, start))
        ):
            return Found(0, 0, end)
        return Found(start, end, end)

    return find


def _begins_word(text: bytes, start: int) -> bool:
    """Whether the byte before is of no word; the letter of an escape such as \\n is not."""
    before = text[max(0, start - 2) : start]
    if not before[-1:].isalnum():
        return True
    return before[:1] == b"\\" and before[1:] in {b"n", b"r", b"t"}


def _private_key(text: bytes, anchor: int, behind: int) -> Found:
    """Up to its end line. Where that is missing, as far as this can be the text of a key.

    Only with a line of base64 in it: code and prose speak of the first line alone.
    """
    dashes = text.find(b"-----", behind)
    end = len(text) if dashes < 0 else dashes
    closing = _KEY_END.match(text, end)
    if closing is None:
        goes_on = _KEY_TEXT.match(text, behind)
        end = min(end, goes_on.end()) if goes_on is not None else behind
    if _KEY_LINE.search(text, behind, end) is None:
        return Found(0, 0, behind)
    end = closing.end() if closing is not None else end
    return Found(anchor - 4, end, end)


def _userinfo(text: bytes, anchor: int, behind: int) -> Found:
    """What stands before the last @ of a URL's authority."""
    run = _AUTHORITY.match(text, behind)
    beyond = run.end() if run is not None else behind
    at = text.rfind(b"@", behind, beyond)
    named_only = text[behind : at + 1] == b"git@" or text[behind : behind + 1] == b"$"
    return Found(0, 0, beyond) if at <= behind or named_only else Found(behind, at, beyond)


def beside_access_key_id(text: bytes, found: Found) -> list[Found]:
    """Secret access keys close to an access key id, which is how lists of them are written."""
    begin, end = max(0, found.start - _NEAR_BYTES), found.end + _NEAR_BYTES
    beside = []
    while (match := _SECRET_KEY.search(text, begin, end)) is not None:
        whole = _SECRET_KEY.match(text, match.start())  # session tokens are long
        begin = whole.end() if whole is not None else match.end()
        beside.append(Found(match.start(), begin, begin))
    return beside


_NEAR_BYTES: Final = 300
_INVITATION: Final = r"[0-9a-f]*\.[0-9A-Za-z]*"
_CODE_CHAR: Final = "[0-9A-HJKMNP-TV-Z]"
_CODE: Final = f"{_CODE_CHAR}{{4}}"
_HOOKS: Final = "(?:services|workflows|triggers)"
_JWT: Final = r"[0-9A-Za-z_-]*(?:\.[0-9A-Za-z_-]*){0,4}"
_AWS_VALUE: Final = r"[^0-9A-Za-z/]{0,60}([0-9A-Za-z+=/]*)"
_KEY_NAME: Final = r"[ +](?:[0-9A-Z]{1,20}[ +]){0,4}PRIVATE[ +]KEY(?:[ +]BLOCK)?-----"
_KEY_END: Final = re.compile(f"-----END{_KEY_NAME}".encode())
_KEY_LINE: Final = re.compile(rb"[0-9A-Za-z+/]{32}")
_KEY_TEXT: Final = re.compile(
    rb"(?:[0-9A-Za-z+/=\s:,.|>\xe2\x86\x92]+|\\+[nrt]){0,2000}"  # with lines' numbers
)
_AUTHORITY: Final = re.compile(rb"[^\s/?#\"'`<>{}|\\^\[\]]*")
_SECRET_KEY: Final = re.compile(rb"[0-9A-Za-z/+=]{40,}")
ACCESS_KEY_ID: Final = "aws-key-id"

_WORD: Final = "[0-9A-Za-z]*"
_URL_WORD: Final = "[0-9A-Za-z_-]*"
_AWS_SECRET: Final = _run(_AWS_VALUE, 38)
_WEBHOOK: Final = _run("[0-9A-Za-z_/-]*", 20)

FORMS: Final = (
    Form("tidegate-key", "tg", "tg", "_", "[0-9A-Za-z]", _run(_WORD, 35, back=2)),
    Form("tidegate-token", "tgp", "gp", "_", "[0-9A-Za-z]", _run(_WORD, 35, back=3)),
    Form("tidegate-login", "tidegate", "te", "_", "login=", _run(_WORD, 40, back=8)),
    Form(
        "tidegate-code",
        _CODE,
        f"{_CODE_CHAR}{{2}}",
        "-",
        f"{_CODE}-{_CODE}-{_CODE}-{_CODE}",
        _run("(?![0-9A-Za-z])", 24, back=4, alone=True),
    ),
    Form("tidegate-link", "sign-in", "in", "/", "", _run(_WORD, 33)),
    Form("tidegate-link", "/setup", "up", "/", "", _run(_WORD, 33)),
    Form("tidegate-link", "/reset", "et", "/", "", _run(_WORD, 33)),
    Form("tidegate-link", "/join", "in", "/", "inv_", _run(_INVITATION, 40)),
    Form("anthropic-key", "sk", "sk", "-", "ant-", _run(_URL_WORD, 22, back=2)),
    Form("openai-key", "sk", "sk", "-", "proj-", _run(_URL_WORD, 22, back=2)),
    Form("openai-key", "sk", "sk", "-", "svcacct-", _run(_URL_WORD, 22, back=2)),
    Form("openai-key", "sk", "sk", "-", "admin-", _run(_URL_WORD, 22, back=2)),
    Form(
        "openai-key",
        "sk",
        "sk",
        "-",
        "(?!ant-)[0-9A-Za-z_-]",
        _run(_URL_WORD, 23, back=2, holding="[0-9]", alone=True),
    ),
    Form(ACCESS_KEY_ID, "", "", "A", "[KS]IA[0-9A-Z]{16}", _run("", 20)),
    Form("aws-secret", "(?i:aws)", "[wW][sS]", "_", "(?i:secret_access_key)", _AWS_SECRET),
    Form("aws-secret", "(?i:aws)", "[wW][sS]", "_", "(?i:secret_key)", _AWS_SECRET),
    Form("aws-secret", "(?i:aws)", "[wW][sS]", "_", "(?i:session_token)", _AWS_SECRET),
    Form("aws-secret", "aws", "ws", "-", "secret-access-key", _AWS_SECRET),
    Form("aws-secret", "ecret", "et", "A", "ccessKey", _AWS_SECRET),
    Form("aws-secret", "ecret ", "t ", "A", "ccess Key", _AWS_SECRET),
    Form("github-token", "gh[oprsu]", "h[oprsu]", "_", "[0-9A-Za-z]", _run(_WORD, 34, back=3)),
    Form("github-token", "github", "ub", "_", "pat_", _run("[0-9A-Za-z_]*", 30, back=6)),
    Form(
        "slack-token", "xox[a-z]", "x[a-z]", "-", "[0-9A-Za-z]", _run("[0-9A-Za-z-]*", 15, back=4)
    ),
    Form(
        "slack-token",
        "xapp",
        "pp",
        "-",
        "[0-9]",
        _run("[0-9A-Za-z-]*", 20, back=4),
    ),
    Form("slack-webhook", r"hooks\.slack\.com", "om", "/", _HOOKS, _WEBHOOK),
    Form("jwt", "ey", "ey", "J", "", _run(_JWT, 24, back=2, holding=r"\.[0-9A-Za-z_-]{8}")),
    Form("private-key", "----", "--", "-", f"BEGIN{_KEY_NAME}", _private_key),
    Form("url-userinfo", ":/", ":/", "/", "", _userinfo),
)
"""In this order where several have the same anchor."""
