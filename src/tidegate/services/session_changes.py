"""What people change of sessions: the name, and what a session is said to have worked on.

A person's word wins over what was found, for the whole session, until it is taken back.
"""

from typing import Final

from tidegate.core.attribution import Kind
from tidegate.core.remotes import branch_of, pull_request_of, repository_of
from tidegate.services import audit, fields
from tidegate.services.audit import Action, Actor
from tidegate.services.context import Service
from tidegate.services.errors import InvalidField, NotFound

__all__ = ["CORRECTED", "Kind", "SessionChanges"]

CORRECTED: Final = (Kind.REPOSITORY, Kind.BRANCH, Kind.PULL_REQUEST)
_DEFAULT_HOST: Final = "github.com"
_NO_SESSION: Final = "There is no such session."
_NO_CORRECTION: Final = "There is nothing to take back: nobody corrected this."
_INVALID: Final = {
    Kind.REPOSITORY: "This is no repository; write it like github.com/acme/app.",
    Kind.BRANCH: "This is no name that git takes for a branch.",
    Kind.PULL_REQUEST: "This is no pull request; write it like github.com/acme/app#12.",
}


class SessionChanges(Service):
    """Whoever calls has made sure that the actor may change the session."""

    def rename(self, organization_id: str, session_id: str, name: str, *, actor: Actor) -> str:
        """Name a session; agents leave the name alone then."""
        chosen = fields.display_name(name, field="name")
        links = self._store.usage.links
        if links.set_name(organization_id, session_id, chosen, method="person"):
            self._audit(actor, "session.rename", organization_id, session_id, {"name": chosen})
        return chosen

    def correct(
        self,
        organization_id: str,
        session_id: str,
        kind: str,
        text: str,
        *,
        repository: str = "",
        actor: Actor,
    ) -> str:
        """Say what a session worked on: nothing at all if empty. A number alone is a pull request
        of `repository`. What was understood is returned."""
        chosen = corrected_kind(kind)
        value = _value(chosen, text.strip(), repository)
        done = self._store.usage.links.correct(
            organization_id,
            session_id,
            chosen,
            value,
            at_us=self._clock(),
            member_id=actor.who,
        )
        if not done:
            raise NotFound(_NO_SESSION)
        told = {"kind": chosen.value, "value": value or "none"}
        self._audit(actor, "session.correct", organization_id, session_id, told)
        return value

    def withdraw(self, organization_id: str, session_id: str, kind: str, *, actor: Actor) -> None:
        """Take corrections of a kind back: what was found holds again."""
        chosen = corrected_kind(kind)
        if not self._store.usage.links.withdraw(organization_id, session_id, chosen):
            raise NotFound(_NO_CORRECTION)
        told = {"kind": chosen.value}
        self._audit(actor, "session.withdraw", organization_id, session_id, told)

    def _audit(
        self, actor: Actor, name: str, organization_id: str, session_id: str, detail: dict[str, str]
    ) -> None:
        with self._directory.changing() as change:
            action = Action(name, organization_id, session_id, detail)
            audit.record(change, actor, action, self._clock())


def corrected_kind(kind: str) -> Kind:
    """A kind of link that people may correct, or NotFound."""
    if kind not in CORRECTED:
        raise NotFound("There is no such part of a session.")
    return Kind(kind)


def _value(kind: Kind, text: str, repository: str) -> str:
    if not text:
        return ""
    found = ""
    if kind is Kind.REPOSITORY:
        found = repository_of(text, default_host=_DEFAULT_HOST) or ""
    elif kind is Kind.BRANCH:
        found = branch_of(text)
    elif named := pull_request_of(text, repository):
        found = named.value
    if not found:
        raise InvalidField(_INVALID[kind], field="value")
    return found
