"""The share links of a session that work now, as its page and its dialog list them."""

from dataclasses import dataclass
from typing import Final

from tidegate.console.dialogs import Dialogs, Moment
from tidegate.services.logins import Viewer
from tidegate.services.session_shares import Hidden, ShareRecord

HIDDEN: Final = ("names", "costs", "repositories")


@dataclass(frozen=True)
class ShareLine:
    """A link that is good, on the session's page and in the dialog."""

    share_id: str
    made: Moment
    expires: Moment
    maker: str
    hides: str  # in words
    views: str
    last_view: Moment | None


def share_lines(dialogs: Dialogs, viewer: Viewer, records: list[ShareRecord]) -> list[ShareLine]:
    names = dialogs.services.session_reports.names(
        viewer.organization_id, {record.made_by for record in records}
    )
    return [
        ShareLine(
            share_id=record.share_id,
            made=dialogs.moment(viewer, record.created_us),
            expires=dialogs.moment(viewer, record.expires_us),
            maker=names.get(record.made_by, "the command line"),
            hides=hides_text(record),
            views="looked at once" if record.views == 1 else f"looked at {record.views:,} times",
            last_view=dialogs.moment(viewer, record.last_view_us) if record.last_view_us else None,
        )
        for record in records
    ]


def hidden_of(record: ShareRecord) -> Hidden:
    """What a link hides."""
    return Hidden(record.hides_names, record.hides_costs, record.hides_repositories)


def hides_text(record: ShareRecord) -> str:
    """What a link hides, in words."""
    hidden = hidden_of(record)
    found = [word for word in HIDDEN if getattr(hidden, word)]
    return ", ".join(found)
