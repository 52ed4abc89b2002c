"""Stands before the application: who may ask, from where, how much and how slowly; what every answer carries."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, final
from urllib.parse import parse_qs, urlsplit

import attrs
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hgrkit.checks.address import is_loopback
from hgrkit.serve.answers import RefusedError, error_answer
from hgrkit.serve.settings import ServeSettings

__all__ = ["HEADERS", "UPLOADS", "Guard"]

UPLOADS: Final = "/api/examples"
"""The one path whose bodies may be large."""

HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What every answer carries."""

_SAFE = ("GET", "HEAD")
_CLIENTS = 4_096
"""Client addresses that are remembered."""

_log = logging.getLogger("hgrkit.serve")


@attrs.define
class _Client:
    """What one address has asked lately."""

    tokens: float
    seen: float
    refusals: int = 0
    refused_since: float = 0.0


@final
class Guard:
    """The outermost application.

    Args:
        app: what answers what is let through.
        settings: of the server.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app, self._settings, self._limits = app, settings, settings.limits
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._running = self._uploading = 0
        # Cookies are sent to every port of a host: the one that is set is no token of the API.
        self._cookie = None if settings.token is None else _keyed(settings.token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing that the application raises leaves this."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        exchange = _Exchange(self._settings, scope, receive, send)
        is_upload = scope["path"] == UPLOADS
        self._running += 1
        self._uploading += is_upload
        try:
            answer = self._refusal(Request(scope))
            if answer is not None:
                await answer(scope, receive, exchange.send)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except _BrokenOffError:
            pass
        except Exception:  # noqa: BLE001 - the application has answered it, or `finish` does
            _log.debug("the answer to %s failed", scope["path"], exc_info=True)
        finally:
            self._running -= 1
            self._uploading -= is_upload
            await exchange.finish()

    # who may ask -----------------------------------------------------------------------------------------------

    def _refusal(self, request: Request) -> Response | None:
        """The answer to what is not let through, or that sets the cookie; `None` lets it through."""
        try:
            self._check_source(request)  # first, or the pages of other sites could use up this client's rate
            client = self._client(request)
            self._check_rate(client)
            return self._check_token(request, client)
        except RefusedError as error:
            return error_answer(error.status, str(error), retry_s=error.retry_s)

    def _client(self, request: Request) -> _Client:
        address, now = request.client.host if request.client else "", time.monotonic()
        client = self._clients.pop(address, None) or _Client(self._limits.burst, now)
        self._clients[address] = client
        if len(self._clients) > _CLIENTS:
            self._clients.popitem(last=False)
        client.tokens = min(self._limits.burst, client.tokens + (now - client.seen) * self._limits.rate)
        client.seen = now
        return client

    def _check_rate(self, client: _Client) -> None:
        if client.tokens < 1:
            raise RefusedError(429, "too many requests; wait a second.", retry_s=1)
        client.tokens -= 1
        if self._running > self._limits.requests or self._uploading > self._limits.uploads:
            raise RefusedError(503, "too many requests are being answered; try again.", retry_s=1)

    def _check_source(self, request: Request) -> None:
        """Refuse what the pages of other sites make a browser ask."""
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            asked = f"{hosts[0][:80]!r}" if len(hosts) == 1 else "none, or several"
            raise RefusedError(
                403, f"the request names the host {asked}; open the address that hgrkit printed, or give a token."
            )
        origins = request.headers.getlist("origin")
        if origins and [urlsplit(origin).netloc.lower() for origin in origins] != [hosts[0].lower()]:
            raise RefusedError(403, "the request comes from the page of another site.")
        site = request.headers.get("sec-fetch-site", "none")
        if site in ("same-origin", "none"):
            return
        opens_page = request.method in _SAFE and request.headers.get("sec-fetch-mode") == "navigate"
        if not (opens_page and request.url.path == "/"):
            raise RefusedError(403, "the request comes from the page of another site.")

    def _is_ours(self, host: str) -> bool:
        """Whether a host is this server: names of others that lead here are those of an attack (DNS rebinding).

        A server with a token may have any name: the token is not known to the pages of another name.
        """
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return self._settings.token is not None or is_loopback(name)

    def _check_token(self, request: Request, client: _Client) -> Response | None:
        token, now = self._settings.token, time.monotonic()
        if token is None or self._cookie is None:
            return None
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(given.strip(), token):
            return None
        if _same(request.cookies.get(self._cookie_name, ""), self._cookie):
            return None
        if now - client.refused_since > 60:
            client.refusals, client.refused_since = 0, now
        if client.refusals >= self._limits.refusals:
            raise RefusedError(429, "too many wrong tokens; wait a minute.", retry_s=60)
        asked = parse_qs(request.url.query).get("token", [""])[0] if request.url.path == "/" else ""
        if _same(asked, token):
            answer = Response(status_code=303, headers={"location": "./"})
            secure = request.headers.get("x-forwarded-proto") == "https"
            answer.set_cookie(
                self._cookie_name, self._cookie, httponly=True, samesite="strict", path="/", secure=secure
            )
            return answer
        client.refusals += bool(asked or given)
        line = "this server needs its token: open /?token=..., or send the header Authorization: Bearer ..."
        refused = error_answer(401, line)
        refused.headers["www-authenticate"] = "Bearer"
        return refused

    @property
    def _cookie_name(self) -> str:
        return f"hgrkit_{self._settings.port}"


def _keyed(token: str) -> str:
    return hmac.new(token.encode(), b"hgrkit serve: cookie", hashlib.sha256).hexdigest()


def _same(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in a time that says nothing of where they differ."""
    one, other = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (given, expected))
    return hmac.compare_digest(one, other)


def _length(scope: Scope) -> int:
    """The length that a body is said to have; the server has checked that it is a number."""
    return int(dict(scope["headers"]).get(b"content-length", b"0"))


class _BrokenOffError(Exception):
    """Ends the work on a request whose client is gone, too slow, or sends too much."""


@final
class _Exchange:
    """One request and its answer: bounds the body and the client's patience with ours."""

    def __init__(self, settings: ServeSettings, scope: Scope, receive: Receive, send: Send) -> None:
        self._limits, self._scope = settings.limits, scope
        self._receive, self._send = receive, send
        is_upload = scope["path"] == UPLOADS
        self._most = self._limits.upload_bytes + (64 << 10) if is_upload else self._limits.json_bytes
        self._seconds = self._limits.body_s * (10 if is_upload else 1)
        self._until = time.monotonic() + self._seconds
        self._declared, self._taken = _length(scope), 0
        self._whole = self._started = self._ended = False
        self._refused: Response | None = None

    async def receive(self) -> Message:
        """Pass a message on, while the body is neither too large nor too late."""
        if self._whole:
            return await self._receive()
        if self._declared > self._most:
            raise self._too_large()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._until - time.monotonic()))
        except TimeoutError:
            raise self._refuse(
                408, f"the request's body did not arrive within {self._seconds:g} seconds."
            ) from None
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._taken > self._most:
                raise self._too_large()
        return message

    def _too_large(self) -> _BrokenOffError:
        return self._refuse(413, f"a request's body has at most {self._most:,} bytes here.")

    def _refuse(self, status: int, line: str) -> _BrokenOffError:
        self._refused = error_answer(status, line)
        return _BrokenOffError(line)

    async def send(self, message: Message) -> None:
        """Pass a message on, with the headers that every answer has; a client that takes nothing is cut off."""
        if self._refused is not None:  # the application made an error of its own of it
            raise _BrokenOffError
        await self._pass_on(message)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            own = {name for name, _ in message.get("headers", ())}
            more = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in own]
            if b"cache-control" not in own:
                more.append((b"cache-control", b"no-store"))
            if not self._whole and self._taken:
                more.append((b"connection", b"close"))
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        try:
            await asyncio.wait_for(self._send(message), self._limits.send_s)
        except TimeoutError:
            self._abort()
            raise _BrokenOffError from None

    async def finish(self) -> None:
        """Answer what the application left without one."""
        if self._ended:
            return
        if self._started:  # in the middle of an answer: its end must not look like one
            self._abort()
            return
        number = secrets.token_hex(4)
        answer = self._refused or error_answer(500, "the server failed on this request.", request=number)
        answer.headers["connection"] = "close"
        try:
            await answer(self._scope, self._receive, self._pass_on)
        except (OSError, _BrokenOffError):
            self._abort()

    def _abort(self) -> None:
        connection: Any = self._scope.get("state", {}).get("connection")
        if connection is not None:
            connection.abort()
