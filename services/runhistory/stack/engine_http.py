"""ClickHouse's HTTP protocol in front of the engine, one thread for each connection.

What ClickHouse's clients use of it: `/ping`; `/` with the statement in `query`, in the body or in
both; settings, `database`, `default_format` and `param_*` in the URL (or in a multipart form);
INSERT bodies of any length, plain or compressed; answers in pieces; errors as status and
`X-ClickHouse-Exception-Code`, and as a tagged block when the answer has begun already.
Left out: sessions (`session_id` is passed over), users, and compressed answers.

A browser is no client: whatever carries an `Origin` is refused, so no page on the web can reach
an engine on this machine through somebody's browser.
"""

import contextlib
import json
import re
import socket
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import structlog

from runhistory.runtime.settings import is_loopback_authority
from runhistory.stack.engine_body import BadBody, Body, BodyTooLarge, form_fields
from runhistory.stack.engine_chdb import Engine, QueryFailed, Session
from runhistory.stack.engine_watch import ClientWatch

MAX_STATEMENT: Final = 16 << 20
MAX_CONNECTIONS: Final = 512
MAX_WHOLE_ANSWER: Final = 256 << 20
INSERT_HEAD: Final = 64 << 10
"""An INSERT's data begin within its first 64 KiB, or the whole of it is read as one statement."""

STREAMABLE: Final = frozenset(
    "Native RowBinary JSONEachRow JSONCompactEachRow JSONStringsEachRow NDJSON JSONLines "
    "TabSeparated TSV TabSeparatedRaw TSVRaw CSV".split()
)
"""Formats without head or foot: pieces of an answer that are put together are the answer."""

_NO_SETTINGS: Final = frozenset(
    "query database default_format query_id session_id session_timeout session_check user "
    "password quota_key role compress decompress buffer_size wait_end_of_query "
    "client_protocol_version stacktrace close_session".split()
)
_IDENTIFIER: Final = r"(?:`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|\w+)"
_INSERT: Final = re.compile(
    rf"\s*(?P<statement>INSERT\s+INTO\s+(?:TABLE\s+)?{_IDENTIFIER}(?:\s*\.\s*{_IDENTIFIER})?"
    rf"\s*(?:\(\s*{_IDENTIFIER}(?:\s*,\s*{_IDENTIFIER})*\s*\)\s*)?)"
    r"\s*\bFORMAT\s+(?P<format>\w+)[ \t]*;?[ \t]*(?:\r?\n)?",
    re.IGNORECASE,
)
_SELECT: Final = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)
_FORMAT: Final = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_STATUS: Final = {
    6: 400, 26: 400, 27: 400, 36: 400, 38: 400, 41: 400, 43: 400, 53: 400, 62: 400, 69: 400,
    70: 400, 72: 400, 115: 400, 117: 400, 130: 400, 131: 400, 321: 400, 349: 400, 386: 400,
    456: 400, 457: 400,
    16: 404, 46: 404, 47: 404, 60: 404, 81: 404, 164: 403, 497: 403,
    159: 408, 48: 501, 202: 503, 241: 500,
}  # fmt: skip
"""ClickHouse's own assignment of its error codes to HTTP; all others are 500."""

log: Any = structlog.get_logger(__name__)


class EngineServer(ThreadingHTTPServer):
    """Serves one engine. `serve_forever` blocks; `shutdown` ends it, `drain` waits for answers."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int]) -> None:
        """Bind only: a port that is taken shows before the engine is opened."""
        self.engine: Engine
        self.watch: ClientWatch
        self.stopping = False
        self._connections = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def use(self, engine: Engine) -> None:
        """Answer from `engine` from now on."""
        self.engine = engine
        self.watch = ClientWatch(engine.kill)
        self.watch.start()

    def drain(self, seconds: float) -> None:
        """Refuse what is new, wait for what is running, kill what then still runs."""
        self.stopping = True
        if not self.watch.wait_until_idle(seconds):
            self.watch.kill_all()
            self.watch.wait_until_idle(5)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.exception("request_failed")


class _Request:
    """What the URL, and a form where there is one, say."""

    def __init__(self, pairs: dict[str, str], readonly: bool) -> None:
        self.query = pairs.get("query", "")
        self.database = pairs.get("database")
        self.query_id = pairs.get("query_id", "")
        self.format = pairs.get("default_format", "TabSeparated")
        self.whole = pairs.get("wait_end_of_query", "0") == "1"
        self.parameters = {
            name.removeprefix("param_"): value
            for name, value in pairs.items()
            if name.startswith("param_")
        }
        self.settings = {
            name: value
            for name, value in pairs.items()
            if name not in _NO_SETTINGS and not name.startswith("param_")
        }
        if readonly:  # last: after it no other setting could be applied
            self.settings.pop("readonly", None)
            self.settings["readonly"] = "2"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "runhistory-engine"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 64 << 10
    timeout = 300
    server: EngineServer
    connection: socket.socket

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/ping" or (url.path == "/" and not url.query):
            self._send(200, b"Ok.\n")
        else:
            self._answer(readonly=True)

    def do_HEAD(self) -> None:
        self.close_connection = True
        self._send(200, b"")

    def do_POST(self) -> None:
        self._answer(readonly=False)

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing for each request; errors are logged where they are answered."""

    def _answer(self, readonly: bool) -> None:
        self._begun = False
        try:
            body = Body(self.rfile, self.headers)
        except BadBody as error:
            self.close_connection = True  # where the next request begins cannot be told
            self._fail(400, 0, str(error))
            return
        try:
            self._check()
            self._run(body, readonly)
        except QueryFailed as error:
            self._fail(_STATUS.get(error.code, 500), error.code, str(error), body)
        except BodyTooLarge as error:
            self._fail(413, 0, str(error), body)
        except BadBody as error:
            self._fail(400, 0, str(error), body)
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # nobody is there to be answered

    def _check(self) -> None:
        if self.server.stopping:
            self.close_connection = True
            raise QueryFailed("Code: 202. DB::Exception: The engine is stopping.")
        if not is_loopback_authority(self.headers.get("Host", "")):
            raise QueryFailed("Code: 497. DB::Exception: Only this machine is served, by its name.")
        if self.headers.get("Origin") or self.headers.get("Sec-Fetch-Site", "none") != "none":
            raise QueryFailed("Code: 497. DB::Exception: Browsers are not served here.")
        if urlsplit(self.path).path != "/":
            raise QueryFailed("Code: 60. DB::Exception: There is no such path. Use /.")

    def _run(self, body: Body, readonly: bool) -> None:
        pairs = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        pairs.setdefault("default_format", self.headers.get("X-ClickHouse-Format", "TabSeparated"))
        pairs.setdefault("database", self.headers.get("X-ClickHouse-Database", ""))
        content_type = self.headers.get("Content-Type", "")
        if content_type.startswith("multipart/form-data"):
            pairs.update(form_fields(content_type, body.read_all(MAX_STATEMENT)))
        request = _Request(pairs, readonly)
        token = uuid.uuid4().hex
        with (  # in this order: an engine that nobody is seen to use has no handle open
            self.server.watch.watching(self.connection, token),
            self.server.engine.session(token, request.settings, request.database) as session,
        ):
            self._execute(request, body, session)
            self.wfile.flush()

    def _execute(self, request: _Request, body: Body, session: Session) -> None:
        begin = request.query.encode()
        if begin and (head := body.read_some(1)):
            begin += b"\n" + head
        while len(begin) < INSERT_HEAD and (piece := body.read_some(INSERT_HEAD)):
            begin += piece
        insert = _INSERT.match(begin.decode("utf-8", "surrogateescape"))
        if insert:
            # The match is text, the data are bytes: the statement's own bytes are their offset.
            rest = begin[len(insert.group().encode("utf-8", "surrogateescape")) :]
            self._insert(request, insert["statement"], insert["format"], rest, body, session)
            return
        statement = begin + body.read_all(MAX_STATEMENT)
        try:
            self._select(request, statement.decode(), session)
        except UnicodeDecodeError as error:
            raise BadBody(f"The statement is not UTF-8: {error}") from error

    def _insert(
        self,
        request: _Request,
        statement: str,
        format: str,
        begin: bytes,
        body: Body,
        session: Session,
    ) -> None:
        def pieces() -> Iterator[bytes]:
            if begin:
                yield begin
            while piece := body.read_some():
                yield piece

        written = session.insert(statement, format, pieces())
        summary = {"written_rows": str(written.rows), "written_bytes": str(written.bytes)}
        self._send(200, b"", request, session, {"X-ClickHouse-Summary": json.dumps(summary)})

    def _select(self, request: _Request, statement: str, session: Session) -> None:
        named = _FORMAT.search(statement)
        format = named.group(1) if named else request.format
        extra = {"X-ClickHouse-Format": format}
        if not (_SELECT.match(statement) and format in STREAMABLE):
            answer = session.query(statement, request.format, request.parameters)
            self._send(200, answer, request, session, extra)
            return
        pieces = session.stream(statement, request.format, request.parameters)
        if request.whole:
            self._send_whole(pieces, request, session, extra)
            return
        first, second = next(pieces, b""), next(pieces, None)
        if second is None:
            self._send(200, first, request, session, extra)
            return
        self._begin(200, request, session, {**extra, "Transfer-Encoding": "chunked"})
        for piece in (first, second):
            self._chunk(piece)
        for piece in pieces:
            self._chunk(piece)
        self.wfile.write(b"0\r\n\r\n")

    def _send_whole(
        self,
        pieces: Iterator[memoryview | bytes],
        request: _Request,
        session: Session,
        extra: dict[str, str],
    ) -> None:
        """Answer at the end, with what it took: so an error has a status, and no half answer."""
        room = int(request.settings.get("max_result_bytes", "0")) or MAX_WHOLE_ANSWER
        answer = bytearray()
        for piece in pieces:
            answer += piece
            if len(answer) > room:  # chDB itself looks at the sum of its blocks only now and then
                raise QueryFailed(
                    "Code: 396. DB::Exception: Limit for result exceeded, "
                    f"max bytes: {room}. (TOO_MANY_ROWS_OR_BYTES)"
                )
        summary = {"read_rows": str(session.rows_read)}
        headers = {**extra, "X-ClickHouse-Summary": json.dumps(summary)}
        self._send(200, bytes(answer), request, session, headers)

    def _chunk(self, piece: bytes | memoryview) -> None:
        if len(piece):
            self.wfile.write(b"%x\r\n" % len(piece))
            self.wfile.write(piece)
            self.wfile.write(b"\r\n")

    def _begin(
        self,
        status: int,
        request: _Request | None = None,
        session: Session | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        self._begun = True
        self.send_response(status)
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.send_header("X-ClickHouse-Timezone", "UTC")
        if request and session:
            self._tag = session.token[:16]
            self.send_header("X-ClickHouse-Exception-Tag", self._tag)
            self.send_header("X-ClickHouse-Query-Id", request.query_id or session.token)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send(
        self,
        status: int,
        answer: bytes | memoryview,
        request: _Request | None = None,
        session: Session | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        self._begin(status, request, session, {**(extra or {}), "Content-Length": str(len(answer))})
        self.wfile.write(answer)

    def _fail(self, status: int, code: int, message: str, body: Body | None = None) -> None:
        """Answer with an error; in the middle of an answer by ClickHouse's tagged block."""
        text = message.strip().encode() + b"\n"
        if self._begun:
            block = b"__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (
                self._tag.encode(), text, len(text), self._tag.encode(),
            )  # fmt: skip
            self.close_connection = True
            with contextlib.suppress(OSError):
                self._chunk(b"\r\n" + block)
                self.wfile.flush()
            return
        if body is not None:
            with contextlib.suppress(BadBody, OSError):
                body.drain()
            self.close_connection = self.close_connection or not body.finished
        self._send(status, text, extra={"X-ClickHouse-Exception-Code": str(code)})
