"""The supervisor as a process of its own: what `runhistory up --detach` starts."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from runhistory.stack.commands import StackError, run


def main() -> None:
    """Run until a signal comes; the log says what happened."""
    parser = argparse.ArgumentParser(prog="python -m runhistory.stack")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    arguments = parser.parse_args()
    try:
        run(arguments.data, port=arguments.port, slots=arguments.slots, report=_log)
    except StackError as error:
        sys.exit(str(error))


def _log(line: str) -> None:
    print(datetime.now(UTC).isoformat(), line, flush=True)


if __name__ == "__main__":
    main()
