"""A gateway as every client of ours sees it, blocking or not: addresses, answers, watermarks."""

import logging  # noqa: F401 - see below: it has to register its own hook before ours
import os
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import orjson

from runhistory.sdk.address import Address
from runhistory.sdk.errors import (
    Conflict,
    Gone,
    InvalidRequest,
    NobodyAnswers,
    NotFound,
    RunHistoryError,
    Unauthorized,
    Unavailable,
)

if TYPE_CHECKING:
    import httpx

_ERRORS: Final[dict[int, type[RunHistoryError]]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: InvalidRequest,
    422: InvalidRequest,
}
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class Endpoint:
    """One gateway and workspace, and what has been heard of it."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.lock = threading.Lock()
        self.has_answered = False
        self._watermarks: dict[str, int] = {}  # topic/partition -> offset

    def url(self, path: str) -> str:
        """The whole URL of a path below the workspace."""
        return f"{self.address.url}/api/v1/workspaces/{self.address.workspace}{path}"

    def new_client(self, kind: str) -> Any:
        """A fresh httpx client; `kind` is Client or AsyncClient."""
        token = self.address.token
        httpx = load_httpx()
        with _loading:  # it imports more
            return getattr(httpx, kind)(
                headers={"authorization": f"Bearer {token}"} if token else {},
                timeout=limits(),
                trust_env=not self.address.is_loopback,
            )

    def checked(self, response: "httpx.Response") -> "httpx.Response":
        """The response itself when it is no error; its body must have been read.

        Raises:
            RunHistoryError: it is one; the subclass follows its HTTP status.
        """
        self.has_answered = True
        status = response.status_code
        if status < 300:
            return response
        error = _error_in(response)
        message = error.get("message") or f"{self.address.url} answered with HTTP {status}."
        kind = Unavailable if status in _LATER else _ERRORS.get(status, RunHistoryError)
        raise kind(message, code=error.get("code"), status=status, details=error.get("details"))

    def unavailable(self, error: Exception) -> Unavailable:
        """What an error of the connection means."""
        url, origin = self.address.url, self.address.origin
        if not self.has_answered:
            return NobodyAnswers(
                f"Nobody answers at {url} (from {origin}): {str(error).rstrip('.')}. "
                f"{self.address.advice}"
            )
        return Unavailable(f"{url} does not answer now ({type(error).__name__}: {error}).")

    def remember(self, answer: Any) -> Any:
        """Keep the answer's watermark for later reads; returns the answer."""
        mark = answer.get("watermark") if isinstance(answer, dict) else None
        if mark:
            place, _, offset = mark.rpartition("/")
            with self.lock:
                self._watermarks[place] = max(int(offset), self._watermarks.get(place, 0))
        return answer

    def watermarks(self) -> list[str]:
        """What a read has to carry, to be as new as this process's own writes."""
        with self.lock:
            return [f"{place}/{offset}" for place, offset in self._watermarks.items()]

    def forget(self, passed: list[str]) -> None:
        """A read has carried these watermarks and was answered: later ones need not."""
        with self.lock:
            for mark in passed:
                place, _, offset = mark.rpartition("/")
                if self._watermarks.get(place) == int(offset):
                    del self._watermarks[place]


def limits(answer_within: float = 30.0) -> "httpx.Timeout":
    """Seconds; `answer_within` must exceed what the gateway waits for a watermark (10)."""
    import httpx

    return httpx.Timeout(30.0, connect=5.0, read=answer_within)


def without_none(values: dict[str, Any] | None) -> dict[str, Any] | None:
    """A query without what was not given."""
    given = {name: value for name, value in (values or {}).items() if value not in (None, [])}
    return given or None


def load_httpx() -> ModuleType:
    """httpx, imported when it is first needed: it costs as much as all the rest."""
    with _loading:
        import encodings.idna  # noqa: F401 - else loaded by the first request

        import httpx

        return httpx


def _error_in(response: "httpx.Response") -> dict[str, Any]:
    try:
        error = orjson.loads(response.content)["error"]
        return error if isinstance(error, dict) else {}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}  # something else than our gateway answered


_loading = threading.RLock()


def _begin_in_child() -> None:
    global _loading
    _loading = threading.RLock()


# Hooks before a fork run in the reverse order of registration, and ours must come first: whoever
# imports httpx holds `_loading` and asks for logging's lock; nobody may wait the other way round.
os.register_at_fork(
    before=lambda: _loading.acquire(),  # a child would inherit a half-imported module for ever
    after_in_parent=lambda: _loading.release(),
    after_in_child=_begin_in_child,
)
