"""A script under its runner, with real processes: nothing of it is ever left running."""

import asyncio
import errno
import os
import signal
import sys
import textwrap
import time
import uuid
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import psutil
import pytest

from runhistory.events.log_batch import Stream
from runhistory.worker.home import Claim, Home
from runhistory.worker.lines import Line
from runhistory.worker.outcome import Exit
from runhistory.worker.processes import WORKER_ID_VARIABLE, kill_marked, kill_tree
from runhistory.worker.recovery import kill_what_is_left
from runhistory.worker.script import ScriptProcess

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() > 0:
        os._exit(0)
    signal_it()
    with open("daemon.pid.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("daemon.pid.new", "daemon.pid")
    time.sleep(60)
    os._exit(0)
while not os.path.exists("daemon.pid"):
    time.sleep(0.01)
"""


class Recorder:
    """In the place of a console: keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.fails = self.stands_still = False

    async def write(self, stream: Stream, lines: Iterable[Line]) -> None:
        if self.fails:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.stands_still:
            await asyncio.Event().wait()
        self.lines += [(stream, line.text) for line in lines]

    def script_ended(self) -> None:
        """A console that stands still does so for ever."""


class World:
    """Calls scripts in a folder of their own; everything carries a mark of this test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.console = folder, Recorder()
        self.marks = {WORKER_ID_VARIABLE: f"test-{uuid.uuid4().hex}"}

    async def call(self, code: str, *arguments: str) -> ScriptProcess:
        (self.folder / "script.py").write_text(textwrap.dedent(code))
        return await ScriptProcess.start(
            (sys.executable, "-u", "script.py", *arguments),
            environment={**os.environ, **self.marks},
            runner_marks=self.marks,
            directory=self.folder,
            folder=self.folder,
            console=self.console,  # type: ignore[arg-type]
        )

    async def run(self, code: str, *arguments: str) -> Exit:
        return await (await self.call(code, *arguments)).wait(self.marks)

    async def pid(self, name: str) -> int:
        """The process id that the script writes to a file of this name."""
        async with asyncio.timeout(20):
            while not ((file := self.folder / name).exists() and file.read_text()):
                await asyncio.sleep(0.01)  # a file is there before what is written into it
        return int(file.read_text())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await asyncio.to_thread(kill_marked, world.marks)


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while not is_gone(pid):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("code", [0, 3, 255])
async def test_the_exit_code_is_told(world: World, code: int) -> None:
    assert await world.run(f"raise SystemExit({code})") == Exit(exit_code=code)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGTERM", "SIGPIPE"])
async def test_the_signal_is_told_by_name(world: World, name: str) -> None:
    code = f"import os, signal; signal.signal({int(signal.Signals[name])}, 0) if {name!r} not in " \
           f"('SIGKILL',) else 0; os.kill(os.getpid(), signal.{name})"  # fmt: skip
    assert await world.run(code) == Exit(signal=name)


async def test_a_command_that_is_not_there_is_a_problem(world: World) -> None:
    script = await ScriptProcess.start(
        ("/nowhere/python",),
        environment={},
        runner_marks=world.marks,
        directory=world.folder,
        folder=world.folder,
        console=world.console,  # type: ignore[arg-type]
    )
    ended = await script.wait(world.marks)
    assert ended.problem is not None
    assert "/nowhere/python" in ended.problem


async def test_both_streams_come_whole_and_in_order(world: World) -> None:
    await world.run(
        """
        import sys
        for number in range(5000):
            print("out", number)
            print("err", number, file=sys.stderr)
        print("no end", end="")
        """
    )
    for stream, word in (("stdout", "out"), ("stderr", "err")):
        found = [text for name, text in world.console.lines if name == stream]
        assert found[:5000] == [f"{word} {number}" for number in range(5000)]
    assert ("stdout", "no end") in world.console.lines


async def test_a_line_comes_while_the_script_runs(world: World) -> None:
    script = await world.call("import time; print('now'); time.sleep(60)")
    async with asyncio.timeout(20):
        while not world.console.lines:
            await asyncio.sleep(0.01)
    script.terminate(0)
    await script.wait(world.marks)


async def test_arguments_come_as_they_are(world: World) -> None:
    arguments = ["a b", 'it\'s "so"', "ünï", "", "$HOME;*", "new\nline"]
    await world.run("import sys; print(repr(sys.argv[1:]))", *arguments)
    assert world.console.lines == [("stdout", repr(arguments))]


async def test_the_runner_is_not_misled_by_files_beside_the_script(world: World) -> None:
    for name in ("signal", "json", "psutil", "msgspec", "subprocess"):
        (world.folder / f"{name}.py").write_text("raise SystemExit(77)")
    assert await world.run("print('fine')") == Exit(exit_code=0)


async def test_a_daemon_that_left_the_group_is_found_and_ended(world: World) -> None:
    ended = await world.run(DAEMON.replace("signal_it()", "pass"))
    assert (ended.exit_code, ended.left_behind) == (0, 1)
    assert is_gone(await world.pid("daemon.pid"))


async def test_a_daemon_that_ignores_sigterm_is_killed(world: World) -> None:
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    ended = await world.run(DAEMON.replace("signal_it()", ignore))
    assert ended.left_behind == 1
    assert is_gone(await world.pid("daemon.pid"))


async def test_terminating_ends_the_script_and_its_daemons(world: World) -> None:
    script = await world.call(DAEMON.replace("signal_it()", "pass") + "\ntime.sleep(60)")
    daemon = await world.pid("daemon.pid")
    script.terminate(10)
    assert (await script.wait(world.marks)).signal == "SIGTERM"
    assert is_gone(daemon)


async def test_a_script_may_clean_up_when_it_is_terminated(world: World) -> None:
    script = await world.call(
        """
        import os, pathlib, signal, sys, time
        def end(*_):
            time.sleep(0.2)
            pathlib.Path("saved").write_text("state")
            sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        pathlib.Path("ready").write_text(str(os.getpid()))
        time.sleep(60)
        """
    )
    await world.pid("ready")
    script.terminate(10)
    assert (await script.wait(world.marks)).exit_code == 0
    assert (world.folder / "saved").exists()


async def test_one_that_ignores_sigterm_is_killed_after_the_grace(world: World) -> None:
    script = await world.call(
        """
        import os, pathlib, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path("ready").write_text(str(os.getpid()))
        time.sleep(60)
        """
    )
    await world.pid("ready")
    before = time.monotonic()
    script.terminate(0.5)
    assert (await script.wait(world.marks)).signal == "SIGKILL"
    assert time.monotonic() - before >= 0.5


async def test_children_that_keep_forking_are_all_killed(world: World) -> None:
    script = await world.call(
        """
        import os, pathlib, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path("ready").write_text(str(os.getpid()))
        for _ in range(3):
            os.fork()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:  # each hands over to a child of its own, again and again
            if os.fork() > 0:
                time.sleep(0.005)
                os._exit(0)
            os.setsid()
        """
    )
    await world.pid("ready")
    await asyncio.sleep(0.3)
    script.terminate(0.1)
    await script.wait(world.marks)
    assert await asyncio.to_thread(kill_marked, world.marks) == 0


async def test_with_the_runner_killed_the_script_and_its_daemons_are_too(world: World) -> None:
    script = await world.call(DAEMON.replace("signal_it()", "pass") + "\ntime.sleep(60)")
    daemon = await world.pid("daemon.pid")
    os.kill(script.pid, signal.SIGKILL)
    ended = await script.wait(world.marks)
    assert ended.problem is not None
    assert is_gone(daemon)


async def test_with_the_worker_gone_the_runner_ends_all(world: World) -> None:
    script = await world.call(DAEMON.replace("signal_it()", "pass") + "\ntime.sleep(60)")
    daemon = await world.pid("daemon.pid")
    assert script._process.stdin is not None
    script._process.stdin.close()  # what the kernel does for a worker that was killed
    assert (await script.wait(world.marks)).signal == "SIGTERM"
    assert is_gone(daemon)


async def test_a_later_life_kills_what_is_left_by_its_record(world: World, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    script = await world.call(DAEMON.replace("signal_it()", "pass") + "\ntime.sleep(60)")
    daemon = await world.pid("daemon.pid")
    claim = Claim(
        claim_id="c",
        workspace="default",
        run_id="0" * 32,
        runner_pid=script.pid,
        runner_started=script.started,
    )
    await asyncio.to_thread(kill_what_is_left, home, [claim])
    assert is_gone(daemon)
    await script.wait(world.marks)
    home.close()


async def test_a_later_life_kills_what_is_left_with_the_runner_dead(
    world: World, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    world.marks = {WORKER_ID_VARIABLE: home.worker_id}
    script = await world.call(DAEMON.replace("signal_it()", "pass") + "\ntime.sleep(60)")
    daemon = await world.pid("daemon.pid")
    os.kill(script.pid, signal.SIGKILL)
    await until_gone(script.pid)
    assert not is_gone(daemon)
    await asyncio.to_thread(kill_what_is_left, home, [])
    assert is_gone(daemon)
    await script.wait(world.marks)
    home.close()


async def test_a_process_id_that_was_used_again_is_not_killed(world: World) -> None:
    script = await world.call("import time; time.sleep(60)")
    await asyncio.to_thread(kill_tree, script.pid, script.started - 60)
    assert not is_gone(script.pid)
    script.terminate(0)
    await script.wait(world.marks)


COUNT = """
import os, pathlib, time
os.fork()
with open(f"beats.{os.getpid()}", "wb", buffering=0) as beats:
    for _ in range(3_000):
        beats.write(b".")
        time.sleep(0.01)
"""


async def _all_are(world: World, status: str) -> list[psutil.Process]:
    """The script's processes, both of them, once they are in `status`."""
    async with asyncio.timeout(20):
        while True:
            pids = [int(file.suffix[1:]) for file in world.folder.glob("beats.*")]
            found = [psutil.Process(pid) for pid in pids]
            if len(found) == 2 and {one.status() for one in found} <= {status}:
                return found
            await asyncio.sleep(0.02)


def _beats(world: World) -> int:
    return sum(file.stat().st_size for file in world.folder.glob("beats.*"))


async def test_a_paused_script_stands_still_until_it_is_resumed(world: World) -> None:
    script = await world.call(COUNT)
    await _all_are(world, psutil.STATUS_SLEEPING)
    script.pause()
    await _all_are(world, psutil.STATUS_STOPPED)
    before = _beats(world)
    await asyncio.sleep(0.1)
    assert _beats(world) == before
    script.resume()
    async with asyncio.timeout(20):
        while _beats(world) == before:
            await asyncio.sleep(0.02)
    script.terminate(5)
    assert (await script.wait(world.marks)).signal == "SIGTERM"


async def test_a_paused_script_hears_that_it_is_terminated(world: World) -> None:
    script = await world.call(COUNT)
    await _all_are(world, psutil.STATUS_SLEEPING)
    script.pause()
    processes = await _all_are(world, psutil.STATUS_STOPPED)
    script.terminate(30)
    ended = await asyncio.wait_for(script.wait(world.marks), 20)
    assert ended.signal == "SIGTERM", "long before its grace was over"
    assert all(is_gone(one.pid) for one in processes)


async def test_a_script_that_is_being_terminated_is_not_paused_any_more(world: World) -> None:
    script = await world.call(COUNT)
    await _all_are(world, psutil.STATUS_SLEEPING)
    script.terminate(30)
    script.pause()
    await asyncio.wait_for(script.wait(world.marks), 20)


PRINT_MUCH = """
import pathlib, sys
for _ in range(100):
    print("x" * 100_000)
pathlib.Path("printed").touch()
"""


async def test_a_script_prints_on_when_the_console_takes_nothing(world: World) -> None:
    world.console.fails = True
    ended = await asyncio.wait_for(world.run(PRINT_MUCH), 60)
    assert ended == Exit(exit_code=0)
    assert (world.folder / "printed").exists()


async def test_a_script_ends_when_it_is_terminated_and_nobody_reads_its_pipe(
    world: World,
) -> None:
    world.console.stands_still = True
    script = await world.call(PRINT_MUCH)
    script.terminate(0.5)
    ended = await asyncio.wait_for(script.wait(world.marks), 60)
    assert ended.signal == "SIGTERM"
    assert not (world.folder / "printed").exists()
