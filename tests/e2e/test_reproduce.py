"""Reproduce a run on a whole stack: the same packages and the same curve, whatever came since."""

import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from runhistory import Experiment, Run, Workspace
from runhistory.environments.installed import installed_lock
from runhistory.sdk.errors import Conflict
from tests.e2e.conftest import Cli
from tests.support.wheels import package_index, write_wheel

pytestmark = [pytest.mark.infrastructure, pytest.mark.timeout(240)]

NAME = f"demo_{uuid.uuid4().hex[:8]}"
SEEDED = f"""
import os, random, sys
import {NAME}
from runhistory import Run

random.seed(int(os.environ.get("SEED", "7")))
run, loss, rate = Run.get_context(), 1.0, float(sys.argv[2])
for step in range(50):
    loss -= rate * loss * random.random()
    run.log("loss", loss, step=step)
print({NAME}.VERSION)
"""


def read(cli: Cli, *arguments: str) -> Any:
    return json.loads(cli(*arguments, "--json").stdout)


def test_a_reproduced_run_has_the_old_packages_and_the_same_curve(
    cli: Cli, workspace: Workspace, tmp_path: Path
) -> None:
    wheels, code = tmp_path / "wheels", tmp_path / "code"
    old_hash = write_wheel(wheels, NAME, "1.0", {f"{NAME}.py": "VERSION = 'old'\n"})
    code.mkdir()
    (code / "train.py").write_text(SEEDED)
    with package_index(wheels) as index:
        (code / "requirements.txt").write_text(f"--extra-index-url {index}\n{NAME}\n")
        submit = ["submit", "code", "--script", "train.py", "--experiment", "seeded", "--follow"]
        assert "old\n" in cli(*submit, "--", "--rate", "0.1").stdout
        first = workspace.find_run("@latest")

        write_wheel(wheels, NAME, "2.0", {f"{NAME}.py": "VERSION = 'new'\n"})
        followed = cli("reproduce", first.id, "--follow", "--name", "once more")
        assert "old\n" in followed.stdout
        again = workspace.find_run("once more")

        (code / "train.py").write_text(SEEDED.replace("range(50)", "range(40)"))
        (code / "requirements.txt").write_text(f"--extra-index-url {index}\n{NAME}>=2\n")
        assert "new\n" in cli(*submit, "--", "--rate", "0.2").stdout
        other = workspace.find_run("@latest")

    assert again.get_metrics() == first.get_metrics(), "equal in every bit"
    assert len(first.get_metrics()["loss"]) == 50
    details = again.get_details()
    assert details["reproduces"] == first.id
    assert details["snapshot_id"] == first.get_snapshot_id()
    assert details["environment"] == first.get_details()["environment"]

    environment = again.get_environment()
    distribution = NAME.replace("_", "-")
    assert environment.packages[distribution] == "1.0"
    assert f"--hash=sha256:{old_hash}" in environment.lock
    same = first.diff(again)
    assert same.is_empty
    assert same.metrics == ()

    found = read(cli, "diff", first.id, other.id)
    assert found["packages"] == [{"name": distribution, "old": "1.0", "new": "2.0"}]
    assert found["params"] == [{"name": "rate", "old": "0.1", "new": "0.2"}]
    assert [file["path"] for file in found["code"]] == ["requirements.txt", "train.py"]
    patch = cli("diff", first.id, other.id, "--code-only").stdout
    assert "-for step in range(50):\n+for step in range(40):\n" in patch
    assert "are the same." in cli("diff", first.id, again.id).stdout


def test_the_workers_own_interpreter_comes_back_as_it_was(
    cli: Cli, workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("import sys; print(sys.executable)")
    submit = ["submit", "code", "--script", "train.py", "--experiment", "own", "--follow"]
    first = cli(*submit).stdout.splitlines()[0]
    environment = workspace.find_run("@latest").get_environment()
    assert environment.packages == installed_lock().versions
    assert cli("reproduce", "@latest", "--follow").stdout.splitlines()[0] == first


def test_an_interactive_runs_environment_is_recorded_and_it_is_not_reproduced(
    workspace: Workspace,
) -> None:
    run: Run = Experiment(workspace, "by hand").start_logging()
    deadline = time.monotonic() + 30
    while run.get_details()["environment"] is None:
        assert time.monotonic() < deadline, "nothing was recorded"
        time.sleep(0.1)
    run.complete()
    assert run.get_environment().packages == installed_lock().versions
    with pytest.raises(Conflict, match="interactive"):
        run.reproduce()


def test_a_secret_is_warned_of_before_anything_is_sent(
    cli: Cli, workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("print(1)")
    (tmp_path / "code" / ".env").write_text("A=1")
    submit = ["submit", "code", "--script", "train.py", "--experiment", "secrets"]
    refused = cli(*submit, "--strict-secrets", ok=False)
    assert refused.returncode == 1
    assert ".env (environment variables)" in refused.stderr
    assert list(Experiment(workspace, "secrets").get_runs()) == []
    assert ".env (environment variables)" in cli(*submit).stderr
