"""One id for a request in the logs of all processes; and an export through the worker's relay."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.wire.raw import RawClient, request
from tests.wire.serving import RunningServer, enroll, start_server
from tests.wire.test_crashes import rows_of, wait_until
from tests.wire.test_planted_secrets import body, echo
from tests.wire.upstream import Upstream

from tidegate.config import load
from tidegate.services.access_tokens import AccessTokens
from tidegate.services.audit import COMMAND_LINE
from tidegate.services.vault import derive
from tidegate.store.sql.database import open_store
from tidegate.wiring.master_key import open_master_key

pytestmark = pytest.mark.timeout(120)
SECRET = "Wm7opaque-credential-Qx3"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, str]]:
    """A server that logs all it can, and a key that works."""
    folder = tmp_path_factory.mktemp("ids")
    options = ["--log-level", "debug", "--log-format", "json"]
    with Upstream(echo) as upstream, start_server(folder, arguments=options) as server:
        yield server, enroll(server, upstream.url)


def lines_with(server: RunningServer, request_id: str) -> list[dict[str, Any]]:
    found = [line for line in server.logs().splitlines() if request_id in line]
    return [json.loads(line) for line in found]


def ask(server: RunningServer, key: str) -> str:
    """The id of a request that went through."""
    with RawClient(server.port) as client:
        content = body(messages=[{"role": "user", "content": "Hello"}])
        while True:  # until the worker knows the key
            answer = client.send(request("/v1/messages", content, f"x-api-key: {key}")).response()
            if answer.status == 200:
                return str(answer.header("x-tidegate-request-id"))


def test_gateway_and_drain_name_a_request_as_the_ledger_does(
    running: tuple[RunningServer, str],
) -> None:
    server, key = running
    request_id = ask(server, key)
    wait_until(lambda: any(row["event_id"] == request_id for row in rows_of(server)))
    wait_until(lambda: len(lines_with(server, request_id)) == 2)
    told = {line["event"]: line for line in lines_with(server, request_id)}
    assert sorted(told) == ["drain.recorded", "gateway.request"]
    assert {line["request_id"] for line in told.values()} == {request_id}
    assert told["gateway.request"]["outcome"] == "ok"
    assert told["gateway.request"]["process"] != told["drain.recorded"]["process"]


@pytest.mark.parametrize("path", ["/sign-in", "/api/v1/me", "/nothing"])
def test_the_console_names_a_request_as_its_client_is_told(
    running: tuple[RunningServer, str], path: str
) -> None:
    server, _ = running
    lines = (f"x-request-id: {SECRET}", f"x-tidegate-request-id: {SECRET}")
    with RawClient(server.port) as client:
        sent = request(path, b"", *lines, method="GET", host=f"127.0.0.1:{server.port}")
        answer = client.send(sent).response("GET")
    request_id = str(answer.header("x-request-id"))
    assert request_id.startswith("req_")
    wait_until(lambda: bool(lines_with(server, request_id)))
    [line] = lines_with(server, request_id)
    assert (line["event"], line["status"]) == ("page", answer.status)
    assert SECRET not in server.logs()


def test_an_export_comes_through_the_relay(running: tuple[RunningServer, str]) -> None:
    server, key = running
    asked = {ask(server, key) for _ in range(5)}
    wait_until(lambda: asked <= {str(row["event_id"]) for row in rows_of(server)})
    with RawClient(server.port) as client:
        sent = request(
            "/api/v1/requests/export.jsonl",
            b"",
            f"authorization: Bearer {access_token(server)}",
            "accept-encoding: gzip",
            method="GET",
            host=f"127.0.0.1:{server.port}",
        )
        answer = client.send(sent).response("GET")
    assert answer.status == 200
    assert asked <= {json.loads(line)["request_id"] for line in answer.body.splitlines()}


def access_token(server: RunningServer) -> str:
    settings = load({"data_dir": str(server.data_dir)}, server.env)
    store = open_store(data_dir=Path(server.data_dir), database_url=None)
    try:
        with store.directory.reading() as reads:
            [organization] = reads.organizations()
            member = reads.members(organization.organization_id)[0]
        tokens = AccessTokens(store, derive(open_master_key(settings)))
        made = tokens.create(
            organization.organization_id, member.member_id, "t", "read", actor=COMMAND_LINE
        )
        return made.secret
    finally:
        store.close()
