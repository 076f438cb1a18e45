"""May this request proceed? A pure function of the directory's records."""

from fnmatch import fnmatchcase

from tidegate.core import errors
from tidegate.core.errors import Failure
from tidegate.core.model import KeyRecord, OrganizationRecord


def refuse(
    key: KeyRecord,
    organization: OrganizationRecord,
    model: str | None,
    squad_models: tuple[str, ...] = (),
) -> Failure | None:
    """Return why `key` may not use `model`, or None when it may.

    `model` is None where none is asked for. The organization's, the squad's and the key's lists of
    globs must all allow it; an empty list allows all.
    """
    if key.disabled:
        return errors.key_disabled()
    if model is None:
        return None
    if not allows(model, organization.allowed_models, squad_models, key.allowed_models):
        return errors.model_not_allowed(model)
    return None


def allows(model: str, *lists: tuple[str, ...]) -> bool:
    """Whether every list has a pattern that fits the model; an empty one allows all."""
    return all(
        any(fnmatchcase(model, pattern) for pattern in patterns) for patterns in lists if patterns
    )
