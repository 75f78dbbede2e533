"""`python -m runhistory.sink.rebuild_command [--check | --abandon | --accept-differences]`.

One rebuild as a process, for `runhistory rebuild` and for whoever runs it elsewhere (a Kubernetes
job). Settings come from the environment like a service's (RUNHISTORY_KAFKA, RUNHISTORY_CLICKHOUSE).
It prints one JSON object a line: `{"step", "done", "total"}` while it goes on, at last
`{"outcome"}` (exit code 0; 3 where the databases differ) or `{"refused"}` (exit code 1). SIGINT
and SIGTERM end it in order: the next one goes on where it stood.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from typing import Any, Final

import msgspec
import structlog
from aiokafka.errors import KafkaError

from runhistory.clickhouse.client import EngineUnavailable
from runhistory.runtime.settings import ServiceSettings
from runhistory.sink.generation import GroupStuck
from runhistory.sink.rebuild import Outcome, Rebuild, Refused, Wish

INTERRUPTED: Final = 130
DIFFERENT: Final = 3
_LINE_SECONDS: Final = 0.2

_WISHES: Final[dict[str, Wish]] = {
    "check": "check",
    "abandon": "abandon",
    "accept_differences": "switch even if different",
}


def main() -> None:
    """Run one, and exit."""
    parser = argparse.ArgumentParser(prog="runhistory.sink.rebuild_command")
    choice = parser.add_mutually_exclusive_group()
    for name in _WISHES:
        choice.add_argument(f"--{name.replace('_', '-')}", action="store_true")
    chosen = [name for name, given in vars(parser.parse_args()).items() if given]
    _log_to_stderr()
    code = asyncio.run(_run(_WISHES[chosen[0]] if chosen else "switch"))
    sys.stdout.flush()
    os._exit(code)  # a query that a thread still waits for is nobody's any more


async def _run(wish: Wish) -> int:
    settings = ServiceSettings.from_environment("sink")
    task = asyncio.create_task(_rebuild(settings, wish))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        outcome = await task
    except (asyncio.CancelledError, BrokenPipeError):  # or whoever reads our output has gone
        return INTERRUPTED
    except (Refused, GroupStuck) as error:
        _say({"refused": str(error)})
        return 1
    except (EngineUnavailable, KafkaError, OSError) as error:
        _say({"refused": f"{error or repr(error)} Start the rebuild again; it goes on from here."})
        return 1
    _say({"outcome": outcome})
    return DIFFERENT if any(not table.same for table in outcome.tables) else 0


async def _rebuild(settings: ServiceSettings, wish: Wish) -> Outcome:
    return await Rebuild(settings.kafka, settings.clickhouse, _Teller()).run(wish)


class _Teller:
    """Says how far a step is, at its ends and a few times a second in between."""

    def __init__(self) -> None:
        self._step, self._said_at = "", 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step != self._step or done == total or now - self._said_at >= _LINE_SECONDS:
            self._step, self._said_at = step, now
            _say({"step": step, "done": done, "total": total})


def _say(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.flush()


def _log_to_stderr() -> None:
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


if __name__ == "__main__":
    main()
