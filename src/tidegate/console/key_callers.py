"""Whose agent's key a call of the command line comes with."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from tidegate.console.refusals import ApiRefusal
from tidegate.console.services import ConsoleServices
from tidegate.core.model import KEY_PREFIX, KeyRecord


async def key_of(services: ConsoleServices, request: Request) -> KeyRecord:
    """The key that the bearer is; 401 for a stranger and for one that was switched off."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    key = None
    if scheme.lower() == "bearer" and secret.strip().startswith(KEY_PREFIX):
        key = await run_in_threadpool(services.enrolment.authenticate, secret.strip())
    if key is None or key.disabled:
        raise ApiRefusal(401, "unknown_key", "This key is not known, or was switched off.")
    return key
