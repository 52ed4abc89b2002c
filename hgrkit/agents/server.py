"""The MCP server: registers the tools, turns their errors into one line, and serves them by stdio or HTTP."""

from __future__ import annotations

import hmac
import ipaddress
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
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

import hgrkit
from hgrkit.agents.tools import VideoTools
from hgrkit.errors import ConfigError, HgrkitError
from hgrkit.retriever import Retriever

__all__ = ["HOST", "LibraryServer", "serve_http"]

HOST = "127.0.0.1"
"""The address that is served unless another one is asked for: only this machine can connect to it."""

_SHORTEST_TOKEN = 16
"""Characters; 16 random letters and digits are beyond what guesses over a network can try."""

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


def serve_http(
    server: LibraryServer,
    port: int,
    *,
    host: str = HOST,
    token: str | None = None,
    on_ready: Callable[[str], object],
) -> None:
    """Serve by streamable HTTP until interrupted.

    Without a token the Host and Origin headers must name this very server, so that a page of another site that a
    browser is made to send here is refused. With a token every request must carry it, which no such page can.

    Args:
        server: what to serve.
        port: 0 for any that is free.
        host: the address to listen at.
        token: what clients send as `Authorization: Bearer TOKEN`; needed where other machines can connect.
        on_ready: told the address once it can be reached.

    Raises:
        ConfigError: if others can connect and there is no token, if the token is short, or the address cannot be
            had.
    """
    _check_token(host, token)
    with _listen(host, port) as listening:
        port = listening.getsockname()[1]
        names = {host, HOST, "localhost"} if _is_loopback(host) else {host}
        own = [f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in sorted(names)]
        security = TransportSecuritySettings(
            enable_dns_rebinding_protection=token is None,
            allowed_hosts=own,
            allowed_origins=[f"http://{name}" for name in own],
        )
        app: ASGIApp = server.streamable_http_app(
            stateless_http=True, json_response=True, host=host, transport_security=security
        )
        config = uvicorn.Config(
            app if token is None else _TokenGuard(app, token),
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=5,
        )
        on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/mcp")
        uvicorn.Server(config).run(sockets=[listening])


class _TokenGuard:
    """Lets requests pass that carry the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._expected = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("authorization", "") if scope["type"] == "http" else ""
        # compared in a time that says nothing of where the two differ
        if scope["type"] != "http" or hmac.compare_digest(given.encode("utf-8", "replace"), self._expected):
            await self._app(scope, receive, send)
            return
        line = "this server needs its token; send the header Authorization: Bearer TOKEN."
        await JSONResponse({"error": line}, 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)


def _check_token(host: str, token: str | None) -> None:
    if token is None and not _is_loopback(host):
        raise ConfigError(
            f"at {host!r} other machines can connect; give a token that they have to know (--token), or serve at "
            f"{HOST}."
        )
    if token is not None and (len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise ConfigError(
            f"a token has at least {_SHORTEST_TOKEN} ASCII characters, got {len(token)}; make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe())'"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"port {port} of {host} cannot be had ({reason}); choose another with --port."
        ) from error
