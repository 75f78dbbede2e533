"""Call a script under its runner, and pass on what it prints."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil
import structlog

from runhistory.events.log_batch import Stream
from runhistory.worker.console import Console
from runhistory.worker.home import write_atomically
from runhistory.worker.lines import Line, LineSplitter
from runhistory.worker.outcome import Exit
from runhistory.worker.processes import kill_marked
from runhistory.worker.runner import PAUSE, RESUME, Order

_CHUNK_BYTES: Final = 65_536
_LAST_OUTPUT_SECONDS: Final = 5.0

log: Any = structlog.get_logger(__name__)


class ScriptProcess:
    """A script that was called. It and all that it started are gone when `wait` returns."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, console: Console) -> None:
        self._process, self._folder, self._console = process, folder, console
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            asyncio.create_task(_pass_on(process.stdout, "stdout", console)),
            asyncio.create_task(_pass_on(process.stderr, "stderr", console)),
        ]
        self.pid = process.pid
        with contextlib.suppress(psutil.NoSuchProcess):
            self.started = psutil.Process(process.pid).create_time()

    @classmethod
    async def start(
        cls,
        command: tuple[str, ...],
        *,
        environment: dict[str, str],
        runner_marks: dict[str, str],
        directory: Path,
        folder: Path,
        console: Console,
        locks: tuple[int, ...] = (),
    ) -> "ScriptProcess":
        """Call `command` in `directory`. `folder` takes the runner's files, which holds `locks`."""
        order = Order(
            command=command,
            environment=environment,
            directory=str(directory),
            exit_file=str(folder / "exit.json"),
        )
        write_atomically(folder / "order.json", msgspec.json.encode(order))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "runhistory.worker.runner", str(folder / "order.json")),
            cwd=folder,
            env={**os.environ, **runner_marks},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            pass_fds=locks,
        )
        return cls(process, folder, console)

    def terminate(self, grace: float) -> None:
        """SIGTERM to all of it now, SIGKILL to what is left after `grace` seconds."""
        self._tell(str(grace))

    def pause(self) -> None:
        """Stop all of it where it stands. `resume` or `terminate` wakes it."""
        self._tell(PAUSE)

    def resume(self) -> None:
        """Let it go on."""
        self._tell(RESUME)

    def _tell(self, word: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, RuntimeError):
            self._process.stdin.write(f"{word}\n".encode())

    async def wait(self, marks: dict[str, str]) -> Exit:
        """How it ended, when nothing of it runs and its output is with the console.

        `marks` stand in the environment of all that it started.
        """
        await _exited(self._process.pid)
        self._console.script_ended()
        try:
            ended = msgspec.json.decode((self._folder / "exit.json").read_bytes(), type=Exit)
        except FileNotFoundError:
            await asyncio.to_thread(kill_marked, marks)
            ended = Exit(
                problem="The process above the script ended before it: somebody or the system "
                "killed it, and the script with it. Submit the run again."
            )
        await self._take_last_output()
        return ended

    async def _take_last_output(self) -> None:
        """To the pipes' ends, where they come soon. Who holds a pipe holds nothing else up."""
        # asyncio's wait returns when both pipes have ended, so its bound is theirs.
        reaped = asyncio.ensure_future(self._process.wait())
        tasks = [*self._readers, reaped]
        _, late = await asyncio.wait(tasks, timeout=_LAST_OUTPUT_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if late:
            log.warning("output_cut_off", pid=self.pid)


async def _pass_on(pipe: asyncio.StreamReader, stream: Stream, console: Console) -> None:
    """Read to the pipe's end, whatever becomes of the lines: a full pipe stops the script."""
    splitter, is_taken = LineSplitter(), True
    while data := await pipe.read(_CHUNK_BYTES):
        is_taken = await _offer(splitter.feed(data), stream, console, tell=is_taken)
    await _offer(splitter.close(), stream, console, tell=is_taken)


async def _offer(lines: list[Line], stream: Stream, console: Console, *, tell: bool) -> bool:
    """Whether the console took them; when it did not, the log hears of it once."""
    try:
        await console.write(stream, lines)
    except Exception:
        if tell:
            log.exception("output_lost", stream=stream)
        return False
    return True


async def _exited(pid: int) -> None:
    """Return when this child has ended; asyncio's `wait` may wait for its pipes' ends as well."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
