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
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import orjson

from runhistory.sdk.address import Address, find_address
from runhistory.sdk.endpoint import Endpoint, limits, load_httpx, without_none
from runhistory.sdk.errors import NobodyAnswers, Unavailable
from runhistory.sdk.outage import Outage

if TYPE_CHECKING:
    import httpx

PATIENCE: Final = 60.0
"""Seconds for which a request is repeated when a gateway that did answer stops doing so."""
FIRST_PATIENCE: Final = 3.0
"""The same for a gateway that never answered: more likely it was not started."""
LONGEST_PAUSE: Final = 2.0

Body = bytes | Callable[[], IO[bytes]]
"""A request's content; one that is read from a file is opened anew for every try."""


class Call(NamedTuple):
    """A request, as often as it has to be sent; `path` is below the workspace."""

    method: str
    path: str
    body: Body
    content_type: str
    query: dict[str, Any]


class Connection(Endpoint):
    """The connection to one gateway and workspace; shared by all objects that came from it.

    May be used by many threads. After a fork the child opens sockets of its own.
    """

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._client: httpx.Client | None = None
        self.outage = Outage()
        _connections.add(self)

    def get(self, path: str, *, patience: float = PATIENCE, **query: Any) -> Any:
        """The JSON at `path` (below the workspace), as new as this process's own writes.

        A query value that is None is left out; a list repeats its name.
        """
        query["watermark"] = watermarks = self.watermarks()
        answer = self.request("GET", path, query=query, patience=patience)
        self.forget(watermarks)
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
        call = Call(method, path, body, content_type, query or {})
        return self._answer(call, patience, answer_within)

    def _answer(self, call: Call, patience: float, answer_within: float) -> "httpx.Response":
        """As `request`: what answers, and how often it is asked."""

        def once() -> "httpx.Response":
            content = call.body if isinstance(call.body, bytes) else call.body()
            try:
                response = self._http().request(
                    call.method,
                    self.url(call.path),
                    content=content or None,
                    params=without_none(call.query),
                    headers={"content-type": call.content_type} if content else None,
                    timeout=limits(answer_within),
                )
            finally:
                if not isinstance(content, bytes):
                    content.close()
            return self.checked(response)

        return self._patiently(once, patience)

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        silence: float = 30.0,
        **query: Any,
    ) -> Iterator["httpx.Response"]:
        """The answer to a GET with its body still unread; one try, errors as in `request`.

        When nothing comes for `silence` seconds, the gateway counts as away.

        As new as this process's own writes, where the gateway waits for them. Where it need not
        (a blob is what its digest says) it does not, so this read leaves the watermarks for others.
        """
        httpx = load_httpx()
        query["watermark"] = self.watermarks()
        try:
            with self._http().stream(
                "GET",
                self.url(path),
                params=without_none(query),
                headers=headers,
                timeout=limits(silence),
            ) as response:
                if response.status_code >= 400:
                    response.read()
                yield self.checked(response)
        except httpx.RequestError as error:
            raise self.unavailable(error) from error

    def close(self) -> None:
        """Close the sockets. A later request opens them again."""
        with self.lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _patiently(self, once: "Callable[[], httpx.Response]", patience: float) -> "httpx.Response":
        httpx = load_httpx()
        began, pause = time.monotonic(), 0.05
        while True:
            try:
                return once()
            except httpx.RequestError as error:
                trouble = self.unavailable(error)
            except Unavailable as error:
                trouble = error
            pause = next_pause(pause)
            if time.monotonic() - began + pause > patience_for(trouble, patience):
                raise trouble
            time.sleep(pause)

    def _http(self) -> "httpx.Client":
        with self.lock:
            if self._client is None:
                self._client = self.new_client("Client")
            return self._client

    def __reduce__(self) -> Any:
        """In another process it is a connection of its own. The token stays out of what is pickled:
        it is found anew."""
        return reconnect, (self.address.url, self.address.workspace)

    def _after_fork(self) -> None:
        self.lock = threading.Lock()
        self._client = None  # the sockets are the parent's


def reconnect(url: str, workspace: str) -> Connection:
    """A connection as it was pickled, with the token that is set here for this gateway."""
    here = find_address()
    token = here.token if here.url == url else None
    return Connection(Address(url, workspace, token, here.origin, here.file))


def patience_for(trouble: Unavailable, patience: float) -> float:
    """Seconds to go on trying: few where nobody ever answered, or where the server has a bug."""
    is_hopeless = isinstance(trouble, NobodyAnswers) or trouble.status == 500
    return min(patience, FIRST_PATIENCE) if is_hopeless else patience


def next_pause(pause: float) -> float:
    """Seconds until the next try, after `pause` before this one."""
    return min(pause * 2, LONGEST_PAUSE) * random.uniform(0.75, 1.0)


_connections: "weakref.WeakSet[Connection]" = weakref.WeakSet()


def _begin_in_child() -> None:
    for connection in list(_connections):
        connection._after_fork()


os.register_at_fork(after_in_child=_begin_in_child)
