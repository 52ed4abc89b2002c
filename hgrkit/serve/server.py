"""Runs the application on a socket of its own, with connections that neither wait nor number without end."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any, final

import attrs
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from hgrkit.errors import ConfigError
from hgrkit.serve.app import make_app
from hgrkit.serve.settings import ServeLimits, ServeSettings

__all__ = ["HttpServer"]


_NO_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: 40\r\n\r\n"
    b'{"error":"the request is no valid HTTP"}'
)


@final
class HttpServer:
    """A server that has its address and does not answer yet.

    Args:
        settings: what to serve, and where.

    Attributes:
        address: of the page.

    Raises:
        ConfigError: if the address cannot be listened at.
        LibraryError: if a library cannot be opened.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._listener = _listening(settings)
        host, port = self._listener.getsockname()[:2]
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        logging.getLogger("uvicorn.error").setLevel(logging.DEBUG if settings.debug else logging.CRITICAL)
        try:
            app = make_app(attrs.evolve(settings, port=port))
        except BaseException:
            self._listener.close()
            raise
        config = uvicorn.Config(
            app,
            http=type("Connection", (_Connection,), {"limits": settings.limits}),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=32 << 10,
        )
        self._server = _Server(config)

    def run(self, on_ready: Callable[[str], object] = lambda _: None) -> None:
        """Answer until it is interrupted or stopped.

        Args:
            on_ready: called with the address once there are answers.
        """
        self._server.on_ready = lambda: on_ready(self.address)
        with closing(self._listener):
            self._server.run(sockets=[self._listener])

    def stop(self) -> None:
        """Have `run` return, from another thread."""
        self._server.should_exit = True


def _listening(settings: ServeSettings) -> socket.socket:
    try:
        found = socket.getaddrinfo(settings.host.strip("[]"), settings.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"{settings.host!r} is no address of this machine ({error.strerror}).") from error
    try:
        if os.name == "posix":  # elsewhere it lets another program take the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"{settings.host} port {settings.port} cannot be listened at ({error.strerror}); choose another "
            "--port, or 0 for a free one."
        ) from error
    return listener


@final
class _Server(uvicorn.Server):
    """Tells when it is ready."""

    on_ready: Callable[[], object]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_ready()


class _Connection(H11Protocol):
    """A connection that is ended when a request does not arrive in time, or when there are too many."""

    limits = ServeLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app_state = {**self.app_state, "connection": self}  # for the guard, which cuts slow readers off
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self.abort()
        else:
            self._expect_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - what h11 says of it
        """Refuse what is no HTTP; no application sees it."""
        self.transport.write(_NO_HTTP)
        self.transport.close()

    def abort(self) -> None:
        """Drop the connection, whatever the client has not taken yet."""
        self.transport.abort()

    def _expect_request(self) -> None:
        if self._is_answering():
            self._forget_deadline()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.limits.header_s, self._end_if_late)

    def _end_if_late(self) -> None:
        self._deadline = None
        if not self._is_answering():
            self.abort()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
