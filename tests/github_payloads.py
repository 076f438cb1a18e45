"""Payloads of webhooks as GitHub sends them: real samples with values of our own in them."""

import copy
import hashlib
import hmac
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

_SAMPLES = Path(__file__).parent / "github_samples"
SECRET = "a secret that nobody guesses"
SECOND_US = 1_000_000
START_US = 1_772_323_200 * SECOND_US  # 2026-03-01


def sample(name: str) -> dict[str, Any]:
    """A copy of a sample, for its holder to change."""
    found: dict[str, Any] = copy.deepcopy(_read(name))
    return found


def at(seconds: int) -> str:
    """A time as GitHub writes it, so many seconds after the start."""
    moment = datetime.fromtimestamp(START_US // SECOND_US + seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def at_us(seconds: int) -> int:
    return START_US + seconds * SECOND_US


def repository(
    repository_id: int, full_name: str, seconds: int, *, installation_id: int = 1
) -> dict[str, Any]:
    """What events say of a repository."""
    found: dict[str, Any] = sample("repository_edited")["repository"]
    name = full_name.rpartition("/")[2]
    return found | {
        "id": repository_id,
        "full_name": full_name,
        "name": name,
        "default_branch": "main",
        "created_at": at(0),
        "updated_at": at(seconds),
    }


def pull_request(
    of: dict[str, Any], number: int, seconds: int, *, installation_id: int = 1, **changes: Any
) -> dict[str, Any]:
    """An event of a pull request; `changes` are fields of it, and the action."""
    found = sample("pull_request_opened")
    found["action"] = changes.pop("action", "edited")
    found["number"] = number
    found["repository"] = of
    found["installation"] = {"id": installation_id}
    head = changes.pop("head", "work")
    found["pull_request"] |= {
        "number": number,
        "created_at": at(changes.pop("opened", 0)),
        "updated_at": at(seconds),
        **changes,
    }
    found["pull_request"]["head"] |= {"ref": head, "repo": of}
    found["pull_request"]["base"] |= {"ref": "main", "repo": of}
    return found


def merged(seconds: int) -> dict[str, Any]:
    """The fields of a pull request that was merged."""
    when = at(seconds)
    return {
        "action": "closed",
        "state": "closed",
        "merged": True,
        "merged_at": when,
        "closed_at": when,
    }


def renamed(
    repository_id: int, before: str, after: str, seconds: int, *, installation_id: int = 1
) -> dict[str, Any]:
    found = sample("repository_renamed")
    found["repository"] = repository(repository_id, after, seconds)
    found["changes"]["repository"]["name"]["from"] = before.rpartition("/")[2]
    found["installation"] = {"id": installation_id}
    return found


def transferred(
    repository_id: int, before: str, after: str, seconds: int, *, installation_id: int = 1
) -> dict[str, Any]:
    found = sample("repository_transferred")
    found["repository"] = repository(repository_id, after, seconds)
    found["changes"]["owner"]["from"]["user"]["login"] = before.partition("/")[0]
    found["installation"] = {"id": installation_id}
    return found


def push(of: dict[str, Any], branch: str, *, forced: bool = False) -> dict[str, Any]:
    found = sample("push")
    found |= {"ref": f"refs/heads/{branch}", "forced": forced, "repository": of}
    found["installation"] = {"id": 1}
    return found


def repositories_added(
    installation_id: int, names: dict[int, str], seconds: int, *, removed: bool = False
) -> dict[str, Any]:
    found = sample("installation_repositories_added")
    some = [{"id": i, "full_name": n, "private": False} for i, n in names.items()]
    found["action"] = "removed" if removed else "added"
    found["repositories_added"], found["repositories_removed"] = (
        ([], some) if removed else (some, [])
    )
    found["installation"] |= {"id": installation_id, "app_id": 7, "updated_at": at(seconds)}
    return found


def body_of(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload).encode()


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@cache
def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_SAMPLES / f"{name}.json").read_text())
    return found
