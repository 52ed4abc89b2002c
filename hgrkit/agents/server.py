"""The MCP server: registers the tools, turns their errors into one line, and serves them by stdio or HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import CallToolResult, InputRequiredResult, ToolAnnotations
from pydantic import ValidationError

import hgrkit
from hgrkit.agents.tools import VideoTools
from hgrkit.errors import ConfigError, HgrkitError
from hgrkit.retriever import Retriever

__all__ = ["HOST", "LibraryServer", "serve_http"]

HOST = "127.0.0.1"
"""The only address that is served: the protocol has no password that every client can be given."""

_INSTRUCTIONS = (
    "Searches a library of videos with sentences. search_video finds moments: write what is seen, as one plain "
    "sentence with who does what to whom. If `matched` is false, say that nothing was found. Check a hit with "
    "show_hit before you rely on it. Times are seconds from a video's beginning."
)


class LibraryServer(MCPServer[Any]):
    """Serves a library to agents.

    Args:
        retriever: open to read; searched from several threads.
        clips_out: the folder that cut clips go into; made for the first.
        any_example: searches may name any picture or video of this machine as an example.
    """

    def __init__(self, retriever: Retriever, *, clips_out: Path, any_example: bool) -> None:
        super().__init__(
            "hgrkit",
            version=hgrkit.__version__,
            instructions=_INSTRUCTIONS,
            log_level="ERROR",
            subscriptions=False,
        )
        tools = VideoTools(retriever, clips_out=clips_out, any_example=any_example)
        for tool in (tools.search_video, tools.show_hit, tools.list_videos):
            self.add_tool(tool, annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
        adds = ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
        )
        self.add_tool(tools.cut_clip, annotations=adds)

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; what goes wrong is one line that says what to do.

        Raises:
            ToolError: as the protocol's package does, in one line.
        """
        schemas = {tool.name: tool.input_schema for tool in await self.list_tools()}
        if name not in schemas:
            raise ToolError(f"there is no tool {name!r}; tools: {', '.join(schemas)}.")
        takes = schemas[name].get("properties", {})
        unknown = [argument for argument in arguments if argument not in takes]
        if unknown:  # the protocol's package would drop it, and the agent would not know
            raise ToolError(f"{name} has no argument {unknown[0]!r}; it takes {', '.join(takes)}.")
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                raise ToolError(f"{name}: {_first_mistake(cause)}.") from cause
            if isinstance(cause, HgrkitError | OSError):
                raise ToolError(" ".join(str(cause).split())) from cause
            raise


def _first_mistake(error: ValidationError) -> str:
    """Which argument is wrong, and how."""
    mistakes = error.errors(include_url=False)
    place = ".".join(map(str, mistakes[0]["loc"]))
    said = mistakes[0]["msg"].removeprefix("Input should be ")
    missing = mistakes[0]["type"] == "missing"
    return (
        f"the argument {place} is missing" if missing else f"{place} must be {said}, got {mistakes[0]['input']!r}"
    )


def serve_http(server: LibraryServer, port: int, *, on_ready: Callable[[str], object]) -> None:
    """Serve by streamable HTTP on this machine alone, until interrupted.

    A page of another site that a browser is made to send here is refused by its Host or Origin header.

    Args:
        server: what to serve.
        port: 0 for any that is free.
        on_ready: told the address once it can be reached.

    Raises:
        ConfigError: if the port cannot be had.
    """
    listening = _listen(port)
    with listening:
        authority = f"{HOST}:{listening.getsockname()[1]}", f"localhost:{listening.getsockname()[1]}"
        app = server.streamable_http_app(
            stateless_http=True,
            json_response=True,
            transport_security=TransportSecuritySettings(
                allowed_hosts=list(authority), allowed_origins=[f"http://{own}" for own in authority]
            ),
        )
        config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=5)
        on_ready(f"http://{authority[0]}/mcp")
        uvicorn.Server(config).run(sockets=[listening])


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"port {port} of {HOST} cannot be had ({reason}); choose another with --port."
        ) from error
