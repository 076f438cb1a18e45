"""The OpenAPI 3.1 document, made of the operations and the types that their functions name."""

import inspect
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec

from tidegate.console.access import Need
from tidegate.console.api_v1.endpoint import IDEMPOTENCY_HEADER, REPLAYED_HEADER
from tidegate.console.api_v1.operation import JSON_TYPE, PREFIX, Operation
from tidegate.console.api_v1.problems import PROBLEM_TYPE, Kind, Problem

_REFERENCE: Final = "#/components/schemas/{name}"
_DESCRIPTION: Final = """\
What the console's pages can do, for programs. The same services and checks stand behind both.

Authenticate with a personal access token of yours: `Authorization: Bearer tgp_…`. It acts as you,
in the organization it was made in; a token for reading changes nothing. Money is in integer
nano-USD (1 USD = 1,000,000,000), field names end in `_nusd`. Times are ISO 8601 in UTC.
Fields may be added to answers; unknown fields in requests are refused."""
_ROLES: Final = {
    Need.ANYONE: "Needs no token.",
    Need.MEMBER: "For every member.",
    Need.ADMIN: "For admins and owners.",
    Need.OWNER: "For owners.",
}
_ETAG: Final = {
    "description": "The version of the answer, for `If-None-Match`.",
    "schema": {"type": "string"},
}


def document(
    operations: Sequence[Operation], tags: Mapping[str, str], *, version: str, public_url: str
) -> dict[str, Any]:
    """The whole document."""
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        item = paths.setdefault(PREFIX + operation.path, {})
        item[operation.method.lower()] = _operation(operation, operations, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate",
            "version": version or "0",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": text} for name, text in tags.items()],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {
                _name(kinds): _refusal(kinds, schemas) for kinds in _refusals(operations)
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A personal access token.",
                }
            },
        },
    }


class _Schemas:
    """Every type that is sent or taken, described once."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        types: list[Any] = [Problem]
        for operation in operations:
            if operation.answer is not None:
                types.append(operation.answer)
            if msgspec.structs.fields(operation.body):
                types.append(operation.body)
            types += [f.type for f in msgspec.structs.fields(operation.query)]
        schemas, self.components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
        for component in self.components.values():
            if "description" in component:
                component["description"] = inspect.cleandoc(component["description"])
        self._schemas = list(zip(types, schemas, strict=True))

    def of(self, wanted: Any) -> dict[str, Any]:
        return next(dict(schema) for kind, schema in self._schemas if kind == wanted)


def _operation(
    operation: Operation, operations: Sequence[Operation], schemas: _Schemas
) -> dict[str, Any]:
    summary, more = operation.described
    scope = " Needs a token that may write." if operation.writes else ""
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": summary,
        "description": f"{more}\n\n{_ROLES[operation.need]}{scope}".strip(),
        "parameters": _parameters(operation, schemas),
        "responses": _responses(operation, operations, schemas),
        "x-need": operation.need.value,
    }
    if operation.need is Need.ANYONE:
        described["security"] = []
    if msgspec.structs.fields(operation.body):
        described["requestBody"] = {
            "required": True,
            "content": {JSON_TYPE: {"schema": schemas.of(operation.body)}},
        }
    return described


def _parameters(operation: Operation, schemas: _Schemas) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_]{1,100}$"},
        }
        for name in operation.parameters
    ]
    for field in msgspec.structs.fields(operation.query):
        schema = schemas.of(field.type)
        described = {"description": schema.pop("description")} if "description" in schema else {}
        if not field.required and field.default not in (None, "", msgspec.UNSET):
            schema["default"] = field.default
        name, required = field.encode_name, field.required
        found.append(
            {"name": name, "in": "query", "required": required, "schema": schema} | described
        )
    if operation.creates:
        found.append(_IDEMPOTENCY)
    return found


_IDEMPOTENCY: Final = {
    "name": IDEMPOTENCY_HEADER,
    "in": "header",
    "required": False,
    "description": "Any unique text. The same request sent again with it, within 24 hours, is not"
    " done again: it gets the first one's answer.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


def _responses(
    operation: Operation, operations: Sequence[Operation], schemas: _Schemas
) -> dict[str, Any]:
    responses = {str(operation.status): _success(operation, operations, schemas)}
    if operation.method == "GET" and not operation.file:
        responses["304"] = {
            "description": "Unchanged since the version that If-None-Match names.",
            "headers": {"ETag": _ETAG},
        }
    for status, kinds in groupby(operation.problems, key=lambda kind: kind.status):
        responses[str(status)] = {"$ref": f"#/components/responses/{_name(list(kinds))}"}
    return dict(sorted(responses.items()))


def _success(
    operation: Operation, operations: Sequence[Operation], schemas: _Schemas
) -> dict[str, Any]:
    response: dict[str, Any] = {"description": "Done."}
    headers: dict[str, Any] = {}
    if operation.file:
        response["content"] = {operation.media_type: {"schema": {"type": "string"}}}
    if operation.answer is not None:
        response["content"] = {JSON_TYPE: {"schema": schemas.of(operation.answer)}}
    if operation.method == "GET" and not operation.file:
        headers["ETag"] = _ETAG
    if operation.creates:
        headers[REPLAYED_HEADER] = {
            "description": "Set on an answer that was given before.",
            "schema": {"const": "true"},
        }
    if operation.item:
        headers["Location"] = {
            "description": "Where it is found.",
            "schema": {"type": "string", "format": "uri-reference"},
        }
        response["links"] = _links(operation, operations)
    if headers:
        response["headers"] = headers
    return response


def _links(operation: Operation, operations: Sequence[Operation]) -> dict[str, Any]:
    """What can be done with the thing just made."""
    parameter = operation.item.partition("{")[2].rstrip("}")
    return {
        other.name: {
            "operationId": other.name,
            "parameters": {f"path.{parameter}": "$response.body#/id"},
        }
        for other in operations
        if other.parameters == [parameter]
    }


def _refusals(operations: Sequence[Operation]) -> list[list[Kind]]:
    """The kinds that share a status, for each operation; each such set once."""
    found: dict[str, list[Kind]] = {}
    for operation in operations:
        for _, kinds in groupby(operation.problems, key=lambda kind: kind.status):
            together = list(kinds)
            found.setdefault(_name(together), together)
    return sorted(found.values(), key=lambda kinds: (kinds[0].status, _name(kinds)))


def _name(kinds: Sequence[Kind]) -> str:
    return "-or-".join(kind.code for kind in kinds)


def _refusal(kinds: Sequence[Kind], schemas: _Schemas) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": " ".join(f"{kind.title}. {kind.remedy}" for kind in kinds),
        "content": {PROBLEM_TYPE: {"schema": schemas.of(Problem)}},
    }
    if Kind.UNAUTHENTICATED in kinds:
        response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return response
