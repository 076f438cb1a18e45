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
    for patterns in (organization.allowed_models, squad_models, key.allowed_models):
        if patterns and not any(fnmatchcase(model, pattern) for pattern in patterns):
            return errors.model_not_allowed(model)
    return None
