"""Server-sent events as a gateway writes them, for tests of those who read them."""

import json
from collections.abc import Iterable
from typing import Any

END = b"event: end\ndata: {}\n\n"
_TIME = "2026-11-23T10:00:00.000000Z"


def message(number: int, type: str, data: dict[str, Any], id: str | None = None) -> bytes:
    """The event that lies before offset `number` in its topic's only partition."""
    event = {
        "specversion": "1.0",
        "id": id or f"{type}:{number}",
        "type": type,
        "source": "test",
        "subject": data.get("run_id", "0" * 32),
        "time": _TIME,
        "watermark": f"run.events/0/{number - 1}",
        "data": data,
    }
    return f"id: run.events@0:{number}\nevent: {type}\ndata: {json.dumps(event)}\n\n".encode()


def statuses(*names: str, first: int = 1) -> bytes:
    """Events of a run that takes these statuses, numbered from `first`."""
    return b"".join(
        message(number, "run.changed.v1", {"status": name, "version": number})
        for number, name in enumerate(names, first)
    )


def printed(number: int, lines: Iterable[tuple[str, str]]) -> bytes:
    """A batch of console lines (stream, text)."""
    streams, texts = zip(*lines, strict=True)
    times = [1_795_428_000_000_000] * len(texts)
    data = {"attempt": 1, "writer": "w", "seq": number}
    data |= {"streams": streams, "times": times, "lines": texts}
    return message(number, "logs.written.v1", data)
