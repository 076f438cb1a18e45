"""Addresses of GitHub and of GitHub Enterprise, and the manifest that makes an App of ours."""

import ipaddress
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from tidegate.services import fields
from tidegate.services.errors import InvalidField

GITHUB: Final = "https://github.com"
_GITHUB_API: Final = "https://api.github.com"
_RESIDENT: Final = ".ghe.com"  # GitHub Enterprise Cloud with data residency
_NAME_CHARS: Final = 34  # of an App
PERMISSIONS: Final = {"metadata": "read", "pull_requests": "read"}
EVENTS: Final = ("pull_request", "repository")
"""Those of installations come to every App without being asked for."""


class Addresses(msgspec.Struct, frozen=True):
    """Where a GitHub's pages and its API are; neither ends in a slash."""

    web_url: str
    api_url: str

    @property
    def is_github(self) -> bool:
        return self.web_url == GITHUB

    def new_app(self, owner: str, state: str) -> str:
        """Where a manifest is sent to, for a person or for an organization there."""
        of = f"/organizations/{quote(owner, safe='')}" if owner else ""
        return f"{self.web_url}{of}/settings/apps/new?state={quote(state, safe='')}"

    def app(self, slug: str) -> str:
        """The App's page."""
        kind = "apps" if self.is_github or self.web_url.endswith(_RESIDENT) else "github-apps"
        return f"{self.web_url}/{kind}/{quote(slug, safe='')}"

    def install(self, slug: str, state: str) -> str:
        """Where the App is installed, and repositories are chosen."""
        return f"{self.app(slug)}/installations/new?state={quote(state, safe='')}"


def addresses(web_url: str) -> Addresses:
    """Of the address that a person sees in the browser; empty: GitHub's own. InvalidField."""
    text = web_url.strip()
    if text and "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(fields.base_url(text or GITHUB))
    except InvalidField:
        raise _no_address(web_url) from None
    host = (parts.hostname or "").lower()
    if parts.path not in {"", "/"}:
        raise _no_address(web_url)
    if parts.scheme != "https" and not _is_loopback(host):
        raise InvalidField(
            "GitHub is asked by https:// only, as the App's key goes along.", field="web_url"
        )
    shown = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port and parts.port != 443 else ""
    if host.removeprefix("www.").removeprefix("api.") == urlsplit(GITHUB).hostname:
        return Addresses(GITHUB, _GITHUB_API)
    web = f"{parts.scheme}://{shown}{port}"
    if host.endswith(_RESIDENT):
        return Addresses(web, f"https://api.{host}")
    return Addresses(web, f"{web}/api/v3")


def setup_url(public_url: str) -> str:
    """Where GitHub brings the browser back to when an App was installed."""
    return f"{public_url.rstrip('/')}/settings/github/installed"


def is_reachable(public_url: str, web_url: str) -> bool:
    """Whether GitHub might send webhooks here: not from the internet to this very machine."""
    here = (urlsplit(public_url).hostname or "").lower()
    there = (urlsplit(web_url).hostname or "").lower()
    return not _is_loopback(here) or _is_loopback(there)


def manifest(
    *, organization_name: str, public_url: str, hook_url: str, web_url: str
) -> dict[str, Any]:
    """What we ask GitHub to make: least rights, and nobody but its owner can install it."""
    base = public_url.rstrip("/")
    made: dict[str, Any] = {
        "name": f"Tidegate {organization_name}"[:_NAME_CHARS].strip(),
        "url": base,
        "redirect_url": f"{base}/settings/github/created",
        "setup_url": setup_url(public_url),
        "setup_on_update": True,
        "public": False,
        "default_permissions": PERMISSIONS,
        "default_events": list(EVENTS),
        "description": "Shows what each repository and pull request cost. Reads, never writes.",
    }
    if is_reachable(public_url, web_url):
        made["hook_attributes"] = {"url": hook_url, "active": True}
    return made


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _no_address(text: str) -> InvalidField:
    shown = text.strip()[:80]
    return InvalidField(
        f"{shown} is no address of GitHub; write it like https://github.example.com.",
        field="web_url",
    )
