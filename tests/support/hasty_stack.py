"""`python -m tests.support.hasty_stack`: the real supervisor, which starts again after a second.

Without this, a process that is killed again and again would be away for half of a minute each
time, and little would be going on when the next one dies.
"""

import subprocess
import sys
import time
from pathlib import Path

from runhistory.stack import __main__ as stack
from runhistory.stack import backoff
from tests.support.running_stack import RunningStack

ROOT = Path(__file__).parents[2]


class HastyStack(RunningStack):
    """A stack under this supervisor."""

    def up(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        arguments = ["--data", str(self.data), "--port", str(self.port), "--slots", "1"]
        command = [sys.executable, "-m", "tests.support.hasty_stack", *arguments]
        with (self.data.parent / "supervisor.log").open("ab") as log:
            supervisor = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 120
        while not self.status().is_up:
            assert supervisor.poll() is None, (self.data.parent / "supervisor.log").read_text()
            assert time.monotonic() < deadline, self.status()
            time.sleep(0.2)


if __name__ == "__main__":
    backoff.LONGEST_SECONDS = backoff.FIRST_SECONDS  # type: ignore[misc]
    stack.main()
