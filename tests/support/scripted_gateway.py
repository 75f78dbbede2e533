"""An HTTP server that answers as it is told: for tests of how the SDK speaks and retries.

What a gateway really does is tested against the real one.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from runhistory.events.metric_batch import check


class Request(NamedTuple):
    """A request as it came. `path` is below the workspace and percent-decoded."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Answer(NamedTuple):
    """Status and JSON; status 0 hangs up without a word."""

    status: int
    content: Any


Script = Callable[[Request], Answer]


class ScriptedGateway:
    """`script` answers; `requests` holds what came, in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.script: Script = lambda request: Answer(200, {})

    def points(self) -> dict[str, list[tuple[str, int, float]]]:
        """The points of each writer from the batches that came, every (writer, seq) once."""
        batches = {}
        for request in self.requests:
            if request.path.endswith("/metrics") and request.method == "POST":
                batch = check(request.body)
                batches[batch.writer, batch.seq] = batch
        found: dict[str, list[tuple[str, int, float]]] = {}
        for (writer, _), batch in sorted(batches.items()):
            columns = zip(batch.key_index, batch.steps, batch.values, strict=True)
            found.setdefault(writer, []).extend(
                (batch.keys[index - 1], step, float(value)) for index, step, value in columns
            )
        return found


@contextmanager
def scripted_gateway() -> Iterator[ScriptedGateway]:
    """A server on a free port of 127.0.0.1, ended with the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            parts = urlsplit(self.path)
            request = Request(
                self.command,
                unquote(parts.path).removeprefix("/api/v1/workspaces/default"),
                parse_qs(parts.query),
                {name.lower(): value for name, value in self.headers.items()},
                body,
            )
            gateway.requests.append(request)
            status, content = gateway.script(request)
            if status == 0:
                self.close_connection = True
                return
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - the server's names

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    gateway = ScriptedGateway(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
