"""A GitHub on loopback: Apps, installations, repositories, pull requests, and its bad days.

It checks who asks: an App by its signed word, an installation by the token that it was given.
"""

import base64
import json
import re
import secrets
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.github_payloads import at, body_of, signature

_PAGE = 100


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """One for all Apps of a process: making it takes a while."""
    return rsa.generate_private_key(65537, 2048)


def pem_of(key: rsa.RSAPrivateKey) -> str:
    encoded = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return encoded.decode()


@dataclass
class App:
    app_id: int
    slug: str
    name: str
    key: rsa.RSAPrivateKey
    webhook_secret: str = ""
    hook_url: str = ""
    redirect_url: str = ""
    setup_url: str = ""

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.app_id,
            "slug": self.slug,
            "name": self.name,
            "owner": {"login": "brightwater"},
            "html_url": f"https://github.example/{self.slug}",
        }


@dataclass
class Installation:
    installation_id: int
    app_id: int
    account: str
    repositories: list[int] = field(default_factory=list)
    suspended: bool = False
    seconds: int = 0

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.installation_id,
            "app_id": self.app_id,
            "account": {"login": self.account, "type": "Organization"},
            "repository_selection": "selected",
            "updated_at": at(self.seconds),
            "suspended_at": at(self.seconds) if self.suspended else None,
        }


class FakeGithub:
    """What GitHub holds. `mode` is what ails it: "", limit, secondary, forbidden, broken, slow."""

    def __init__(self) -> None:
        self.mode = ""
        self.apps: dict[int, App] = {}
        self.codes: dict[str, int] = {}
        self.installations: dict[int, Installation] = {}
        self.repositories: dict[int, dict[str, Any]] = {}
        self.pulls: dict[tuple[int, int], dict[str, Any]] = {}
        self.asked: list[str] = []
        self.manifests: list[dict[str, Any]] = []
        self.go_on = threading.Event()  # lets the slow answer
        self.url = ""
        self._tokens: dict[str, int] = {}

    def add_app(self, app_id: int = 7, *, secret: str = "") -> App:
        app = App(app_id, f"tidegate-{app_id}", f"Tidegate {app_id}", rsa_key(), secret)
        self.apps[app_id] = app
        return app

    def install(self, app: App, account: str, *repository_ids: int) -> Installation:
        found = Installation(len(self.installations) + 1, app.app_id, account, list(repository_ids))
        self.installations[found.installation_id] = found
        return found

    def deliver(self, app: App, event: str, payload: dict[str, Any], delivery_id: str) -> int:
        """Send a webhook: the status of the answer."""
        body = body_of(payload)
        headers = {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": delivery_id,
            "x-hub-signature-256": signature(body, app.webhook_secret),
        }
        request = urllib.request.Request(app.hook_url, body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)

    # what is asked

    def answer(
        self, method: str, target: str, token: str, body: bytes, headers: Any
    ) -> tuple[int, dict[str, str], Any]:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(f"{method} {parts.path}")
        if not parts.path.startswith("/api/v3"):
            return self._page(method, parts.path, query, body)
        path = parts.path.removeprefix("/api/v3")
        if (ailing := self._ailing()) is not None:
            return ailing
        if (match := re.fullmatch(r"/app-manifests/(\w+)/conversions", path)) is not None:
            return self._converted(match[1])
        if path.startswith("/app"):
            return self._of_app(path, token)
        return self._of_installation(path, query, token, headers)

    def _ailing(self) -> tuple[int, dict[str, str], Any] | None:
        match self.mode:
            case "limit":
                reset = str(int(time.time()) + 900)
                told = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
                return 403, told, {"message": "API rate limit exceeded"}
            case "secondary":
                return 429, {"retry-after": "120"}, {"message": "secondary rate limit"}
            case "forbidden":
                return 403, {}, {"message": "Resource not accessible by integration"}
            case "broken":
                return 502, {}, {"message": "Server Error"}
            case "moved":
                return 302, {"location": "http://192.0.2.1/"}, None
            case "slow":
                self.go_on.wait(30)
        return None

    def _page(
        self, method: str, path: str, query: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], Any]:
        """What a person sees, who agrees to everything."""
        if method == "POST" and path.endswith("/settings/apps/new"):
            manifest = json.loads(parse_qs(body.decode())["manifest"][0])
            self.manifests.append(manifest)
            app = self.add_app(len(self.apps) + 7, secret=secrets.token_hex(20))
            app.name, app.redirect_url = manifest["name"], manifest["redirect_url"]
            app.setup_url = manifest["setup_url"]
            app.hook_url = manifest.get("hook_attributes", {}).get("url", "")
            code = secrets.token_hex(10)
            self.codes[code] = app.app_id
            back = urlencode({"code": code, "state": query["state"]})
            return 302, {"location": f"{app.redirect_url}?{back}"}, None
        for app in self.apps.values():
            if path == f"/github-apps/{app.slug}/installations/new":
                installation = self.install(app, "brightwater", *self.repositories)
                told = {"installation_id": installation.installation_id, "setup_action": "install"}
                back = urlencode({**told, "state": query["state"]})
                return 302, {"location": f"{app.setup_url}?{back}"}, None
        return 404, {}, None

    def _converted(self, code: str) -> tuple[int, dict[str, str], Any]:
        app = self.apps.get(self.codes.pop(code, 0))
        if app is None:
            return 404, {}, {"message": "Not Found"}
        made = {"pem": pem_of(app.key), "webhook_secret": app.webhook_secret}
        return 201, {}, app.shown() | made | {"client_id": "Iv1.1", "client_secret": "shh"}

    def _of_app(self, path: str, token: str) -> tuple[int, dict[str, str], Any]:
        app = self._app_of(token)
        if app is None:
            return 401, {}, {"message": "Bad credentials"}
        mine = {i: x for i, x in self.installations.items() if x.app_id == app.app_id}
        if path == "/app":
            return 200, {}, app.shown()
        if path == "/app/installations":
            return 200, {}, [each.shown() for each in mine.values()]
        match = re.fullmatch(r"/app/installations/(\d+)(/access_tokens)?", path)
        installation = mine.get(int(match[1])) if match else None
        if match is None or installation is None:
            return 404, {}, {"message": "Not Found"}
        if not match[2]:
            return 200, {}, installation.shown()
        made = secrets.token_hex(10)
        self._tokens[made] = installation.installation_id
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return 201, {}, {"token": made, "expires_at": ends, "permissions": {"metadata": "read"}}

    def _of_installation(
        self, path: str, query: dict[str, str], token: str, headers: Any
    ) -> tuple[int, dict[str, str], Any]:
        installation = self.installations.get(self._tokens.get(token.removeprefix("token "), 0))
        if installation is None:
            return 401, {}, {"message": "Bad credentials"}
        mine = [self.repositories[i] for i in installation.repositories if i in self.repositories]
        page = int(query.get("page", "1")) - 1
        if path == "/installation/repositories":
            some = mine[page * _PAGE : (page + 1) * _PAGE]
            return 200, {}, {"total_count": len(mine), "repositories": some}
        match = re.fullmatch(r"/repos/([^/]+/[^/]+)/pulls(?:/(\d+))?", path)
        found = [r for r in mine if match and r["full_name"] == match[1]]
        if match is None or not found:
            return 404, {}, {"message": "Not Found"}
        if match[2]:
            pull = self.pulls.get((found[0]["id"], int(match[2])))
            return (200, {}, pull) if pull else (404, {}, {"message": "Not Found"})
        return self._listed(found[0]["id"], page, headers)

    def _listed(
        self, repository_id: int, page: int, headers: Any
    ) -> tuple[int, dict[str, str], Any]:
        pulls = [p for (r, _), p in self.pulls.items() if r == repository_id]
        pulls.sort(key=lambda pull: pull["updated_at"], reverse=True)
        etag = f'W/"{hash(tuple((p["number"], p["updated_at"]) for p in pulls))}"'
        if headers.get("if-none-match") == etag:
            return 304, {"etag": etag}, None
        left_out = ("additions", "deletions", "merged")
        some = pulls[page * _PAGE : (page + 1) * _PAGE]
        shown = [{k: v for k, v in pull.items() if k not in left_out} for pull in some]
        return 200, {"etag": etag}, shown

    def _app_of(self, token: str) -> App | None:
        """The App that signed a word, which is not older than GitHub takes."""
        head, _, tail = token.removeprefix("Bearer ").rpartition(".")
        try:
            claims = json.loads(_unpacked(head.split(".")[1]))
            app = self.apps[int(claims["iss"])]
            public = app.key.public_key()
            public.verify(_unpacked(tail), head.encode(), padding.PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError, KeyError, IndexError):
            return None
        good = claims["exp"] > time.time() and claims["exp"] - claims["iat"] <= 600
        return app if good else None


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextmanager
def serving(github: FakeGithub) -> Iterator[FakeGithub]:
    """GitHub on a port of its own. Its API is where GitHub Enterprise has it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(github.answer))
    server.daemon_threads = True
    github.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield github
    finally:
        github.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(
    answer: Callable[..., tuple[int, dict[str, str], Any]],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            token = self.headers.get("authorization", "")
            status, headers, value = answer(self.command, self.path, token, body, self.headers)
            content = b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("content-type", "application/json")
            if status != 304:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: tests read `asked`."""

    return Handler
