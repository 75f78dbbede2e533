"""Runs the tools that build an environment, and tells what they say."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from runhistory.worker.processes import kill_marked
from runhistory.worker.variables import tool_variables

ERROR_LINES: Final = 40


class EnvironmentFailed(Exception):
    """The environment cannot be had. `details` are the last lines of the builder's output."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class Builder:
    """Runs the tools that build, and tells each line of theirs."""

    def __init__(self, marks: dict[str, str], tell: Callable[[str], None]) -> None:
        """`marks` go into the environment of all that is started, and find it again."""
        self._marks, self._tell = marks, tell

    async def run(self, *command: str, directory: Path, text: str = "") -> None:
        """Run a tool to its end, with `text` on its standard input.

        Raises:
            EnvironmentFailed: it did not end well.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            env=tool_variables(self._marks),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        last: deque[str] = deque(maxlen=ERROR_LINES)
        try:
            await self._feed(process, text)
            await self._follow(process, last)
        except BaseException:
            await asyncio.to_thread(kill_marked, self._marks)  # compilers that it started too
            await process.wait()
            raise
        if process.returncode != 0:
            tool = Path(command[0]).name
            raise EnvironmentFailed(
                f"The environment cannot be built: {tool} {command[1]} ended with code "
                f"{process.returncode}. Its last lines are in the details; correct the "
                "requirements and submit again.",
                "\n".join(last),
            )

    async def _feed(self, process: asyncio.subprocess.Process, text: str) -> None:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(text.encode())
            await process.stdin.drain()
        process.stdin.close()

    async def _follow(self, process: asyncio.subprocess.Process, last: deque[str]) -> None:
        assert process.stdout is not None
        while line := await _read_line(process.stdout):
            text = line.decode(errors="replace").rstrip()
            last.append(text)
            self._tell(text)
        await process.wait()


async def _read_line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:  # longer than the reader's limit; the reader has dropped it
        return b"\n"
