"""The SDK's one way to the gateway: HTTP with kept connections, time limits and safe retries.

Every request of the SDK may be sent twice: reads change nothing, and whatever changes something
carries an id that the caller made (run, command, digest, writer and seq). So a request whose
answer was lost is simply sent again, as it was, until `patience` seconds have passed.

Reads carry the watermarks of this process's own writes (read your writes): the gateway answers
when its projection has passed them. A read that was answered need not carry them again.
"""

import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec
import orjson

from runhistory.sdk.address import Address
from runhistory.sdk.errors import (
    Conflict,
    InvalidRequest,
    NobodyAnswers,
    NotFound,
    RunHistoryError,
    Unauthorized,
    Unavailable,
)

if TYPE_CHECKING:
    import httpx

PATIENCE: Final = 60.0
"""Seconds for which a request is repeated when a gateway that did answer stops doing so."""
FIRST_PATIENCE: Final = 3.0
"""The same for a gateway that never answered: more likely it was not started."""
LONGEST_PAUSE: Final = 2.0

Body = bytes | Callable[[], IO[bytes]]
"""A request's content; one that is read from a file is opened anew for every try."""

_ERRORS: Final[dict[int, type[RunHistoryError]]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    413: InvalidRequest,
    422: InvalidRequest,
}
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class Connection:
    """The connection to one gateway and workspace; shared by all objects that came from it.

    May be used by many threads. After a fork the child opens sockets of its own.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()
        self._answered = False
        self._watermarks: dict[str, int] = {}  # topic/partition -> offset
        _connections.add(self)

    def get(self, path: str, *, patience: float = PATIENCE, **query: Any) -> Any:
        """The JSON at `path` (below the workspace), as new as this process's own writes.

        A query value that is None is left out; a list repeats its name.
        """
        watermarks = self._watermarks.copy()
        query["watermark"] = _texts(watermarks)
        answer = self.request("GET", path, query=query, patience=patience)
        self._forget(watermarks)
        return orjson.loads(answer.content)

    def send(self, method: str, path: str, content: Any, *, patience: float = PATIENCE) -> Any:
        """Send JSON, return the answer's JSON, and remember its watermark."""
        answer = self.request(method, path, body=msgspec.json.encode(content), patience=patience)
        return self.remember(orjson.loads(answer.content))

    def put(self, path: str, body: Body, **query: Any) -> Any:
        """Send bytes, return the answer's JSON (None without one), and remember its watermark."""
        answer = self.request(
            "PUT",
            path,
            body=body,
            query=query,
            content_type="application/octet-stream",
            answer_within=300.0,
        )
        return self.remember(orjson.loads(answer.content)) if answer.content else None

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Body = b"",
        content_type: str = "application/json",
        query: dict[str, Any] | None = None,
        patience: float = PATIENCE,
        answer_within: float = 30.0,
    ) -> "httpx.Response":
        """One request, repeated as it is while there is no answer or one that says "later".

        Raises:
            Unavailable: no useful answer within `patience` seconds; the outcome is unknown.
            RunHistoryError: the answer is an error; the subclass follows its HTTP status.
        """

        def once() -> "httpx.Response":
            content = body if isinstance(body, bytes) else body()
            try:
                response = self._http().request(
                    method,
                    self._url(path),
                    content=content or None,
                    params=_query(query),
                    headers={"content-type": content_type} if content else None,
                    timeout=_limits(answer_within),
                )
            finally:
                if not isinstance(content, bytes):
                    content.close()
            return self._checked(response)

        return self._patiently(once, patience)

    @contextmanager
    def stream(self, path: str, **query: Any) -> Iterator["httpx.Response"]:
        """The answer to a GET with its body still unread; one try, errors as in `request`.

        As new as this process's own writes, where the gateway waits for them. Where it need not
        (a blob is what its digest says) it does not, so this read leaves the watermarks for others.
        """
        httpx = _load_httpx()
        query["watermark"] = _texts(self._watermarks.copy())
        try:
            with self._http().stream("GET", self._url(path), params=_query(query)) as response:
                if response.status_code >= 400:
                    response.read()
                yield self._checked(response)
        except httpx.RequestError as error:
            raise self._unavailable(error) from error

    def remember(self, answer: Any) -> Any:
        """Keep the answer's watermark for later reads; returns the answer."""
        mark = answer.get("watermark") if isinstance(answer, dict) else None
        if mark:
            place, _, offset = mark.rpartition("/")
            with self._lock:
                self._watermarks[place] = max(int(offset), self._watermarks.get(place, 0))
        return answer

    def close(self) -> None:
        """Close the sockets. A later request opens them again."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _forget(self, passed: dict[str, int]) -> None:
        with self._lock:
            for place, offset in passed.items():
                if self._watermarks.get(place) == offset:
                    del self._watermarks[place]

    def _patiently(self, once: "Callable[[], httpx.Response]", patience: float) -> "httpx.Response":
        httpx = _load_httpx()
        began, pause = time.monotonic(), 0.05
        while True:
            try:
                return once()
            except httpx.RequestError as error:
                trouble = self._unavailable(error)
                limit = patience if self._answered else min(patience, FIRST_PATIENCE)
            except Unavailable as error:
                trouble = error
                limit = min(patience, FIRST_PATIENCE) if error.status == 500 else patience
            pause = min(pause * 2, LONGEST_PAUSE) * random.uniform(0.75, 1.0)
            if time.monotonic() - began + pause > limit:
                raise trouble
            time.sleep(pause)

    def _http(self) -> "httpx.Client":
        with self._lock:
            if self._client is None:
                httpx, token = _load_httpx(), self.address.token
                with _loading:  # it imports more
                    self._client = httpx.Client(
                        headers={"authorization": f"Bearer {token}"} if token else {},
                        timeout=_limits(),
                        trust_env=not self.address.is_loopback,
                    )
            return self._client

    def _url(self, path: str) -> str:
        return f"{self.address.url}/api/v1/workspaces/{self.address.workspace}{path}"

    def _checked(self, response: "httpx.Response") -> "httpx.Response":
        """The response itself when it is no error."""
        self._answered = True
        status = response.status_code
        if status < 300:
            return response
        error = _error_in(response)
        message = error.get("message") or f"{self.address.url} answered with HTTP {status}."
        kind = Unavailable if status in _LATER else _ERRORS.get(status, RunHistoryError)
        raise kind(message, code=error.get("code"), status=status, details=error.get("details"))

    def _unavailable(self, error: Exception) -> Unavailable:
        url, origin = self.address.url, self.address.origin
        if not self._answered:
            return NobodyAnswers(
                f"Nobody answers at {url} (from {origin}): {error}. {self.address.advice}"
            )
        return Unavailable(f"{url} does not answer now ({type(error).__name__}: {error}).")

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._client = None  # the sockets are the parent's


def _limits(answer_within: float = 30.0) -> "httpx.Timeout":
    """Seconds; `answer_within` must exceed what the gateway waits for a watermark (10)."""
    import httpx

    return httpx.Timeout(30.0, connect=5.0, read=answer_within)


def _texts(watermarks: dict[str, int]) -> list[str]:
    return [f"{place}/{offset}" for place, offset in watermarks.items()]


def _query(values: dict[str, Any] | None) -> dict[str, Any] | None:
    given = {name: value for name, value in (values or {}).items() if value not in (None, [])}
    return given or None


def _error_in(response: "httpx.Response") -> dict[str, Any]:
    try:
        error = orjson.loads(response.content)["error"]
        return error if isinstance(error, dict) else {}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}  # something else than our gateway answered


def _load_httpx() -> ModuleType:
    """httpx, imported when it is first needed: it costs as much as all the rest."""
    with _loading:
        import encodings.idna  # noqa: F401 - else loaded by the first request

        import httpx

        return httpx


_loading = threading.RLock()
_connections: "weakref.WeakSet[Connection]" = weakref.WeakSet()


def _begin_in_child() -> None:
    global _loading
    _loading = threading.RLock()
    for connection in list(_connections):
        connection._after_fork()


os.register_at_fork(
    before=lambda: _loading.acquire(),  # a child would inherit a half-imported module for ever
    after_in_parent=lambda: _loading.release(),
    after_in_child=_begin_in_child,
)
