"""Since when something that has to answer again and again has done so without a gap."""

import asyncio
import http.client
from urllib.parse import urlsplit

ANSWER_SECONDS = 5.0


class View:
    """What is asked every few seconds. A frozen process, which asks too late, had a gap as well."""

    def __init__(self, patience: float) -> None:
        """Answers `patience` seconds apart are too far apart."""
        self._patience = patience
        self._last = 0.0
        self.since: float | None = None

    def answered(self, now: float) -> None:
        """It answered a question that was put at `now`."""
        if self.since is None or now - self._last > self._patience:
            self.since = now
        self._last = now

    def failed(self) -> None:
        """It did not answer."""
        self.since = None


async def answers_http(url: str) -> bool:
    """Whether anything answers HTTP there: what it says is for others to judge."""
    return await asyncio.to_thread(_ask, url)


def _ask(url: str) -> bool:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/healthz")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
