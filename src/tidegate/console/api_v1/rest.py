"""What lies under /api/v1 and is no operation: another method, another path."""

import re
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, compile_path
from starlette.types import Receive, Scope, Send

from tidegate.console.api_v1.operation import PREFIX, Operation
from tidegate.console.api_v1.problems import Kind, ProblemRaised, respond


class Rest(Mount):
    """Stands after the operations' routes; says which methods a path has."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        super().__init__(PREFIX, self._answer)
        methods: dict[str, set[str]] = {}
        for operation in operations:
            own = {"GET", "HEAD"} if operation.method == "GET" else {operation.method}
            methods.setdefault(PREFIX + operation.path, {"OPTIONS"}).update(own)
        self._paths: list[tuple[re.Pattern[str], str]] = [
            (compile_path(path)[0], ", ".join(sorted(allowed))) for path, allowed in methods.items()
        ]

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._respond(Request(scope)) if scope["type"] == "http" else Response()
        await response(scope, receive, send)

    def _respond(self, request: Request) -> Response:
        path = request.url.path
        for pattern, allowed in self._paths:
            if pattern.match(path):
                headers = {"allow": allowed}
                if request.method == "OPTIONS":
                    return Response(status_code=204, headers=headers)
                detail = f"This address takes {allowed}."
                return respond(ProblemRaised(Kind.METHOD, detail, headers=headers))
        return respond(ProblemRaised(Kind.NOT_FOUND, "There is no such address; see openapi.json."))
