"""One operation of the API, declared once: its route, checks and description follow from it.

What an operation takes and gives is read from the annotations of its function, so that nothing
can be described other than it is.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import msgspec

from tidegate.console.access import Need
from tidegate.console.api_v1.problems import Kind
from tidegate.console.services import ConsoleServices
from tidegate.services.audit import Actor
from tidegate.services.log_table import Form
from tidegate.services.logins import Viewer

PREFIX = "/api/v1"
JSON_TYPE = "application/json"
_PARAMETER = re.compile(r"\{(\w+)\}")


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The operation takes no parameters."""


class NoBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The operation takes no body."""


Query_co = TypeVar("Query_co", bound=msgspec.Struct, covariant=True)
Body_co = TypeVar("Body_co", bound=msgspec.Struct, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Query_co, Body_co]):
    """A request that is authenticated, allowed and parsed."""

    services: ConsoleServices
    viewer: Viewer
    actor: Actor
    path: Mapping[str, str]  # the ids in the path
    query: Query_co
    body: Body_co
    now_us: int
    public_url: str

    @property
    def organization_id(self) -> str:
        return self.viewer.organization_id


@dataclass(frozen=True, slots=True)
class File:
    """An answer that is no JSON document, made while it is sent."""

    form: Form
    parts: Iterator[bytes]
    name: str  # without a suffix


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields of a patch that were sent."""
    values = {name: getattr(body, name) for name in body.__struct_fields__}
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """`run` is a function of a `Call[Query, Body]`; it works in a thread."""

    method: str
    path: str  # below the prefix
    run: Callable[[Call[Any, Any]], Any]
    need: Need
    tag: str
    status: int
    item: str = ""  # path of what was made, for Location
    fields: Mapping[str, str] = field(default_factory=dict)  # a service's field → ours
    conflicts: bool = False
    forbids: bool = False  # refuses by more than role and scope
    may_lack: bool = False  # what it is about need not be there
    version: Callable[[Call[Any, Any]], str] | None = None  # of the answer; cheaper than it
    file: Form | None = None  # it answers with a file of that form

    @property
    def name(self) -> str:
        return self.run.__name__

    @property
    def writes(self) -> bool:
        """Whether a read-only token is refused."""
        return self.method != "GET"

    @property
    def creates(self) -> bool:
        """Whether an Idempotency-Key is heeded."""
        return self.method == "POST"

    @cached_property
    def query(self) -> type[msgspec.Struct]:
        return self._types[0]

    @cached_property
    def body(self) -> type[msgspec.Struct]:
        return self._types[1]

    @cached_property
    def answer(self) -> Any:
        """The type of the answer's body; None for none."""
        answer = get_type_hints(self.run)["return"]
        return None if answer in {type(None), File} else answer

    @property
    def media_type(self) -> str:
        """Of an answer that is no refusal."""
        return self.file.media_type.partition(";")[0] if self.file else JSON_TYPE

    @property
    def parameters(self) -> list[str]:
        """The names in the path."""
        return _PARAMETER.findall(self.path)

    @property
    def described(self) -> tuple[str, str]:
        """Summary and description: the function's docstring."""
        summary, _, more = (inspect.getdoc(self.run) or "").partition("\n\n")
        return summary.rstrip("."), more

    @cached_property
    def field_names(self) -> dict[str, str]:
        """A service's name of a field → the name that the caller knows it by."""
        own = {f.encode_name for t in self._types for f in msgspec.structs.fields(t)}
        return {name: name for name in own} | dict(self.fields)

    @property
    def problems(self) -> list[Kind]:
        """Every kind of refusal that it may answer with."""
        kinds = {
            Kind.MALFORMED,
            Kind.INVALID,
            Kind.NOT_ACCEPTABLE,
            Kind.UNAVAILABLE,
            Kind.FAILED,
        }
        if self.need is not Need.ANYONE:
            kinds.add(Kind.UNAUTHENTICATED)
        if self.need in {Need.ADMIN, Need.OWNER} or self.forbids:
            kinds.add(Kind.FORBIDDEN)
        if self.writes:
            kinds |= {Kind.READ_ONLY_TOKEN, Kind.TOO_LARGE, Kind.MEDIA_TYPE}
        if self.creates:
            kinds.add(Kind.IDEMPOTENCY)
        if self.conflicts:
            kinds.add(Kind.CONFLICT)
        if self.parameters or self.may_lack:
            kinds.add(Kind.NOT_FOUND)
        return sorted(kinds, key=lambda kind: (kind.status, kind.code))

    @cached_property
    def _types(self) -> tuple[type[msgspec.Struct], type[msgspec.Struct]]:
        call = get_type_hints(self.run)["call"]
        query, body = get_args(call)
        return query, body
