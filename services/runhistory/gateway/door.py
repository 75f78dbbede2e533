"""What every request passes before the framework sees it: who may come in, and counting.

A service that listens on loopback alone can still be reached by web pages that the user's own
browser shows: a page may post to 127.0.0.1 (cross-site request forgery), or give its own host
name the address 127.0.0.1 and then read too (DNS rebinding). So there the Host header has to be
a loopback name, and an Origin, if the browser sends one, too. With a token set, every request
below /api has to show it, wherever the gateway listens.
"""

import asyncio
import contextlib
import hmac
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from litestar.types import HTTPScope, Message, Receive, Send

from runhistory.gateway.errors import ApiError, answer_error
from runhistory.runtime import metrics
from runhistory.runtime.settings import is_loopback_authority

UNMATCHED: Final = "(none)"
DISCARD_BYTES: Final = 256 * 1024 * 1024
DISCARD_SECONDS: Final = 10.0
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


HTTPApp = Callable[[HTTPScope, Receive, Send], Awaitable[None]]


class Door:
    """The ASGI application that is served: checks, then `app`, and a count for each request."""

    def __init__(self, app: HTTPApp, *, token: str | None, loopback_only: bool) -> None:
        self._app, self._loopback_only = app, loopback_only
        self._expected = f"Bearer {token}".encode() if token else None

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; the server offers nothing else."""
        exchange = _Exchange(receive, send)
        try:
            refusal = self._refusal(scope)
            if refusal is None:
                await self._app(scope, exchange.receive, exchange.send)
            else:
                await answer_error(refusal, exchange.send)
        finally:
            exchange.count(scope)

    def _refusal(self, scope: HTTPScope) -> ApiError | None:
        headers = dict(scope["headers"])
        if self._loopback_only and (refusal := _foreign(headers)):
            return refusal
        if self._expected is None or not scope["path"].startswith("/api"):
            return None
        if hmac.compare_digest(headers.get(b"authorization", b""), self._expected):
            return None
        error = ApiError(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            "Show the deployment's token: set RUNHISTORY_TOKEN, or send the header "
            "'Authorization: Bearer <token>'.",
        )
        error.headers["WWW-Authenticate"] = "Bearer"
        return error


def _foreign(headers: dict[bytes, bytes]) -> ApiError | None:
    host = headers.get(b"host", b"").decode("latin-1")
    if not is_loopback_authority(host):
        return ApiError(
            HTTPStatus.FORBIDDEN,
            "foreign_host",
            f"This gateway serves its own machine only, not {host!r}. Use http://127.0.0.1 or "
            "localhost, or let it listen on an address of the network, with a token.",
        )
    origin = headers.get(b"origin")
    if origin is not None and not _is_loopback_origin(origin.decode("latin-1")):
        return ApiError(
            HTTPStatus.FORBIDDEN, "foreign_origin", "Pages of other sites may not use this gateway."
        )
    return None


def _is_loopback_origin(origin: str) -> bool:
    scheme, separator, authority = origin.partition("://")
    return scheme in {"http", "https"} and bool(separator) and is_loopback_authority(authority)


class _Exchange:
    """One request and its answer, looked at in passing.

    A client that is still sending a body does not read, and loses an answer that comes before
    its end together with the connection. So an error waits until the body has been thrown away,
    within reason.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._begun = time.perf_counter()
        self._status: int = HTTPStatus.INTERNAL_SERVER_ERROR
        self._body_ended = False

    async def receive(self) -> Any:
        """The next piece of the body."""
        message = await self._receive()
        self._body_ended = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """A piece of the answer."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            if self._status >= HTTPStatus.BAD_REQUEST:
                await self._discard_body()
        await self._send(message)

    async def _discard_body(self) -> None:
        discarded = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DISCARD_SECONDS):
                while not self._body_ended and discarded < DISCARD_BYTES:
                    discarded += len((await self.receive()).get("body", b""))

    def count(self, scope: HTTPScope) -> None:
        """Count the request, by its route's template."""
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = str(scope.get("path_template") or UNMATCHED)
        seconds = time.perf_counter() - self._begun
        metrics.GATEWAY_REQUESTS.labels(method, route, str(int(self._status))).inc()
        metrics.GATEWAY_REQUEST_SECONDS.labels(method, route).observe(seconds)
