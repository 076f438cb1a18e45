"""The description of the API: complete, and true to the table that it is made of."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.console.api_v1.programs import Programs

from tidegate.console.access import Need
from tidegate.console.api_v1.api import TABLE, TAGS
from tidegate.console.api_v1.operation import PREFIX
from tidegate.console.api_v1.problems import Kind

GUIDE = Path(__file__).parents[4] / "docs" / "api.md"


@pytest.fixture
def document(programs: Programs) -> dict[str, Any]:
    found: dict[str, Any] = programs.client().get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def test_every_operation_is_described_once(document: dict[str, Any]) -> None:
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    table = {(operation.method, PREFIX + operation.path) for operation in TABLE}
    assert described == table | {("GET", f"{PREFIX}/openapi.json")}
    names = [operation["operationId"] for operation in operations(document)]
    assert len(names) == len(set(names))


def test_every_operation_says_what_it_is_and_who_may(document: dict[str, Any]) -> None:
    for operation in operations(document):
        assert operation["summary"]
        assert operation["tags"][0] in TAGS
        open_to_all = operation["x-need"] == Need.ANYONE
        assert ("401" in operation["responses"]) == (not open_to_all)
        assert operation.get("security", document["security"]) == (
            [] if open_to_all else [{"token": []}]
        )


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert found
    for reference in found:
        place: Any = document
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]
        assert place


def test_what_is_sent_is_closed_and_what_is_answered_may_grow(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for operation in operations(document):
        if "requestBody" in operation:
            (name,) = references(operation["requestBody"])
            assert schemas[name.rpartition("/")[2]]["additionalProperties"] is False
        for name in references(operation["responses"].get("200", {})):
            assert "additionalProperties" not in schemas[name.rpartition("/")[2]]


def test_the_document_is_small_enough_to_send(programs: Programs) -> None:
    answer = programs.client().get("/openapi.json")
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < 20_000


def test_the_guide_names_every_resource_and_status() -> None:
    guide = GUIDE.read_text()
    for operation in TABLE:
        resource = "/".join(operation.path.split("/")[: 3 if "/me" in operation.path else 2])
        assert f"`{resource.partition('/{')[0]}" in guide
    told = {int(status) for status in re.findall(r"\b[45]\d\d\b", guide)}
    assert {kind.status for kind in Kind} - {500} <= told
