"""One attempt of a run: claim, prepare, call, keep, report.

    claim -> Preparing: check out, build the environment
          -> Running: the script, under its runner
          -> Finalizing: outputs/ and logs/ to the object store
          -> Completed | Failed | Canceled

Whoever wishes it to stop sets a reason; each stage ends early then, and the files there are by
then are kept all the same. Between a cancel and an end the lifecycle decides: a report that it
refuses because the run is CancelRequested means that the cancel came first, and is confirmed.
Faults of others (broker, object store, gateway away) never end an attempt: reports wait.
"""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Awaitable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from msgspec import Struct
from msgspec.structs import replace

from runhistory.domain.status import RunStatus
from runhistory.domain.values import FileEntry, RunError, ScriptSpec
from runhistory.events.codec import Reply
from runhistory.events.heartbeat import Heartbeat
from runhistory.kafka.commands import CommandClient
from runhistory.kafka.publisher import Publisher
from runhistory.objects.store import ObjectStore
from runhistory.runtime.gpus import GpuProbe
from runhistory.worker.board import KnownRun
from runhistory.worker.builder import Builder, EnvironmentFailed
from runhistory.worker.console import Console
from runhistory.worker.environments import Environments
from runhistory.worker.gpus import Lease
from runhistory.worker.heartbeats import IdleGpus, heartbeat_of
from runhistory.worker.holder import Holder
from runhistory.worker.home import Claim, Home
from runhistory.worker.keep import CONSOLE_NAME, FILES_IN_A_COMMAND, Found, keep_files, store_file
from runhistory.worker.load import LoadProbe, LoadSampler
from runhistory.worker.outcome import Exit, failure
from runhistory.worker.preparation import Prepared, Workshop, prepare
from runhistory.worker.processes import kill_marked
from runhistory.worker.script import ScriptProcess
from runhistory.worker.settings import WorkerSettings
from runhistory.worker.snapshot import SnapshotUnusable
from runhistory.worker.variables import marks, script_variables

CANCEL_GRACE: Final = 10.0
STOP_GRACE: Final = 5.0

T = TypeVar("T")
log: Any = structlog.get_logger(__name__)


class Tools(Struct, frozen=True, kw_only=True):
    """What all attempts of a worker share."""

    settings: WorkerSettings
    home: Home
    store: ObjectStore
    environments: Environments
    client: CommandClient
    publisher: Publisher
    probe: GpuProbe


class Stop(Enum):
    """Why an attempt has to stop before its script ends by itself."""

    CANCELED = "the run was cancelled"
    WORKER = "the worker was stopped"
    OVER = "the run was ended from elsewhere"
    TOO_LONG = "the run has reached its maximum duration"


class _Stopped(Exception):
    """The stage was given up because the attempt has to stop."""


class Attempt:
    """Runs one claim to its end. `run` returns when nothing is left to do for it."""

    def __init__(self, tools: Tools, run: KnownRun, claim_id: str, lease: Lease) -> None:
        self._tools, self._run, self.lease = tools, run, lease
        self._holder = Holder(
            tools.client, workspace=run.workspace, run_id=run.run_id, claim_id=claim_id
        )
        self._claim = Claim(claim_id=claim_id, workspace=run.workspace, run_id=run.run_id)
        self._stop: Stop | None = None
        self._stopping = asyncio.Event()
        self._is_cut_short = False  # the stop came before the script's own end
        self._is_paused = False
        self._script: ScriptProcess | None = None
        self._console: Console
        self.idle_gpus = IdleGpus(lease.gpus)

    def stop(self, reason: Stop) -> None:
        """Let it stop soon. The worker's own stop, and the duration, change no earlier reason."""
        if self._stop is None or reason not in (Stop.WORKER, Stop.TOO_LONG):
            self._stop = reason
        self._stopping.set()

    def pause(self, is_paused: bool) -> None:
        """Suspend its script, be it one that is only just being called, or let it go on."""
        self._is_paused = is_paused
        if self._script is not None:
            (self._script.pause if is_paused else self._script.resume)()

    def heartbeat(self) -> Heartbeat | None:
        """That it is alive; None before it is claimed."""
        if not self._claim.attempt:
            return None
        claimed = replace(self._run, attempt=self._claim.attempt)
        return heartbeat_of(claimed, self.idle_gpus.since)

    async def run(self) -> str:
        """Claim it, and when the claim is accepted, run it; how that ended, for the statistics."""
        self._tools.home.remember(self._claim)
        reply = await self._holder.claim(
            self._tools.home.worker_id, self._tools.settings.node, self.lease.gpus
        )
        if reply.outcome != "accepted":
            self._tools.home.forget(self._claim.claim_id)
            return "declined"
        self._claim = replace(self._claim, attempt=reply.attempt)
        self._tools.home.remember(self._claim)
        self._open()
        log.info("attempt_begins", run_id=self._run.run_id, attempt=reply.attempt)
        files, error = await self._execute_and_keep()
        status = await self._report_end(files, error)
        await self._close()
        log.info("attempt_ended", run_id=self._run.run_id, attempt=reply.attempt, status=status)
        return status

    @property
    def _folder(self) -> Path:
        return self._tools.home.attempt_folder(self._run.run_id, self._claim.attempt)

    @property
    def _work(self) -> Path:
        return self._folder / "work"

    @property
    def _marks(self) -> dict[str, str]:
        return marks(self._tools.home.worker_id, self._run.run_id, self._claim.attempt)

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700)
        self._console = Console(
            self._folder,
            self._tools.publisher,
            workspace=self._run.workspace,
            run_id=self._run.run_id,
            attempt=self._claim.attempt,
            writer=console_writer(self._claim.claim_id),
        )

    async def _close(self) -> None:
        self._tools.home.forget(self._claim.claim_id)
        if not self._tools.settings.keep_attempts:
            await asyncio.to_thread(remove_tree, self._folder)

    async def _execute_and_keep(self) -> tuple[list[FileEntry], RunError | None]:
        try:
            error = await self._execute()
        except _Stopped:
            self._is_cut_short = True
            await asyncio.to_thread(kill_marked, self._marks)
            error = None
        except (EnvironmentFailed, SnapshotUnusable) as problem:
            error = _preparation_error(problem)
        except Exception as problem:
            log.exception("attempt_broke", run_id=self._run.run_id)
            await asyncio.to_thread(kill_marked, self._marks)
            error = RunError("WorkerError", f"The worker could not run it: {problem!r}")
        if error is not None:
            self._console.system(error.message)
        return await self._keep(), error

    async def _execute(self) -> RunError | None:
        prepared = await self._unless_stopped(self._prepare())
        recorded = self._holder.record_environment(prepared.environment)
        self._stop_if_refused(await self._unless_stopped(recorded))
        self._stop_if_refused(await self._unless_stopped(self._holder.start()))
        ended = await self._call(prepared.folder)
        if ended.left_behind:
            self._console.system(f"Processes left behind and ended: {ended.left_behind}.")
        if not self._is_cut_short and self._stop is not Stop.CANCELED:
            reply = await self._holder.report_exit(ended.exit_code, ended.signal)
            if reply.outcome == "refused":
                self._note_refusal(reply)
        last_errors = list(self._console.last_errors)
        return failure(ended, last_errors, terminated=self._is_cut_short)

    async def _prepare(self) -> Prepared:
        """Code and environment, made ready."""
        tools, tell = self._tools, self._console.system
        tell(f"Attempt {self._claim.attempt} on {tools.settings.node}.")
        shop = Workshop(
            store=tools.store,
            environments=tools.environments,
            builder=Builder(self._marks, tell),
            tell=tell,
        )
        private = self._folder / "environment"
        return await prepare(shop, self._run.workspace, self._run.spec, self._work, private)

    async def _call(self, environment: Path | None) -> Exit:
        for name in ("outputs", "logs"):
            (self._work / name).mkdir(exist_ok=True)
        python = str(environment / "bin" / "python") if environment else sys.executable
        settings = self._tools.settings.service
        script = await ScriptProcess.start(
            _call_of(self._run.spec, python),
            environment=script_variables(
                self._run,
                marks=self._marks,
                url=settings.url,
                token=settings.token,
                lease=self.lease,
                environment=environment,
            ),
            runner_marks=self._marks,
            directory=self._work,
            folder=self._folder,
            console=self._console,
            locks=self.lease.locks,
        )
        self._claim = replace(self._claim, runner_pid=script.pid, runner_started=script.started)
        self._tools.home.remember(self._claim)
        self._script = script
        if self._is_paused:
            script.pause()
        sampler = asyncio.create_task(self._sampler(script.pid).run())
        try:
            with self._limited_duration():
                return await self._wait_for(script)
        finally:
            self._script = None
            sampler.cancel()
            await asyncio.gather(sampler, return_exceptions=True)

    @contextlib.contextmanager
    def _limited_duration(self) -> Iterator[None]:
        """Stop it when it has been Running, pauses included, for as long as its spec allows."""
        limit = self._run.spec.max_duration_seconds
        if limit is None:
            yield
            return
        timer = asyncio.get_running_loop().call_later(limit, self.stop, Stop.TOO_LONG)
        try:
            yield
        finally:
            timer.cancel()

    async def _wait_for(self, script: ScriptProcess) -> Exit:
        ending = asyncio.create_task(script.wait(self._marks))
        with contextlib.suppress(_Stopped):
            return await self._unless_stopped(asyncio.shield(ending))
        assert self._stop is not None
        self._is_cut_short = True
        self._console.system(f"Terminating: {self._stop.value}.")
        script.terminate(CANCEL_GRACE if self._stop is Stop.CANCELED else STOP_GRACE)
        ended = await ending
        return replace(ended, left_behind=0)

    def _sampler(self, pid: int) -> LoadSampler:
        return LoadSampler(
            LoadProbe(pid, self._tools.probe, self.lease.gpus),
            self._tools.publisher,
            workspace=self._run.workspace,
            run_id=self._run.run_id,
            attempt=self._claim.attempt,
            writer=f"system-{self._claim.claim_id}",
            on_values=self.idle_gpus.see,
        )

    async def _keep(self) -> list[FileEntry]:
        """Everything there is; the console last, when nobody will say another word."""
        store, workspace = self._tools.store, self._run.workspace
        files = await keep_files(store, workspace, self._work, self._console.system)
        await self._console.close()
        try:
            console = Found(CONSOLE_NAME, self._console.file)
            files.append(await store_file(store, workspace, console))
        except OSError as error:  # its lines are in the log; the run's end is what counts
            log.warning("console_file_not_kept", run_id=self._run.run_id, error=str(error))
        return files

    async def _report_end(self, files: list[FileEntry], error: RunError | None) -> str:
        await add_files(self._holder, self._claim.attempt, files)
        if self._is_cut_short and self._stop is Stop.WORKER:
            error = RunError(
                "WorkerStopped",
                "The worker was stopped while the run was on it. Submit the run again.",
            )
        if self._is_cut_short and self._stop is Stop.TOO_LONG:
            error = RunError(
                "MaxDurationExceeded",
                f"The run was ended after {self._run.spec.max_duration_seconds} s, the maximum "
                "duration that it was submitted with. Give it a longer one, or less to do.",
            )
        reply = await report_end(self._holder, error, canceled=self._stop is Stop.CANCELED)
        return str(reply.status)

    def _stop_if_refused(self, reply: Reply) -> None:
        if reply.outcome == "refused":
            self._note_refusal(reply)
            raise _Stopped

    def _note_refusal(self, reply: Reply) -> None:
        """The run is not ours to go on with: a cancel came first, or another ended it."""
        if reply.status is RunStatus.CANCEL_REQUESTED:
            self.stop(Stop.CANCELED)

    async def _unless_stopped(self, awaitable: Awaitable[T]) -> T:
        """Its result, unless the attempt has to stop: it is cancelled then.

        Raises:
            _Stopped: after the cancelled one has cleaned up.
        """
        work = asyncio.ensure_future(awaitable)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise _Stopped
            return work.result()
        finally:
            work.cancel()
            stopping.cancel()
            await asyncio.gather(work, stopping, return_exceptions=True)


def _call_of(spec: ScriptSpec, python: str) -> tuple[str, ...]:
    """What is executed: the command as it is, or the script by this Python."""
    return spec.command or (python, "-u", spec.script, *spec.arguments)


def console_writer(claim_id: str) -> str:
    """The writer of an attempt's console."""
    return f"console-{claim_id}"


async def add_files(holder: Holder, attempt: int, files: list[FileEntry]) -> None:
    """Report files in as many commands as it takes."""
    for start in range(0, len(files), FILES_IN_A_COMMAND):
        await holder.add_files(attempt, tuple(files[start : start + FILES_IN_A_COMMAND]))


async def report_end(holder: Holder, error: RunError | None, *, canceled: bool) -> Reply:
    """Say how it ended; where a cancel came first, confirm that instead."""
    if canceled:
        return await holder.confirm_cancel()
    reply = await (holder.complete() if error is None else holder.fail(error))
    if reply.outcome == "refused" and reply.status is RunStatus.CANCEL_REQUESTED:
        return await holder.confirm_cancel()
    return reply


def remove_tree(folder: Path) -> None:
    """Remove a folder, even where a script took away the right to change parts of it."""
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _preparation_error(problem: EnvironmentFailed | SnapshotUnusable) -> RunError:
    if isinstance(problem, EnvironmentFailed):
        return RunError("EnvironmentFailed", str(problem), problem.details)
    return RunError("SnapshotUnusable", str(problem))
