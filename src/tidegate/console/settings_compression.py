"""Settings: how tool results are compressed, for whom, and what it was measured to change."""

from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from tidegate.console import formats
from tidegate.console.dialogs import actor_of
from tidegate.console.formats import DASH
from tidegate.console.log_compression import LEVELS
from tidegate.console.settings_form import OrganizationForm
from tidegate.core.comparison import SessionGroup
from tidegate.core.model import OrganizationRecord
from tidegate.services.compression_report import Comparison
from tidegate.services.compression_settings import MAX_HOLDOUT_PERMILLE
from tidegate.services.errors import InvalidField
from tidegate.services.logins import Viewer

_HONEST: Final = {
    "lossless": "Says the same in less: line numbers only now and then, a path or folder once"
    " instead of on each line, no colour codes. Nothing is left out: the gateway rebuilds every"
    " result from what it made and sends the original on any difference.",
    "references": "Also: lines that an earlier result of the same request shows already are named"
    " where they stood instead of repeated.",
    "trims": "Also leaves out passing tests, progress, echoes of edits and runs of similar lines;"
    " each gap says in its place how to see them. Lines of files and errors stay, but it is not"
    " lossless.",
}


@dataclass(frozen=True, slots=True)
class Level:
    name: str
    title: str
    what: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One line: the same figure of both kinds of sessions."""

    title: str
    compressed: str
    held_out: str


@dataclass(frozen=True, slots=True)
class ComparisonView:
    lines: list[Compared]
    told: str
    enough: bool


class CompressionPage(OrganizationForm):
    PATH = "/settings/compression"
    SECTION = "compression"
    SAVED = "Saved. It counts for new sessions."

    def _set(
        self, request: Request, viewer: Viewer, fields: dict[str, str], now: OrganizationRecord
    ) -> None:
        self._services.compression.set(
            viewer.organization_id,
            level=fields.get("level", ""),
            default=fields.get("default") == "yes",
            locked=fields.get("locked") == "yes",
            holdout_permille=read_share(fields.get("holdout", "")),
            actor=actor_of(request, viewer),
        )

    def _compared(self, now: OrganizationRecord) -> tuple[object, ...]:
        return (
            now.compression_level,
            now.compression_default,
            now.compression_locked,
            now.holdout_permille,
        )

    def _values(self, now: OrganizationRecord) -> dict[str, str]:
        return {
            "level": now.compression_level,
            "default": "yes" if now.compression_default else "",
            "locked": "yes" if now.compression_locked else "",
            "holdout": share_text(now.holdout_permille),
        }

    def _more(self, viewer: Viewer, now: OrganizationRecord) -> dict[str, Any]:
        found = self._services.compression_reports.comparison(
            viewer.organization_id, self._web.clock()
        )
        return {
            "levels": [Level(name, LEVELS[name], what) for name, what in _HONEST.items()],
            "comparison": comparison_view(found),
        }


def comparison_view(found: Comparison) -> ComparisonView | None:
    """None where no session was left out."""
    compressed, held_out = found.compressed, found.held_out
    if not held_out.sessions:
        return None
    return ComparisonView(
        lines=[
            Compared(title, of(compressed), of(held_out))
            for title, of in (
                ("Sessions", lambda group: formats.count(group.sessions)),
                ("Requests per session", _requests),
                ("Input tokens per request", _prompt),
                ("Cost per request, at list price", _cost),
                ("Input tokens read from the cache", _cached),
            )
        ],
        told=_verdict(found),
        enough=found.difference is not None,
    )


def share_text(permille: int) -> str:
    """`12.5`, `5`."""
    return f"{permille // 10}.{permille % 10}" if permille % 10 else str(permille // 10)


def read_share(text: str) -> int:
    """A share of a hundred with at most one decimal, in thousandths; nothing is 0."""
    whole, _, tenths = text.strip().removesuffix("%").strip().replace(",", ".").partition(".")
    digits = f"{whole or '0'}{tenths or '0'}"
    if not (digits.isascii() and digits.isdigit() and len(whole) <= 3 and len(tenths) <= 1):
        raise InvalidField("Write a number like 5 or 2.5.", field="holdout")
    permille = int(digits)
    if permille > MAX_HOLDOUT_PERMILLE:
        raise InvalidField("At most 50 %.", field="holdout")
    return permille


def _verdict(found: Comparison) -> str:
    if found.difference is not None:
        least, most = sorted((found.difference.least, found.difference.most))
        return (
            f"A request of a compressed session costs {_signed(found.difference.share)}; in 95 of"
            f" 100 such comparisons the truth lies between {_signed(least)} and {_signed(most)}."
        )
    if found.needed is None:
        return "There are too few sessions yet even to say how many are needed."
    kinds = f"{formats.count(found.held_out.sessions)} of about {formats.count(found.needed)}"
    return (
        f"Too few to say anything: {kinds} left-out sessions. Sessions differ so much here that it"
        " takes that many, and as many compressed ones, to see a difference of 10 %."
    )


def _signed(share: float) -> str:
    percent = abs(share) * 100
    return f"{percent:.1f} % {'less' if share >= 0 else 'more'}"


def _requests(group: SessionGroup) -> str:
    return f"{group.requests / group.sessions:.1f}" if group.sessions else DASH


def _prompt(group: SessionGroup) -> str:
    return formats.count(round(group.prompt_tokens / group.requests)) if group.requests else DASH


def _cost(group: SessionGroup) -> str:
    return formats.fine_money(group.cost_nusd // group.requests) if group.requests else DASH


def _cached(group: SessionGroup) -> str:
    tokens = group.prompt_tokens
    return f"{100 * group.cache_read_tokens / tokens:.1f} %" if tokens else DASH
