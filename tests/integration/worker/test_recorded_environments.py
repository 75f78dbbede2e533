"""What is recorded of a run's environment is what it ran in, and brings the same one back."""

import re
import uuid
from collections.abc import AsyncIterator, Iterator
from importlib import metadata
from pathlib import Path

import pytest

from runhistory.domain.events import EnvironmentRecorded
from runhistory.domain.values import Environment, ResolvedEnvironment
from runhistory.environments.installed import installed_lock
from runhistory.environments.lock import Lock, normalized, parse_lock
from tests.conftest import Broker
from tests.support.service_process import ServiceProcess, free_port
from tests.support.wheels import install_files, package_index, write_wheel
from tests.support.worker_world import WorkerWorld

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(180)]

TARGET = f"test-{uuid.uuid4().hex[:8]}"
NAME = f"demo_{uuid.uuid4().hex[:8]}"  # no index elsewhere and no cache has it
DISTRIBUTION = NAME.replace("_", "-")
SCRIPT = f"import {NAME}; print({NAME}.VALUE)"


@pytest.fixture(scope="module")
def lifecycle(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A lifecycle that knows this module's target alone."""
    with ServiceProcess(
        "lifecycle",
        tmp_path_factory.mktemp("lifecycle") / "lifecycle.log",
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_CLICKHOUSE=f"http://127.0.0.1:{free_port()}",
        RUNHISTORY_COMPUTE_TARGETS=TARGET,
        RUNHISTORY_INSTANCE="environment-tests",
    ) as process:
        process.wait_ready()
        yield process


@pytest.fixture
async def world(
    broker: Broker, lifecycle: ServiceProcess, tmp_path: Path
) -> AsyncIterator[WorkerWorld]:
    async with WorkerWorld(broker.bootstrap, tmp_path, TARGET) as world:
        yield world


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """The folder of a package index that the worker asks first."""
    return tmp_path / "wheels"


@pytest.fixture
async def worker(world: WorkerWorld, wheels: Path) -> AsyncIterator[ServiceProcess]:
    with package_index(wheels) as url, world.worker(UV_INDEX=url) as process:
        process.wait_ready()
        yield process


def publish(wheels: Path, version: str, value: str) -> str:
    """Publish NAME in a version whose VALUE is `value`; returns the wheel's SHA-256."""
    return write_wheel(wheels, NAME, version, {f"{NAME}.py": f"VALUE = {value!r}\n"})


def recorded(world: WorkerWorld, run_id: str) -> ResolvedEnvironment:
    """What is on record; it was told before the script was called."""
    events = world.events[run_id]
    (found,) = (event for event in events if isinstance(event, EnvironmentRecorded))
    assert str(found.status) == "Preparing"
    return found.environment


async def lock_of(world: WorkerWorld, run_id: str) -> Lock:
    environment = recorded(world, run_id)
    assert environment.packages_sha256 is not None
    data = await world.objects.read("default", environment.packages_sha256)
    lock = parse_lock(data.decode())
    assert environment.packages_count == len(lock.packages)
    return lock


async def stored(world: WorkerWorld, text: str) -> str:
    return (await world.objects.put_bytes("default", text.encode())).sha256


def sdk_needs() -> str:
    """The lines of this interpreter's lock for what the SDK needs, and what that needs."""
    versions, lines, pending = installed_lock().versions, {}, ["runhistory"]
    while pending:
        for required in metadata.requires(pending.pop()) or ():
            name = normalized(re.split(r"[^A-Za-z0-9._-]", required, maxsplit=1)[0])
            if ";" not in required and name in versions and name not in lines:
                lines[name] = next(p for p in installed_lock().packages if p.name == name)
                pending.append(name)
    return "".join(f"{p.line}  # contents sha256:{p.contents}\n" for p in lines.values())


async def run(world: WorkerWorld, code: str, environment: Environment | None = None) -> str:
    run_id = await world.submit({"train.py": code}, environment=environment)
    assert await world.ended(run_id) == "Completed", world.error(run_id)
    return run_id


async def test_a_newer_version_is_not_taken_when_a_run_is_repeated(
    world: WorkerWorld, worker: ServiceProcess, wheels: Path
) -> None:
    old_hash = publish(wheels, "1.0", "old")
    first = await run(world, SCRIPT, Environment(requirements=(NAME,)))
    lock = await lock_of(world, first)
    packages = {package.name: package for package in lock.packages}
    assert (packages[DISTRIBUTION].version, packages[DISTRIBUTION].hashes) == ("1.0", (old_hash,))
    assert lock.is_hashed
    assert "msgspec" in packages, "what the SDK needs is in it as well"

    publish(wheels, "2.0", "new")
    anew = await run(world, SCRIPT, Environment(requirements=(f"{NAME}>=1",)))
    assert world.lines(anew, "stdout") == ["new"], "whoever resolves now gets the newer one"

    again = await run(world, SCRIPT, Environment(lock_sha256=lock.sha256))
    assert world.lines(again, "stdout") == world.lines(first, "stdout") == ["old"]
    assert recorded(world, again) == recorded(world, first)

    publish(wheels, "1.0", "forged")
    forged = await world.submit(
        {"train.py": SCRIPT},
        environment=Environment(requirements=(f"{NAME}==1.0 --hash=sha256:{old_hash}",)),
    )
    assert await world.ended(forged) == "Failed"
    assert "hashes" in world.error(forged).message


async def test_without_requirements_the_interpreters_packages_are_recorded(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    code = "import sys; print(sys.prefix)"
    first = await run(world, code)
    lock = await lock_of(world, first)
    assert lock == installed_lock()
    again = await run(world, code, Environment(lock_sha256=lock.sha256))
    assert world.lines(again, "stdout") == world.lines(first, "stdout"), "the same interpreter"
    assert recorded(world, again) == recorded(world, first)


async def test_another_machines_interpreter_is_rebuilt_where_the_same_files_can_be_had(
    world: WorkerWorld, worker: ServiceProcess, wheels: Path, tmp_path: Path
) -> None:
    publish(wheels, "1.0", "old")
    install_files(tmp_path / "there", NAME, "1.0", {f"{NAME}.py": "VALUE = 'old'\n"})
    there = installed_lock([str(tmp_path / "there")]).text + sdk_needs()
    again = await run(world, SCRIPT, Environment(lock_sha256=await stored(world, there)))
    assert world.lines(again, "stdout") == ["old"]

    other = there.replace(
        f"{DISTRIBUTION}==1.0  # contents sha256:",
        f"{DISTRIBUTION}==1.0  # contents sha256:".replace("==", " == "),
    )
    assert other != there
    publish(wheels, "1.0", "forged")
    environment = Environment(lock_sha256=await stored(world, other))
    refused = await world.submit({"train.py": SCRIPT}, environment=environment)
    assert await world.ended(refused) == "Failed"
    assert DISTRIBUTION in world.error(refused).message


async def test_a_python_that_is_not_there_is_told_and_nothing_is_downloaded(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    lock = await stored(world, installed_lock().text)
    wanted = Environment(lock_sha256=lock, python_version="3.99.1")
    run_id = await world.submit({"train.py": ""}, environment=wanted)
    assert await world.ended(run_id) == "Failed"
    assert "3.99.1" in world.error(run_id).message
    assert "--any-python" in world.error(run_id).message


async def test_packages_that_are_gone_are_told_as_what_they_are(
    world: WorkerWorld, worker: ServiceProcess, wheels: Path
) -> None:
    publish(wheels, "1.0", "forged")
    for version, said in (("1.0", "Hash mismatch"), ("3.0", f"{DISTRIBUTION}==3.0")):
        hashed = f"{DISTRIBUTION}=={version} --hash=sha256:{'0' * 64}\n"
        lock = await stored(world, f"# runhistory lock 1: resolved\n{hashed}")
        environment = Environment(lock_sha256=lock)
        run_id = await world.submit({"train.py": ""}, environment=environment)
        assert await world.ended(run_id) == "Failed"
        error = world.error(run_id)
        assert "the run that is repeated" in error.message
        assert said in error.details
