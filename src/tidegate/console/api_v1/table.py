"""Ways to declare an operation; what is the same for each of a kind is said here."""

from collections.abc import Callable
from typing import Any

from tidegate.console.access import Need
from tidegate.console.api_v1.operation import Operation

Run = Callable[[Any], Any]


def get(path: str, run: Run, *, need: Need, tag: str, **more: Any) -> Operation:
    """Reads."""
    return Operation(method="GET", path=path, run=run, need=need, tag=tag, status=200, **more)


def create(path: str, run: Run, *, need: Need, tag: str, **more: Any) -> Operation:
    """Makes a thing, found at `item` afterwards."""
    return Operation(method="POST", path=path, run=run, need=need, tag=tag, status=201, **more)


def act(path: str, run: Run, *, need: Need, tag: str, **more: Any) -> Operation:
    """Does something with a thing that is there."""
    return Operation(method="POST", path=path, run=run, need=need, tag=tag, status=200, **more)


def patch(path: str, run: Run, *, need: Need, tag: str, **more: Any) -> Operation:
    """Changes what is given, leaves the rest."""
    return Operation(method="PATCH", path=path, run=run, need=need, tag=tag, status=200, **more)


def put(path: str, run: Run, *, need: Need, tag: str, **more: Any) -> Operation:
    """Replaces the whole."""
    return Operation(method="PUT", path=path, run=run, need=need, tag=tag, status=200, **more)


def delete(path: str, run: Run, *, need: Need, tag: str, **more: Any) -> Operation:
    """Ends a thing."""
    return Operation(method="DELETE", path=path, run=run, need=need, tag=tag, status=204, **more)
