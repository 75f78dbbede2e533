"""Prepare an attempt: its code on disk, its environment ready, and what that is on record."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import structlog
from msgspec import Struct

from runhistory.domain.values import Environment, ResolvedEnvironment, ScriptSpec
from runhistory.environments.installed import described, installed_lock
from runhistory.environments.lock import InvalidLock, Lock, parse_lock
from runhistory.objects.store import ObjectNotFound, ObjectStore
from runhistory.worker.builder import Builder, EnvironmentFailed
from runhistory.worker.environments import Environments
from runhistory.worker.recipes import Wanted, wanted_environment
from runhistory.worker.snapshot import SnapshotUnusable, check_out

PAUSE: Final = 2.0

log: Any = structlog.get_logger(__name__)


class Prepared(Struct, frozen=True, kw_only=True):
    """What a script is called in: `folder` is None for the worker's own interpreter."""

    folder: Path | None
    environment: ResolvedEnvironment


class Workshop(Struct, frozen=True, kw_only=True):
    """What an attempt is prepared with."""

    store: ObjectStore
    environments: Environments
    builder: Builder
    tell: Callable[[str], None]


async def prepare(
    shop: Workshop, workspace: str, spec: ScriptSpec, work: Path, private: Path
) -> Prepared:
    """Check the code out to `work`, provide the environment, and store the list of its packages.

    An environment that cannot be shared is made in `private`. With the store away it waits.

    Raises:
        SnapshotUnusable: the code cannot be put on disk, or lacks the script.
        EnvironmentFailed: the environment cannot be had.
    """
    await check_out(shop.store, workspace, spec.snapshot_id, work)
    if not spec.command and not (work / spec.script).is_file():
        raise SnapshotUnusable(f"The snapshot has no file {spec.script!r} to call.")
    recorded = await _recorded_lock(shop, workspace, spec.environment)
    wanted = await asyncio.to_thread(wanted_environment, spec.environment, work, recorded)
    if wanted is None:
        shop.tell(f"Environment: the worker's own, {sys.executable}.")
        lock = await asyncio.to_thread(installed_lock)
        await _store(shop.store, workspace, lock)
        return Prepared(folder=None, environment=described(lock))
    return await _provide(shop, workspace, wanted, private)


async def _provide(shop: Workshop, workspace: str, wanted: Wanted, private: Path) -> Prepared:
    shop.tell(f"Environment {wanted.recipe.hash}:")
    provided = await shop.environments.provide(wanted, private, shop.builder)
    shop.tell("It was built before." if provided.was_kept else "It is built.")
    await _store(shop.store, workspace, provided.lock)
    return Prepared(folder=provided.folder, environment=provided.description)


async def _recorded_lock(shop: Workshop, workspace: str, spec: Environment) -> Lock | None:
    """The packages of the run that is repeated."""
    if spec.lock_sha256 is None:
        return None
    while True:
        try:
            data = await shop.store.read(workspace, spec.lock_sha256)
            return parse_lock(data.decode())
        except ObjectNotFound as error:
            raise EnvironmentFailed(
                f"The list of packages of the run that is repeated is gone: {error}"
            ) from error
        except (InvalidLock, UnicodeDecodeError) as error:
            raise EnvironmentFailed(
                f"Blob {spec.lock_sha256} is no list of packages: {error}"
            ) from error
        except Exception as error:
            log.warning("lock_not_read", error=repr(error))
            await asyncio.sleep(PAUSE)


async def _store(store: ObjectStore, workspace: str, lock: Lock) -> None:
    while True:
        try:
            await store.put_bytes(workspace, lock.text.encode())
            return
        except Exception as error:
            log.warning("lock_not_stored", error=repr(error))
            await asyncio.sleep(PAUSE)
