"""One organization's whole set-up: scripted upstream, proxy, server, tap, developers' machines."""

import contextlib
import itertools
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.wire.agents import TIMEOUT_S, Program, Run, Workplace
from tests.wire.authority import Authority
from tests.wire.book import DEADLINE_S
from tests.wire.connect_proxy import ConnectProxy
from tests.wire.http1 import Message
from tests.wire.raw import RawClient, message_body, request
from tests.wire.scripts import Script, converse
from tests.wire.serving import RUN, RunningServer, start_server
from tests.wire.tap import Tap
from tests.wire.upstream import Upstream

TIDEGATE = (sys.executable, "-P", "-c", RUN)
_OUR_OWN = ("/api/l", "/install", "/mcp")
ORGANIZATION_SECRETS = {
    "anthropic": "sk-ant-api03-the-organizations",
    "openai": "sk-the-organizations",
}


@dataclass
class Key:
    """A member's enrolment with one agent."""

    site: "Site"
    email: str
    secret: str
    key_id: str
    login_code: str

    def usage(self) -> dict[str, Any]:
        """This key's row in `tidegate admin usage --json`, and its sessions."""
        totals = self.site.server.admin("usage")
        rows = [row for row in totals["by_key"] if row["key_id"] == self.key_id]
        sessions = [one for one in totals["by_session"] if one["key_id"] == self.key_id]
        return {**(rows[0] if rows else {}), "sessions": sessions}

    def events(self) -> list[dict[str, Any]]:
        """This key's rows of the ledger, oldest first; call `usage` before, which drains."""
        address = f"file:{self.site.server.data_dir / 'usage.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as ledger:
            ledger.row_factory = sqlite3.Row
            rows = ledger.execute(
                "SELECT * FROM usage_events WHERE key_id = ? ORDER BY started_us", (self.key_id,)
            )
            return [dict(row) for row in rows]


@dataclass
class Developer:
    """A member's machine, on which one agent is installed and logged in."""

    program: Program
    key: Key
    workplace: Workplace

    def launch(
        self,
        *arguments: str,
        options: Sequence[str] = (),
        timeout_s: float = TIMEOUT_S,
        **environment: str,
    ) -> Run:
        """`tidegate launch AGENT` with these arguments; `options` are tidegate's own."""
        return self.workplace.run(
            [*TIDEGATE, "launch", *options, self.program.command, *arguments],
            timeout_s=timeout_s,
            **environment,
        )


class Site:
    """Runs until the test or module that made it is over. The script may be changed any time."""

    def __init__(
        self,
        folder: Path,
        upstream: Upstream,
        proxy: ConnectProxy,
        tap: Tap,
        server: RunningServer,
    ) -> None:
        self.folder = folder
        self.upstream = upstream
        self.proxy = proxy
        self.tap = tap
        self.server = server
        self.credential_ids: dict[str, str] = {}
        self._numbers = itertools.count(1)

    @contextlib.contextmanager
    def script(self, script: Script) -> Iterator[None]:
        """Answer as this script says, for a while."""
        self.upstream.script = script
        try:
            yield
        finally:
            self.upstream.script = converse

    def enroll(self, agent: str) -> "Key":
        """Enrol a new member with an agent."""
        email = f"dev{next(self._numbers)}@acme.example"
        enrolled = self.server.admin("enroll", "--email", email, "--agent", agent)
        self.wait_told(enrolled["key"], "provider login")
        return Key(self, email, enrolled["key"], enrolled["key_id"], enrolled["login_code"])

    def wait_told(self, secret: str, told: str) -> None:
        """Wait until the gateway's directory has a change: it is refreshed within a second.

        Asked with a login of nobody on a path that is not metered: no answer but a refusal can
        come, and which one tells what the gateway knows of the key.
        """
        lines = (f"x-tidegate-key: {secret}", "Authorization: Bearer of-nobody")
        probe = request("/v1/messages/count_tokens", message_body(), *lines)
        deadline = time.monotonic() + DEADLINE_S
        with RawClient(self.server.port) as client:
            while told not in (seen := client.send(probe).response().body.decode()):
                assert time.monotonic() < deadline, f"still {seen}"
                time.sleep(0.02)

    def hire(self, program: Program) -> Developer:
        """Enrol a new member, and log in on a new machine."""
        key = self.enroll(program.enrolled_as)
        workplace = Workplace(self.folder / key.email.partition("@")[0])
        workplace.install(program)
        run = workplace.run([*TIDEGATE, "login", self.tap.url, key.login_code])
        assert run.status == 0, run.said
        return Developer(program, key, workplace)

    @property
    def server_url(self) -> str:
        """The gateway without the tap, for clients whose bytes need no second look."""
        return f"http://127.0.0.1:{self.server.port}"

    def mark(self) -> "Mark":
        """Remember this moment, to look only at what comes after it."""
        return Mark(self, len(self.upstream.book.exchanges), len(self.tap.connections))


@dataclass(frozen=True)
class Mark:
    """What has happened since a moment, at the upstream and between agents and gateway."""

    site: Site
    exchange_count: int
    connection_count: int

    @property
    def exchanges(self) -> list[Any]:
        return self.site.upstream.book.exchanges[self.exchange_count :]

    @property
    def tapped(self) -> list[tuple[Message, Message | None]]:
        """Requests of agents, and their responses; what agents and command line ask us is not."""
        pairs = [
            pair
            for connection in self.site.tap.connections[self.connection_count :]
            for pair in connection.exchanges()
        ]
        return [pair for pair in pairs if not pair[0].target.startswith(_OUR_OWN)]


@contextlib.contextmanager
def running_site(
    folder: Path,
    *,
    providers: Sequence[str] = ("anthropic", "openai"),
    arguments: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Iterator[Site]:
    """Start everything and set up an organization."""
    authority = Authority(folder / "authority")
    with (
        Upstream(authority=authority) as upstream,
        ConnectProxy(upstream.tls_port) as proxy,
        Tap() as tap,
    ):
        options = ["--public-url", tap.url, "--upstream-ca", str(authority.ca_file), *arguments]
        variables = {"HTTPS_PROXY": proxy.url, **(env or {})}
        server_folder = folder / "server"
        server_folder.mkdir(parents=True)
        with start_server(server_folder, arguments=options, env=variables) as server:
            tap.lead_to("127.0.0.1", server.port)
            server.admin("bootstrap", "--org", "Acme", "--email", "ada@acme.example")
            site = Site(folder, upstream, proxy, tap, server)
            for provider in providers:
                given = server.admin(
                    *("credential", "set", "--provider", provider),
                    *("--base-url", upstream.url, "--api-key-stdin"),
                    stdin=ORGANIZATION_SECRETS[provider] + "\n",
                )
                site.credential_ids[provider] = given.get("credential_id", "")
            yield site
            server.stop()
