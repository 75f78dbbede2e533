"""A worker with the real broker and lifecycle: what becomes of a submitted script."""

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from runhistory.domain.commands import PauseRun, ResumeRun
from runhistory.domain.values import Environment, Resources
from tests.conftest import Broker
from tests.support.service_process import ServiceProcess, free_port
from tests.support.worker_world import WorkerWorld

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(180)]

TARGET = f"test-{uuid.uuid4().hex[:8]}"
SLEEP = "import time; print('here'); time.sleep(60)"
DAEMON = """
import os, pathlib, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
    time.sleep(60)
pathlib.Path("outputs/begun").write_text("begun")
while not pathlib.Path(sys.argv[1]).exists() or not pathlib.Path(sys.argv[1]).read_text():
    time.sleep(0.01)
print("here")
time.sleep(60)
"""


@pytest.fixture(scope="module")
def lifecycle(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A lifecycle that knows this module's target alone."""
    log = tmp_path_factory.mktemp("lifecycle") / "lifecycle.log"
    with ServiceProcess(
        "lifecycle",
        log,
        RUNHISTORY_KAFKA=broker.bootstrap,
        RUNHISTORY_CLICKHOUSE=f"http://127.0.0.1:{free_port()}",
        RUNHISTORY_INSTANCE="worker-tests",
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
async def worker(world: WorkerWorld) -> AsyncIterator[ServiceProcess]:
    with world.worker() as process:
        await asyncio.to_thread(process.wait_ready)
        yield process
        assert await asyncio.to_thread(process.stop, 30) == 0, process.tail()


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_script_runs_to_its_end_and_all_of_it_is_kept(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    code = """
import json, os, pathlib, sys
from runhistory import Run
print(json.dumps(sys.argv[1:]))
print("an error line", file=sys.stderr)
names = [n for n in os.environ if n.startswith(("RUNHISTORY_", "CUDA_", "MINE"))]
pathlib.Path("outputs/environment.json").write_text(json.dumps({n: os.environ[n] for n in names}))
pathlib.Path("logs/own.log").write_text("log")
"""
    arguments = ["a b", 'it\'s "so"', "ünï"]
    environment = Environment(variables={"MINE": "1", "RUNHISTORY_RUN_ID": "forged"})
    run_id = await world.submit({"train.py": code}, *arguments, environment=environment)
    assert await world.ended(run_id) == "Completed"
    assert world.statuses(run_id)[1:] == [
        "Starting", "Queued", "Preparing", "Running", "Finalizing", "Completed"
    ]  # fmt: skip
    assert world.lines(run_id, "stdout") == [json.dumps(arguments)]
    assert world.lines(run_id, "stderr") == ["an error line"]
    files = await world.files(run_id)
    assert set(files) == {"outputs/environment.json", "logs/own.log", "user_logs/std_log.txt"}
    assert b"an error line" in files["user_logs/std_log.txt"]
    seen = json.loads(files["outputs/environment.json"])
    assert seen["RUNHISTORY_RUN_ID"] == run_id
    assert (seen["RUNHISTORY_ATTEMPT"], seen["RUNHISTORY_EXPERIMENT"]) == ("1", "worker")
    assert (seen["MINE"], seen["CUDA_VISIBLE_DEVICES"]) == ("1", "")
    assert not {"RUNHISTORY_KAFKA", "RUNHISTORY_OBJECTS", "RUNHISTORY_CLICKHOUSE"} & set(seen)
    folders = world.folder / "worker"
    await world.until(lambda: not list((folders / "attempts").iterdir()))
    assert list((folders / "claims").iterdir()) == []


async def test_a_script_that_exits_3_fails_with_its_last_error_lines(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    code = (
        "import sys; open('outputs/a', 'w').write('a'); print('bad', file=sys.stderr); sys.exit(3)"
    )
    run_id = await world.submit({"train.py": code})
    assert await world.ended(run_id) == "Failed"
    error = world.error(run_id)
    assert (error.code, error.details) == ("ExitCode", "bad")
    assert "3" in error.message
    assert (await world.files(run_id))["outputs/a"] == b"a"


async def test_a_script_that_is_killed_fails_with_the_signals_name(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    run_id = await world.submit({"train.py": "import os; os.kill(os.getpid(), 9)"})
    assert await world.ended(run_id) == "Failed"
    assert world.error(run_id).code == "Signal"
    assert "SIGKILL" in world.error(run_id).message


async def test_requirements_that_cannot_be_resolved_fail_the_run_and_say_why(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    run_id = await world.submit({"train.py": "", "requirements.txt": "six==0.0.999\n"})
    assert await world.ended(run_id) == "Failed"
    error = world.error(run_id)
    assert error.code == "EnvironmentFailed"
    assert "six==0.0.999" in error.details
    assert any("six==0.0.999" in line for line in world.lines(run_id, "system"))
    assert "Running" not in world.statuses(run_id)


async def test_the_second_run_with_one_environment_starts_at_once(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    files = {
        "train.py": "import six, sys, runhistory; print(six.__version__, sys.prefix)",
        "requirements.txt": "six==1.17.0\n",
    }
    first = await world.submit(files)
    assert await world.ended(first) == "Completed", world.error(first)
    second = await world.submit({**files, "other.py": "# another snapshot"})
    assert await world.ended(second) == "Completed"
    assert world.lines(first, "stdout") == world.lines(second, "stdout")
    assert world.lines(second, "stdout")[0].startswith("1.17.0 ")
    assert str(world.folder / "worker" / "environments") in world.lines(second, "stdout")[0]
    assert world.time_of(second, "Running") - world.time_of(second, "Preparing") < 2
    assert "It was built before." in world.lines(second, "system")


async def test_two_runs_overlap_and_do_not_mix_and_a_third_waits(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    code = """
import pathlib, sys, time
mine, other = sys.argv[1:]
pathlib.Path(mine).touch()
while not pathlib.Path(other).exists():
    time.sleep(0.01)
for number in range(100):
    print(mine, number)
pathlib.Path("outputs/who").write_text(mine)
while not pathlib.Path(mine + ".go").exists():
    time.sleep(0.01)
"""
    a, b = str(world.folder / "a"), str(world.folder / "b")
    first, second = await asyncio.gather(
        world.submit({"train.py": code}, a, b), world.submit({"train.py": code}, b, a)
    )
    await world.until(lambda: all(len(world.lines(r, "stdout")) == 100 for r in (first, second)))
    third = await world.submit({"train.py": ""})
    await world.until_status(third, "Queued")
    assert "Preparing" not in world.statuses(third)
    world.touch("a.go")
    assert await world.ended(third) == "Completed"
    assert world.time_of(third, "Preparing") >= world.time_of(first, "Completed")
    world.touch("b.go")
    for run_id, mine in ((first, a), (second, b)):
        assert await world.ended(run_id) == "Completed"
        assert world.lines(run_id, "stdout") == [f"{mine} {number}" for number in range(100)]
        assert (await world.files(run_id))["outputs/who"].decode() == mine


async def test_a_cancel_while_running_ends_all_of_it_and_keeps_outputs(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    pid_file = world.folder / "daemon"
    run_id = await world.submit({"train.py": DAEMON}, str(pid_file))
    await world.until(lambda: "here" in world.lines(run_id, "stdout"))
    await world.cancel(run_id)
    assert await world.ended(run_id) == "Canceled"
    assert is_gone(int(pid_file.read_text()))
    assert (await world.files(run_id))["outputs/begun"] == b"begun"


async def test_a_cancel_while_the_environment_is_built_stops_the_build(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    files = {
        "train.py": "",
        "requirements.txt": "./slow\n",
        "slow/pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "back"\n'
        'backend-path = ["."]\n',
        "slow/back.py": "import os, pathlib, time\n"
        f"pathlib.Path({str(world.folder / 'build')!r}).write_text(str(os.getpid()))\n"
        "time.sleep(60)\n",
    }
    run_id = await world.submit(files)
    build = world.folder / "build"
    await world.until(lambda: build.exists() and build.read_text())
    await world.cancel(run_id)
    assert await world.ended(run_id, 30) == "Canceled"
    assert is_gone(int(build.read_text()))


async def test_a_run_that_is_paused_goes_on_or_is_cancelled(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    code = f"""
import pathlib, time
while not pathlib.Path("{world.folder}/go").exists():
    print("beat", flush=True)
    time.sleep(0.02)
"""
    resumed, canceled = [await world.submit({"train.py": code}) for _ in range(2)]
    for run_id in (resumed, canceled):
        await world.until(lambda run_id=run_id: world.lines(run_id, "stdout"))
        await world.send(PauseRun, run_id)
    await world.until(lambda: len(_stopped(world)) == 2)
    await world.cancel(canceled)
    assert await world.ended(canceled, 30) == "Canceled"
    assert world.statuses(canceled)[-4:] == ["Running", "Paused", "CancelRequested", "Canceled"]
    assert len(_stopped(world)) == 1
    world.touch("go")
    await world.send(ResumeRun, resumed)
    assert await world.ended(resumed) == "Completed"
    assert world.statuses(resumed)[-5:] == [
        "Running", "Paused", "Running", "Finalizing", "Completed",
    ]  # fmt: skip


def _stopped(world: WorkerWorld) -> list[psutil.Process]:
    """Scripts of this world that stand still."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            inside = Path(process.cwd()).is_relative_to(world.folder)
            if inside and process.status() == psutil.STATUS_STOPPED:
                found.append(process)
    return found


async def test_a_run_that_takes_too_long_is_ended_and_its_outputs_kept(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    code = "open('outputs/begun', 'w').write('begun'); import time; print('here'); time.sleep(60)"
    run_id = await world.submit({"train.py": code}, max_duration_seconds=3)
    await world.until(lambda: "here" in world.lines(run_id, "stdout"))
    await world.send(PauseRun, run_id)
    assert await world.ended(run_id, 30) == "Failed"
    error = world.error(run_id)
    assert error.code == "MaxDurationExceeded"
    assert "after 3 s" in error.message
    assert (await world.files(run_id))["outputs/begun"] == b"begun"


async def test_a_cancel_while_queued_is_never_started(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    run_id = await world.submit({"train.py": SLEEP}, resources=Resources(slots=3))
    await world.cancel(run_id)
    assert await world.ended(run_id) == "Canceled"
    assert "Preparing" not in world.statuses(run_id)


async def test_a_run_that_never_fits_waits_and_holds_up_nobody(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    large = await world.submit({"train.py": ""}, resources=Resources(gpus=1))
    small = await world.submit({"train.py": ""})
    assert await world.ended(small) == "Completed"
    assert world.statuses(large)[-1] == "Queued"
    assert "run_waits_for_larger_worker" in worker.tail()
    await world.cancel(large)


async def test_load_is_sampled_as_points(world: WorkerWorld, worker: ServiceProcess) -> None:
    run_id = await world.submit({"train.py": "import time; time.sleep(2)"})
    assert await world.ended(run_id) == "Completed"
    await world.until(lambda: world.metrics[run_id])
    keys = {key for batch in world.metrics[run_id] for key in batch.keys}
    assert {"system/cpu_percent", "system/process/memory_rss_bytes"} <= keys
    assert all(batch.attempt == 1 for batch in world.metrics[run_id])


async def test_a_killed_worker_leaves_nothing_running_and_its_run_fails(
    world: WorkerWorld,
) -> None:
    pid_file = world.folder / "daemon"
    with world.worker() as worker:
        await asyncio.to_thread(worker.wait_ready)
        run_id = await world.submit({"train.py": DAEMON}, str(pid_file))
        await world.until(lambda: "here" in world.lines(run_id, "stdout"))
        worker.kill()
        worker.start()
        assert await world.ended(run_id) == "Failed"
        assert world.error(run_id).code == "WorkerLost"
        assert is_gone(int(pid_file.read_text()))
        assert (await world.files(run_id))["outputs/begun"] == b"begun"
        after = await world.submit({"train.py": "print('fine')"})
        assert await world.ended(after) == "Completed"


async def test_a_stopped_worker_ends_its_runs_and_says_so(world: WorkerWorld) -> None:
    pid_file = world.folder / "daemon"
    with world.worker() as worker:
        await asyncio.to_thread(worker.wait_ready)
        run_id = await world.submit({"train.py": DAEMON}, str(pid_file))
        await world.until(lambda: "here" in world.lines(run_id, "stdout"))
        before = time.monotonic()
        assert await asyncio.to_thread(worker.stop, 30) == 0
        assert time.monotonic() - before < 15
    assert await world.ended(run_id) == "Failed"
    assert world.error(run_id).code == "WorkerStopped"
    assert is_gone(int(pid_file.read_text()))


async def test_several_workers_take_each_run_once(world: WorkerWorld) -> None:
    with world.worker("one") as one, world.worker("two") as two:
        await asyncio.to_thread(one.wait_ready)
        await asyncio.to_thread(two.wait_ready)
        runs = [await world.submit({"train.py": "print('once')"}) for _ in range(8)]
        for run_id in runs:
            assert await world.ended(run_id) == "Completed"
            assert world.statuses(run_id).count("Preparing") == 1
            assert world.lines(run_id, "stdout") == ["once"]


async def test_a_second_worker_in_one_folder_is_refused(
    world: WorkerWorld, worker: ServiceProcess
) -> None:
    with world.worker() as second:
        assert await asyncio.to_thread(second.process.wait, 30) == 2


async def test_reports_wait_for_a_lifecycle_that_is_away(
    world: WorkerWorld, worker: ServiceProcess, lifecycle: ServiceProcess
) -> None:
    code = """
import pathlib, sys, time
print("here")
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
print("there")
"""
    run_id = await world.submit({"train.py": code}, str(world.folder / "go"))
    await world.until(lambda: "here" in world.lines(run_id, "stdout"))
    lifecycle.kill()
    world.touch("go")
    await world.until(lambda: "there" in world.lines(run_id, "stdout"))
    assert world.statuses(run_id)[-1] == "Running"
    lifecycle.start()
    assert await world.ended(run_id) == "Completed"


async def test_a_worker_killed_right_after_its_claim_settles_it_in_its_next_life(
    world: WorkerWorld,
) -> None:
    with world.worker() as worker:
        await asyncio.to_thread(worker.wait_ready)
        run_id = await world.submit({"train.py": SLEEP})
        claims = world.folder / "worker" / "claims"
        await world.until_status(run_id, "Preparing")  # the file alone does not mean it was sent
        worker.kill()
        worker.start()
        assert await world.ended(run_id) == "Failed"
        assert world.error(run_id).code == "WorkerLost"
        await world.until(lambda: not list(claims.iterdir()))
