"""Room for a batch is asked for before its body is read, and held until it is answered.

So what clients send at once while Kafka is slow or away costs the gateway bounded memory: the
bodies themselves stay outside.
"""

from litestar.types import ASGIApp, Receive, Scope, Send

from runhistory.gateway.context import Gateway


class Admission:
    """The middleware of one route whose bodies may have `limit` bytes."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request with room for its body, or raise LogUnavailable."""
        gateway: Gateway = scope["litestar_app"].state.gateway
        with gateway.appender.admit(self._size(scope)):
            await self._app(scope, receive, send)

    def _size(self, scope: Scope) -> int:
        """What the body will have at most; without a length it may use the whole limit."""
        length = dict(scope["headers"]).get(b"content-length", b"")
        return min(int(length), self._limit) if length.isdigit() else self._limit
