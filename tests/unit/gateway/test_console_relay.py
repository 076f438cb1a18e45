"""The relay to the console: what happens when the console is late, gone or restarted."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.unit.gateway.world import OK, Peer, Script, Upstream, in_loop, until, world

pytestmark = pytest.mark.slow

GET = b"GET /page HTTP/1.1\r\nhost: h\r\n\r\n"
PAGE = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npage"


class Console(Upstream):
    """Listens on a Unix socket."""

    def __init__(self, script: Script, path: Path) -> None:
        super().__init__(script)
        self.path = str(path)

    async def listen(self) -> None:
        self._server = await asyncio.start_unix_server(self._play, self.path)

    def world(self, **options: Any) -> Any:
        return world("http://127.0.0.1:1", console_socket=self.path, **options)


@in_loop
async def test_a_late_answer_of_the_console_goes_nowhere(tmp_path: Path) -> None:
    """It was answered 503 meanwhile: its page must not become the next request's answer."""
    asked = asyncio.Event()
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        assert await peer.rest() == b""
        gone.set()

    console = Console(script, tmp_path / "console")
    await console.listen()
    async with console.world(stream_timeout_s=0.1) as made:
        client = await made.client()
        client.send(GET)
        await asked.wait()
        assert b" 503 " in await client.response()
        await asyncio.wait_for(gone.wait(), 10)
        await until(lambda: made.count("upstream_connections") == 0)
    await console.stop()


@in_loop
async def test_a_request_is_repeated_once_after_the_console_restarted(tmp_path: Path) -> None:
    asked = 0

    async def script(peer: Peer) -> None:
        nonlocal asked
        await peer.request()
        asked += 1
        if peer.number <= 3:
            peer.send(PAGE)
            await peer.request()
            asked += 1

    console = Console(script, tmp_path / "console")
    await console.listen()
    async with console.world() as made:
        clients = [await made.client() for _ in range(3)]
        for client in clients:
            client.send(GET)
        for client in clients:
            await client.response()
        assert made.count("upstream_connections") == 3
        assert b" 503 " in await clients[0].send(GET).response()
    await console.stop()
    assert console.connections == 4
    assert asked == 5  # three pages, one on a kept connection, one on a new one


@in_loop
async def test_a_client_that_leaves_gives_its_relay_up(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.rest()

    console = Console(script, tmp_path / "console")
    await console.listen()
    async with console.world() as made:
        client = await made.client()
        client.send(GET)
        await asked.wait()
        client.reset()
        await made.quiet()
        await until(lambda: made.count("upstream_connections") == 0)
    await console.stop()


@in_loop
async def test_a_page_that_breaks_off_breaks_off_for_the_client(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(PAGE[:-2])

    console = Console(script, tmp_path / "console")
    await console.listen()
    async with console.world() as made:
        client = await made.client()
        received = await client.send(GET).rest()
    await console.stop()
    assert received.endswith(b"\r\n\r\npa")


@in_loop
async def test_an_event_is_no_page(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            peer.send(OK)

    console = Console(script, tmp_path / "console")
    await console.listen()
    async with console.world() as made:
        for target in (b"//v1/messages", b"/v1/%6dessages", b"/v1/messages/", b"/V1/messages"):
            request = b"POST %b HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}" % target
            assert b" 200 " in await made.ask(request)
        assert made.events == []
    await console.stop()
    assert [s.split(b" ")[1] for s in seen] == [
        b"//v1/messages",
        b"/v1/%6dessages",
        b"/v1/messages/",
        b"/V1/messages",
    ]
    assert all(b"x-tidegate-peer: 127.0.0.1\r\n" in s and s.endswith(b"{}") for s in seen)


@in_loop
async def test_only_the_nearest_proxys_word_on_tls_counts(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            peer.send(PAGE)

    console = Console(script, tmp_path / "console")
    await console.listen()
    async with console.world(trusted_proxies=("127.0.0.0/8",)) as made:
        for said in (b"https", b"https, http", b"http,https", b"https\r\nx-forwarded-proto: http"):
            line = b"host: h\r\nx-forwarded-proto: %b\r\n" % said
            await made.ask(GET.replace(b"host: h\r\n", line))
    await console.stop()
    told = [head.partition(b"x-tidegate-proto: ")[2].split(b"\r\n")[0] for head in seen]
    assert told == [b"https", b"http", b"https", b"http"]
    assert not any(b"x-forwarded" in head for head in seen)
