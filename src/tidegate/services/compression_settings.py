"""How an organization's tool results are compressed; it counts for new sessions."""

from typing import Final

from tidegate.core.model import OrganizationRecord
from tidegate.services.audit import Actor
from tidegate.services.errors import InvalidField
from tidegate.services.organization_changes import OrganizationChanges

LEVELS: Final = ("lossless", "references", "trims")
MAX_HOLDOUT_PERMILLE: Final = 500


class CompressionSettings(OrganizationChanges):
    """Sets level, default, lock and holdout. Running sessions stay as they began."""

    def set(
        self,
        organization_id: str,
        *,
        level: str | None = None,
        default: bool | None = None,
        locked: bool | None = None,
        holdout_permille: int | None = None,
        actor: Actor,
    ) -> OrganizationRecord:
        """Change what is given. `default` is for new keys, and for all of them while locked."""
        if level is not None and level not in LEVELS:
            raise InvalidField(f"The level is one of {', '.join(LEVELS)}.", field="level")
        if holdout_permille is not None and not 0 <= holdout_permille <= MAX_HOLDOUT_PERMILLE:
            raise InvalidField("The holdout share is 0 to 50 %.", field="holdout")
        given = {
            "compression_level": level,
            "compression_default": default,
            "compression_locked": locked,
            "holdout_permille": holdout_permille,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        return self._change(organization_id, changes, actor)
