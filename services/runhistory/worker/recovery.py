"""What a worker does about its earlier life, or about an attempt that it lost hold of.

First everything that the earlier life left running is killed, before anything else is looked at.
Then each run that it held fails with code WorkerLost (or is confirmed as cancelled, where a cancel
came first), after what is there of its outputs and of its console was kept.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import structlog

from runhistory.domain.status import RunStatus
from runhistory.domain.values import FileEntry, RunError
from runhistory.worker.attempt import Tools, add_files, console_writer, remove_tree, report_end
from runhistory.worker.board import KnownRun
from runhistory.worker.console import Spool, send_spooled
from runhistory.worker.holder import Holder
from runhistory.worker.home import Claim, Home
from runhistory.worker.keep import CONSOLE_NAME, Found, keep_files, store_file
from runhistory.worker.processes import WORKER_ID_VARIABLE, kill_marked, kill_tree

log: Any = structlog.get_logger(__name__)


def kill_what_is_left(home: Home, claims: Iterable[Claim]) -> None:
    """Kill all that runs for this worker.

    Raises:
        CannotKill: something survives SIGKILL.
    """
    for claim in claims:
        if claim.runner_pid is not None and claim.runner_started is not None:
            kill_tree(claim.runner_pid, claim.runner_started)
    killed = kill_marked({WORKER_ID_VARIABLE: home.worker_id})
    if killed:
        log.warning("killed_what_was_left", processes=killed)


def remove_leftovers(home: Home, held: Iterable[KnownRun]) -> None:
    """Remove the folders of attempts that are over: their files were kept before that."""
    keep = {home.attempt_folder(run.run_id, run.attempt) for run in held}
    for folder in (home.root / "attempts").iterdir():
        if folder not in keep:
            remove_tree(folder)


async def settle_lost(tools: Tools, run: KnownRun) -> None:
    """Keep what is there of a lost attempt and end its run. Nothing of it may run any more.

    `run` is as the board knows it, and its last claim names this worker.
    """
    assert run.claim_id is not None
    holder = Holder(tools.client, workspace=run.workspace, run_id=run.run_id, claim_id=run.claim_id)
    folder = tools.home.attempt_folder(run.run_id, run.attempt)
    if folder.exists():
        await add_files(holder, run.attempt, await _keep(tools, run, folder))
    canceled = run.status is RunStatus.CANCEL_REQUESTED
    reply = await report_end(holder, _worker_lost(run), canceled=canceled)
    log.warning("lost_run_settled", run_id=run.run_id, status=reply.status)
    tools.home.forget(run.claim_id)
    if not tools.settings.keep_attempts:
        await asyncio.to_thread(remove_tree, folder)


async def _keep(tools: Tools, run: KnownRun, folder: Path) -> list[FileEntry]:
    """What can be kept. What cannot must not keep the run's end from being told."""
    files: list[FileEntry] = []
    for keep in (_keep_outputs, _keep_console):
        try:
            files += await keep(tools, run, folder)
        except Exception:
            log.exception("files_not_kept", run_id=run.run_id)
    return files


async def _keep_outputs(tools: Tools, run: KnownRun, folder: Path) -> list[FileEntry]:
    def tell(text: str) -> None:
        log.info("file_not_kept", run_id=run.run_id, text=text)

    return await keep_files(tools.store, run.workspace, folder / "work", tell)


async def _keep_console(tools: Tools, run: KnownRun, folder: Path) -> list[FileEntry]:
    try:
        spool, writer = Spool(folder), console_writer(run.claim_id or "")
        await send_spooled(spool, tools.publisher, run_id=run.run_id, writer=writer)
        spool.close()
    except OSError as error:
        log.warning("console_spool_unreadable", run_id=run.run_id, error=str(error))
    console = Found(CONSOLE_NAME, folder / "std_log.txt")
    if not console.path.exists():
        return []
    return [await store_file(tools.store, run.workspace, console)]


def _worker_lost(run: KnownRun) -> RunError:
    return RunError(
        "WorkerLost",
        f"The worker ended unexpectedly while the run was {run.status} in attempt {run.attempt}. "
        "What had been logged and written until then is kept. Submit the run again.",
    )
