"""A gateway over real HTTP that answers each path with what a test has laid there."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_ID = re.compile(r"[0-9a-f]{32,64}")
PREFIX = "/api/v1/workspaces/default"


class CannedGateway:
    """`answers[path]` is the JSON, or a status and JSON or bytes, or a list of such answers.

    A `*` in the path stands for any run id or digest, whatever the method.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.bodies: list[bytes] = []

    def refuse(self, path: str, status: int, code: str, message: str) -> None:
        self.answers[path] = (status, {"error": {"code": code, "message": message, "details": {}}})


@contextmanager
def canned_gateway() -> Iterator[CannedGateway]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if body:
                gateway.bodies.append(body)
            parts = urlsplit(self.path)
            path = parts.path.removeprefix(PREFIX)
            gateway.asked.append((path, parse_qsl(parts.query)))
            missing = (404, {"error": {"code": "not_found", "message": f"There is no {path}."}})
            found = gateway.answers.get(path) or gateway.answers.get(_ID.sub("*", path), missing)
            if isinstance(found, list):  # one answer after the other; the last one stays
                found = found.pop(0) if len(found) > 1 else found[0]
            status, content = found if isinstance(found, tuple) else (200, found)
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET  # noqa: N815 - the names are the server's

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    gateway = CannedGateway(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
