"""What stands around every page."""

import io
import json
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.browser.world import PUBLIC_URL, World

from tidegate.console.app import ConsoleOptions, create_app
from tidegate.store.ports import StoreUnavailable
from tidegate.wiring.logs import Log

pytestmark = pytest.mark.slow

PATHS = ["/", "/nothing", "/api/launch", "/sign-in/x", "/install/", "/sign-out"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_hardened(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "font-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "set-cookie" not in headers
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:4180", 200),
        ("LOCALHOST:4180", 200),
        ("127.0.0.1:4180", 200),
        ("[::1]:4180", 200),
        ("localhost", 421),
        ("evil.example", 421),
        ("localhost:4180.evil.example", 421),
        ("", 421),
    ],
)
def test_only_own_hosts_are_served(client: TestClient, host: str, status: int) -> None:
    response = client.get("/sign-in", headers={"host": host})
    assert response.status_code == status
    assert status == 200 or response.text == "This host name is not served here.\n"


def test_over_tls_browsers_are_told_to_stay_there(empty_world: World) -> None:
    options = ConsoleOptions("https://tidegate.example")
    app = create_app(empty_world.services, options, clock=empty_world.clock)
    client = TestClient(app, "https://tidegate.example")
    link = f"/setup/{empty_world.services.logins.make_setup_token()}"
    response = client.get(link)
    assert response.headers["strict-transport-security"] == "max-age=31536000"
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-tidegate_form=")
    assert "Secure" in cookie


def test_no_link_is_built_from_the_host(client: TestClient) -> None:
    assert client.get("/install").status_code == 404  # no redirect to a slash
    page = client.get("/install/", headers={"host": "127.0.0.1:4180"}).text
    assert f"{PUBLIC_URL}/install/install.sh" in page
    assert "127.0.0.1" not in page


@pytest.mark.parametrize("announced", [True, False])
def test_a_large_body_is_refused(client: TestClient, announced: bool) -> None:
    size = ConsoleOptions(PUBLIC_URL).max_body_bytes + 1
    content = b"x" * size if announced else iter([b"x" * size])
    response = client.post("/api/login", content=content)
    assert response.status_code == 413


def test_a_fault_shows_nothing_and_is_written_down(world: World) -> None:
    secret = world.login()
    written = io.BytesIO()
    app = failing(world, Log(level="info", form="json", stream=written))
    client = TestClient(app, base_url=PUBLIC_URL, raise_server_exceptions=False)
    response = client.get("/fail/top-secret")
    logs = lines_of(written)
    assert response.status_code == 500
    assert response.text == "Something failed here. It was written down; try again in a moment.\n"
    assert response.headers["content-security-policy"]
    fault, page = logs
    assert fault["event"] == "page failed"
    assert "RuntimeError: a fault" in fault["traceback"]
    assert page["status"] == 500
    assert "top-secret" not in str(logs)
    assert secret not in str(logs)


def test_the_access_log_holds_no_secret(world: World) -> None:
    written = io.BytesIO()
    log = Log(level="info", form="json", stream=written)
    app = create_app(world.services, world.options, log=log, clock=world.clock)
    client = TestClient(app, base_url=PUBLIC_URL, headers={"x-tidegate-peer": "203.0.113.7"})
    token = world.services.logins.make_sign_in_token(world.organization_id, world.owner_id)
    client.get(f"/sign-in/{token}?also={token}")
    client.get(f"/nothing/{token}")
    assert token.encode() not in written.getvalue()
    assert [without_times(line) for line in lines_of(written)] == [
        {
            "event": "page",
            "level": "info",
            "method": "GET",
            "route": route,
            "status": status,
            "peer": "203.0.113.7",
            "request_id": "",
        }
        for route, status in [("/sign-in/{token}", 200), ("-", 404)]
    ]


def lines_of(written: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("path", "kind"), [("/away", "text/html; charset=utf-8"), ("/api/away", "application/json")]
)
def test_a_database_that_is_away_is_no_fault_of_ours(world: World, path: str, kind: str) -> None:
    async def read(_request: object) -> None:
        raise StoreUnavailable("connection to 10.0.0.9 refused")

    written = io.BytesIO()
    log = Log(level="info", form="json", stream=written)
    app = create_app(world.services, world.options, log=log, clock=world.clock)
    app.add_route(path, read)  # type: ignore[arg-type]
    response = TestClient(app, base_url=PUBLIC_URL).get(path)
    assert response.status_code == 503
    assert response.headers["content-type"] == kind
    assert response.headers["retry-after"] == "5"
    assert "database cannot be reached" in response.text
    assert "10.0.0.9" not in response.text
    assert [line["event"] for line in lines_of(written)] == ["page"]


def without_times(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in {"time", "duration_ms"}}


def failing(world: World, log: Log) -> Starlette:
    async def fail(_request: object) -> None:
        raise RuntimeError("a fault")

    app = create_app(world.services, world.options, log=log, clock=world.clock)
    app.add_route("/fail/{token}", fail)  # type: ignore[arg-type]
    return app


@pytest.mark.parametrize(("path", "method"), [("/nothing", "GET"), ("/sign-out", "GET")])
def test_refusals_are_pages_for_people(client: TestClient, path: str, method: str) -> None:
    response = client.request(method, path)
    assert response.status_code in {404, 405}
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "starlette" not in response.text.lower()


def test_refusals_are_json_for_programs(client: TestClient) -> None:
    response = client.get("/api/nothing")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("req_" + "0a" * 16, "req_" + "0a" * 16),
        ("", ""),
        ("tg_secret", ""),
        ("req_" + "0a" * 16 + "x", ""),
    ],
)
def test_the_log_names_a_request_as_the_gateway_does(world: World, sent: str, told: str) -> None:
    stream = io.BytesIO()
    log = Log(level="info", form="json", stream=stream)
    client = TestClient(create_app(world.services, world.options, log=log), base_url=PUBLIC_URL)
    client.get("/sign-in", headers={"x-request-id": sent} if sent else {})
    assert json.loads(stream.getvalue())["request_id"] == told
