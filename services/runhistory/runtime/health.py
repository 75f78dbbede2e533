"""`/healthz` and `/metrics` of a service that serves nothing else over HTTP."""

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from threading import Lock, Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Health:
    """Whether the service can do its work right now, and if not, why. Thread-safe."""

    def __init__(self, service: str) -> None:
        self._service, self._lock = service, Lock()
        self._reason: str | None = "starting"

    def ready(self) -> None:
        """It works."""
        with self._lock:
            self._reason = None

    def not_ready(self, reason: str) -> None:
        """It cannot work for now; `reason` is shown to whoever asks."""
        with self._lock:
            self._reason = reason

    def report(self) -> tuple[HTTPStatus, dict[str, Any]]:
        """The answer of `/healthz`: 200 or 503, and what to show."""
        with self._lock:
            reason = self._reason
        if reason is None:
            return HTTPStatus.OK, {"service": self._service, "status": "ok"}
        return HTTPStatus.SERVICE_UNAVAILABLE, {
            "service": self._service,
            "status": "not ready",
            "reason": reason,
        }


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds: not worth a line each."""


def serve_health(health: Health, host: str, port: int) -> None:
    """Serve in a daemon thread, until the process ends.

    Raises:
        OSError: the port is taken.
    """
    metrics: Any = make_wsgi_app()

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            found: Iterable[bytes] = metrics(environ, start_response)
            return found
        status, body = health.report()
        if environ["PATH_INFO"] != "/healthz":
            status, body = HTTPStatus.NOT_FOUND, {"paths": ["/healthz", "/metrics"]}
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    server = make_server(host, port, application, handler_class=_Quiet)
    Thread(target=server.serve_forever, name="health", daemon=True).start()
