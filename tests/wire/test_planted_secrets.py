"""Known forms of secrets in every place that a request has: nothing that is kept holds one.

A real server, a key in debug mode, an upstream that says again all that it was told.
"""

import base64
import contextlib
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import msgspec
import pytest
from tests.planted import EVERY, PLANTED, WRITTEN, telling
from tests.wire.answers import Answer, Content, Text, messages_document, messages_stream
from tests.wire.bills import Bill
from tests.wire.book import Exchange
from tests.wire.raw import RawClient, request
from tests.wire.serving import RunningServer, enroll, start_server
from tests.wire.test_crashes import rows_of, wait_until
from tests.wire.upstream import Upstream

from tidegate.config import load
from tidegate.core.captures import Capture, unpack
from tidegate.services.vault import derive, unseal_capture
from tidegate.store.sql.database import open_store
from tidegate.wiring.master_key import open_master_key

OPAQUE = "Wm7opaque-credential-Qx3"  # of no form; it is known by where it stands
MODEL = "claude-sonnet-4-5"


def echo(exchange: Exchange) -> Answer:
    """Say again what was asked, as a stream if that was asked for."""
    said: list[Content] = [Text(json.dumps(exchange.payload.get("messages"), ensure_ascii=False))]
    bill = Bill.for_messages(MODEL, exchange.number)
    make = messages_stream if exchange.payload.get("stream") else messages_document
    return make(said, bill, exchange.number)


@dataclass
class Kept:
    """All that is left of the requests once the server has stopped."""

    captures: list[Capture]
    events: list[dict[str, object]]
    files: dict[str, bytes]
    answers: bytes  # error pages and probes
    log: str


def bodies(kind: str, text: str) -> Iterator[bytes]:
    """Requests with the secret in each place of their bodies, written in each way."""
    for written in WRITTEN.values():
        content = written(text)
        yield body(messages=[{"role": "user", "content": f"Keep {content} to yourself."}])
    yield body(messages=[], system=[{"type": "text", "text": text}], stream=False)
    tool = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": text}}
    yield body(messages=[{"role": "assistant", "content": [tool]}])
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": json.dumps({"k": text})}
    yield body(messages=[{"role": "user", "content": [result]}])
    yield body(messages=[], metadata={"user_id": text, text: 1})
    yield body(messages=[], model=text)
    yield b'{"model":"' + text.encode().replace(b'"', b"").replace(b"\n", b" ") + b"\n broken"


def body(**fields: object) -> bytes:
    given = {"model": MODEL, "max_tokens": 64, "stream": True, **fields}
    return json.dumps(given, ensure_ascii=False).encode()


def header_lines(text: str, key: str) -> tuple[str, ...]:
    """The secret as a value of headers that are kept, and of some that are not."""
    plain = text.replace("\n", " ")
    return (
        f"x-tidegate-key: {key}",
        f"Authorization: Bearer {OPAQUE}",
        f"Proxy-Authorization: Basic {base64.b64encode(OPAQUE.encode()).decode()}",
        f"X-Api-Key: {OPAQUE}-2",
        f"Cookie: session={OPAQUE}-3; other={plain}",
        f"X-Custom: {plain}",
        f"X-Request-Id: {plain}",
        f"User-Agent: claude-cli/2.1.0 ({plain})",
        f"X-Claude-Code-Session-Id: {plain}",
        f"X-Claude-Code-Agent-Id: {plain}",
        f"X-Tidegate-Launch: {plain}",
        f"X-Tidegate-Repository: {quote(plain)}",
        f"X-Tidegate-Branch: {quote(plain)}",
        f"X-Tidegate-Commit: {plain}",
        f"Referer: https://a.example/?k={plain}",
    )


def ask_all(port: int, key: str) -> tuple[int, bytes]:
    """Send everything: how many requests are metered, and what we ourselves answered."""
    metered, answers = 0, b""
    with RawClient(port) as client:
        for kind, text in EVERY:
            named = f"/v1/messages?beta=true&a={quote(text)}&api_key={OPAQUE}-4&{quote(text)}"
            for content in bodies(kind, text):
                answer = client.send(
                    request("/v1/messages", content, f"x-api-key: {key}")
                ).response()
                metered += 1
                answers += b"" if answer.status == 200 else answer.body
            lines = header_lines(text, key)
            client.send(request(named, body(messages=[]), *lines)).response()
            metered += 1
            for stranger in (text.replace("\n", " "), f"tg_{OPAQUE}"):
                probe = request("/v1/messages", body(messages=[]), f"x-api-key: {stranger}")
                answers += client.send(probe).response().body
            page = request(f"/{quote(text)}?q={quote(text)}", method="GET")
            answers += client.send(page).response().body.replace(quote(text).encode(), b"")
        answers += client.send(request("/readyz", method="GET")).response().body
    return metered, answers


@contextlib.contextmanager
def in_debug_mode(server: RunningServer, upstream: Upstream) -> Iterator[str]:
    """A key of which everything is captured."""
    key = enroll(server, upstream.url)
    store = open_store(data_dir=server.data_dir, database_url=None)
    with store.directory.changing() as change:
        [organization] = change.organizations()
        [stored] = change.keys(organization.organization_id)
        record = msgspec.structs.replace(stored.record, debug_until_us=1 << 60)
        change.update_key(msgspec.structs.replace(stored, record=record))
    with RawClient(server.port) as client:
        probe = request("/v1/messages", body(messages=[]), f"x-api-key: {key}")

        def is_told() -> bool:
            client.send(probe).response()
            return any(row["captured"] for row in rows_of(server))

        wait_until(is_told)
    yield key
    store.close()


def read_captures(server: RunningServer) -> list[Capture]:
    settings = load({"data_dir": str(server.data_dir)}, server.env)
    subkey = derive(open_master_key(settings)).capture
    address = f"file:{server.data_dir / 'usage.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as ledger:
        rows = ledger.execute("SELECT organization_id, event_id, ciphertext FROM captures")
        return [unpack(unseal_capture(subkey, *row)) for row in rows]


def count_captures(server: RunningServer) -> int:
    address = f"file:{server.data_dir / 'usage.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as ledger:
        return int(ledger.execute("SELECT count(*) FROM captures").fetchone()[0])


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("planted")
    with Upstream(echo) as upstream, start_server(folder, workers=1) as server:
        with in_debug_mode(server, upstream) as key:
            metered, answers = ask_all(server.port, key)
        spooled = {p.name: p.read_bytes() for p in (server.data_dir / "spool").iterdir()}
        wait_until(lambda: len(rows_of(server)) > metered)
        wait_until(lambda: count_captures(server) >= metered)
        time.sleep(0)
        server.stop()
        files = {p.name: p.read_bytes() for p in server.data_dir.rglob("*") if p.is_file()}
        yield Kept(
            captures=read_captures(server),
            events=rows_of(server),
            files=spooled | files,
            answers=answers,
            log=server.logs(),
        )


def undone(text: str) -> str:
    """With all escapes undone, as somebody who looks for a secret would read it."""
    for _ in range(4):
        text = re.sub(r"\\+u00([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), text)
        text = re.sub(r"%([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), text)
    return re.sub(r"\\+/", "/", text)


def streamed(body: bytes) -> str:
    """The text that the events of an answer make together."""
    lines = [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: {")]
    return "".join(line.get("delta", {}).get("text", "") for line in lines)


def everything(capture: Capture) -> str:
    parts = [capture.path, streamed(capture.response.body)]
    for part in (capture.received, capture.sent, capture.response):
        if part is not None:
            parts += [part.body.decode("utf-8", "replace"), *(f"{n}: {v}" for n, v in part.headers)]
    return "\n".join(parts)


@pytest.fixture(scope="module")
def seen(kept: Kept) -> dict[str, str]:
    """All that is kept, by where it is, readable."""
    return {
        "captures": undone("\n".join(map(everything, kept.captures))),
        "ledger": undone(repr(kept.events)),
        "answers": undone(kept.answers.decode("utf-8", "replace")),
        "log": undone(kept.log),
        **{name: undone(content.decode("latin-1")) for name, content in kept.files.items()},
    }


@pytest.mark.timeout(300)
def test_everything_was_captured(kept: Kept) -> None:
    assert len(kept.captures) >= len(EVERY) * (len(WRITTEN) + 7)
    assert sum(bool(event["captured"]) for event in kept.events) == len(kept.captures)
    said = "".join(map(everything, kept.captures))
    assert [kind for kind in PLANTED if f"[redacted:{kind}]" not in said] == []
    assert "Keep [redacted:anthropic-key] to yourself." in said


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "text"), EVERY)
def test_no_secret_is_kept_anywhere(seen: dict[str, str], kind: str, text: str) -> None:
    needle = telling(kind, text)
    assert [place for place, content in seen.items() if needle in content] == []


@pytest.mark.timeout(300)
def test_no_credential_is_kept_anywhere(seen: dict[str, str]) -> None:
    encoded = base64.b64encode(OPAQUE.encode()).decode()
    for needle in (OPAQUE, encoded, "sk-upstream-secret"):
        assert [place for place, content in seen.items() if needle in content] == []
