"""The MCP server itself, by the official SDK. Importing it takes a second: see mcp_endpoint.py."""

from collections.abc import Mapping
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tidegate.console.mcp_tools import INSTRUCTIONS, TOOL_TEXTS, ToolText
from tidegate.services.log import Log
from tidegate.services.session_calls import Caller, SessionCalls, Told
from tidegate.store.ports import StoreUnavailable

_MAX_ID_CHARS: Final = 200
_AWAY: Final = Told("The server cannot note this at the moment; go on without it.", is_error=True)

Context = ServerRequestContext[Any, Request]


class McpServer:
    """Tools and nothing else: no prompts, resources, sampling or streams."""

    def __init__(self, calls: SessionCalls, version: str, log: Log) -> None:
        self._calls = calls
        self._log = log
        self._tools = ListToolsResult(tools=[_tool(text) for text in TOOL_TEXTS])
        self._server: Server[Any] = Server(
            "tidegate",
            title="Tidegate",
            version=version,
            instructions=INSTRUCTIONS,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whose caller is in `scope["state"]["mcp_caller"]`.

        Nothing lives between two requests, so each has a manager of its own, which ends with it.
        """
        manager = StreamableHTTPSessionManager(self._server, json_response=True, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    async def _list(
        self, _context: Context, _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return self._tools

    async def _call(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        assert context.request is not None
        caller = caller_of(context.request.state.mcp_caller, context.meta or {})
        try:
            told = await run_in_threadpool(
                self._calls.call, caller, params.name, params.arguments or {}
            )
        except StoreUnavailable:
            told = _AWAY
        except Exception as fault:  # noqa: BLE001 - the border: a model is told what it can act on
            self._log.error("mcp.failed", tool=params.name[:_MAX_ID_CHARS], error=repr(fault))
            told = _AWAY
        return CallToolResult(content=[TextContent(text=told.text)], is_error=told.is_error)


def caller_of(caller: Caller, meta: Mapping[str, Any]) -> Caller:
    """The caller with what its agent says of the call: Codex its session, Claude Code the call."""
    turn = meta.get("x-codex-turn-metadata")
    turn_session = turn.get("session_id") if isinstance(turn, Mapping) else None
    return Caller(
        organization_id=caller.organization_id,
        key_id=caller.key_id,
        launch_id=caller.launch_id,
        client_session=_id(meta.get("sessionId")) or _id(turn_session),
        call_id=_id(meta.get("claudecode/toolUseId")) or _id(meta.get("callId")),
    )


def _id(value: object) -> str:
    is_one = isinstance(value, str) and len(value) <= _MAX_ID_CHARS and value.isprintable()
    return str(value) if is_one else ""


def _tool(text: ToolText) -> Tool:
    return Tool(
        name=text.name,
        title=text.title,
        description=text.description,
        input_schema=text.schema,
        annotations=ToolAnnotations(
            read_only_hint=False,
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=False,
        ),
    )
