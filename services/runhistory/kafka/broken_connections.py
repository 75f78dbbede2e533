"""Lets aiokafka know a broken connection under uvloop for what it is.

A write on a connection that the broker has closed, whose end aiokafka has not noticed yet, raises
OSError on asyncio's own loop and RuntimeError ("the handler is closed") on uvloop. aiokafka
(0.14) expects the first alone. The second ends whatever task of its was sending: the one that looks
where partitions are (seen when a broker went and came back), after which everybody waits for ever.
"""

from collections.abc import Callable
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


def _telling(send: Callable[..., Any]) -> Callable[..., Any]:
    def tell(connection: Any, *arguments: Any, **options: Any) -> Any:
        writer = connection._writer
        try:
            return send(connection, *arguments, **options)
        except RuntimeError as error:
            if writer is None or not writer.transport.is_closing():
                raise
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(
                f"The connection to {connection.host}:{connection.port} is broken: {error}"
            ) from error

    return tell


def tell_of_broken_connections() -> None:
    """Make every connection of this process do so. Once is enough; more does nothing."""
    for name in ("send", "_send_sasl_token"):
        own = getattr(AIOKafkaConnection, name)
        if own.__name__ != "tell":
            setattr(AIOKafkaConnection, name, _telling(own))
