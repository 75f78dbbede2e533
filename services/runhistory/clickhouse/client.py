"""clickhouse-connect over HTTP, to a server, a cluster or the one-machine engine alike."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = 300
BUSY_CODES: Final = frozenset({159, 202, 209, 210, 241, 242, 252, 394})
"""ClickHouse's errors that say nothing about the statement: time, memory, too much at once."""


class EngineUnavailable(Exception):
    """ClickHouse does not answer, or has no room just now. Try the same again later."""


def open_client(
    url: str,
    database: str = "runhistory",
    *,
    answer_seconds: int = ANSWER_SECONDS,
    **settings: Any,
) -> Client:
    """A client for `url` (`http[s]://[user[:password]@]host[:port]`), for one thread.

    An answer that takes longer than `answer_seconds` counts as ClickHouse being away.
    It keeps no session, so any number of clients work side by side, and it never lets the
    server answer for rows that are not stored yet (async_insert).

    Raises:
        EngineUnavailable: nothing answers there.
        ValueError: `url` is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"ClickHouse's address is http[s]://host:port, not {url!r}.")
    with reporting_unavailable():
        return clickhouse_connect.get_client(
            interface=parts.scheme,
            host=parts.hostname,
            port=parts.port or (8443 if parts.scheme == "https" else 8123),
            username=parts.username or "default",
            password=parts.password or "",
            database=database,
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=answer_seconds,
            autogenerate_session_id=False,
            settings={"async_insert": 0, **settings},
        )


@contextlib.contextmanager
def reporting_unavailable() -> Iterator[None]:
    """Raise EngineUnavailable in place of every error that says nothing about the statement."""
    try:
        yield
    except OSError as error:
        raise EngineUnavailable(f"ClickHouse cannot be reached: {error}") from error
    except ClickHouseError as error:
        code = getattr(error, "code", None)
        if code in BUSY_CODES or (isinstance(error, OperationalError) and code is None):
            raise EngineUnavailable(" ".join(str(error).split())[:1_000]) from error
        raise
