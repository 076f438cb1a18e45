"""Sending our own forms, plain or as htmx does."""

from httpx2 import Response
from starlette.testclient import TestClient

from tidegate.console import csrf

HTMX = {"hx-request": "true"}


def send(
    client: TestClient, path: str, fields: dict[str, str] | None = None, *, htmx: bool = False
) -> Response:
    """POST a form as a page of ours would, signed in."""
    token = csrf.token_for(client.cookies["tidegate_login"])
    data = {csrf.FIELD: token} | (fields or {})
    return client.post(path, data=data, headers=HTMX if htmx else {})
