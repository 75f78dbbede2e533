"""The programs of examples/from_azureml, run as their readers would run them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running_stack import RunningStack

pytestmark = pytest.mark.infrastructure

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "examples" / "from_azureml"

EXPECTED = {
    "interactive_logging.py": [
        "status: Completed",
        "points of mse: 30 last: 0.0",
        "files: ['outputs/model.txt']",
    ],
    "submit_script.py": [
        "epoch=3: loss 0.0663",
        "status: Completed",
        "loss: [0.502, 0.253, 0.1285, 0.06625]",
        "model: 0.06625",
    ],
    "sweep.py": [
        "children: 6",
        "folds: ['a', 'b']",
        "best: rate-0.3 1.0",
        "submitted child: Completed of True",
    ],
    "images_and_tables.py": [
        "cosine: [0.0, 0.5, 1.0]",
        "summary: [0.91, 0.93, 0.92]",
        "optimizer: adam",
        "images: 2",
    ],
    "offline_run.py": ["offline: True", "refused: NoRunContext"],
    "read_history.py": [
        "experiments: True",
        "mse fell: True",
        "properties: port",
        "tags: {'model': 'linear'}",
        "statuses: Completed Completed",
        "weights: 3",
        "logs: True",
    ],
}


def run_program(name: str, folder: Path, url: str) -> str:
    """What the program prints; it runs in `folder`, where it may leave files."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "RUNHISTORY_URL": url}
    done = subprocess.run(
        [sys.executable, PROGRAMS / name],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "read_history.py"])
def test_a_ported_program_prints_what_it_did_there(
    stack: RunningStack, tmp_path: Path, name: str
) -> None:
    printed = run_program(name, tmp_path, stack.url).splitlines()
    assert [line for line in EXPECTED[name] if not any(line in one for one in printed)] == []


def test_history_is_read_by_another_process(stack: RunningStack, tmp_path: Path) -> None:
    run_program("interactive_logging.py", tmp_path, stack.url)
    printed = run_program("read_history.py", tmp_path, stack.url).splitlines()
    assert [line for line in EXPECTED["read_history.py"] if line not in printed] == []


def test_every_program_is_run_and_differs_from_azures_by_its_imports_alone() -> None:
    assert {path.name for path in PROGRAMS.glob("*.py")} == set(EXPECTED)
    for path in [*PROGRAMS.glob("*.py"), PROGRAMS / "train" / "train.py"]:
        text = path.read_text()
        assert "was: from azureml.core import" in text, path.name
        assert text.count("from runhistory") == 1, path.name
