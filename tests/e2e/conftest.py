"""The command line in a workspace of its own, on the stack that all tests share."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from runhistory import Workspace
from tests.support.running_stack import RunningStack

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def workspace(stack: RunningStack) -> Workspace:
    return Workspace(stack.url, f"w{uuid.uuid4().hex[:12]}")


@pytest.fixture
def cli(workspace: Workspace, tmp_path: Path) -> Cli:
    environment = {
        **os.environ,
        "RUNHISTORY_URL": workspace.url,
        "RUNHISTORY_WORKSPACE": workspace.name,
        "NO_COLOR": "1",
    }

    def run(*arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "runhistory.cli", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )
        assert not ok or done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done

    return run
