"""What a TAB offers, in real shells where they are installed."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from runhistory.cli import completion
from runhistory.cli.completion_scripts import SCRIPTS
from runhistory.cli.nearest import advice
from runhistory.cli.reading import open_run
from runhistory.cli.waiting import waiting_hint
from tests.unit.cli.canned_gateway import CannedGateway
from tests.unit.cli.conftest import invoke
from tests.unit.cli.test_commands import RUN, RUN_SUMMARY

DIGITS: Final[dict[str, Any]] = {"name": "digits", "runs": {"Completed": 3}}
NAME: Final = "a name with $blanks"


@pytest.fixture
def history(gateway: CannedGateway) -> CannedGateway:
    named = RUN_SUMMARY | {"display_name": NAME}
    gateway.answers["/runs"] = {"runs": [named], "next_cursor": None}
    gateway.answers["/experiments"] = {"experiments": [DIGITS]}
    gateway.answers["/compute"] = {
        "compute_targets": [{"name": "gpu-pool", "running": 1, "waiting": 0}]
    }
    gateway.answers["/runs/resolve"] = {"run_id": RUN}
    gateway.answers["/runs/*/series"] = {"series": [{"key": "train/loss", "count": 3}]}
    gateway.answers["/runs/*/files"] = {"files": [{"name": "outputs/model.npz"}]}
    return gateway


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`runhistory` on PATH."""
    script = tmp_path / "bin" / "runhistory"
    script.parent.mkdir()
    main = f"#!{sys.executable}\nfrom runhistory.cli.main import main\nmain()\n"
    script.write_text(main)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")


def test_names_are_offered_and_ids_that_were_begun(history: CannedGateway) -> None:
    assert [name for name, _ in completion.runs("")] == ["@latest", NAME]
    assert [name for name, _ in completion.runs("a n")] == [NAME]
    assert [name for name, _ in completion.runs("0193")] == [RUN]
    assert [name for name, _ in completion.experiments("di")] == ["digits"]


BASH: Final = """
{script}
COMP_LINE={line} COMP_POINT=${{#COMP_LINE}}
COMP_WORDS=({words}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_runhistory_completion runhistory {word}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("line", "last_words", "word", "offered"),
    [
        ("runhistory sho", ["sho"], "sho", "show"),
        ("runhistory show @l", ["@", "l"], "l", "latest"),  # as bash breaks words
        ("runhistory show a", ["a"], "a", r"a\ name\ with\ \$blanks"),
        (r"runhistory show a\ n", [r"a\ n"], r"a\ n", r"a\ name\ with\ \$blanks"),
        ('runhistory show "a n', ['"a n'], "a n", NAME),
        ("runhistory runs --status Comp", ["Comp"], "Comp", "Completed"),
        ("runhistory submit . --compute-target gp", ["gp"], "gp", "gpu-pool"),
        ("runhistory compute show ", [""], "", "gpu-pool"),
        ("runhistory metrics @latest tr", ["tr"], "tr", "train/loss"),
        ("runhistory download @latest o", ["o"], "o", "outputs/model.npz"),
        ("runhistory show nobody", ["nobody"], "nobody", ""),
    ],
)
@pytest.mark.usefixtures("history", "program")
def test_bash_is_offered_what_can_be_put_in_as_it_is(
    line: str, last_words: list[str], word: str, offered: str
) -> None:
    asked = BASH.format(
        script=SCRIPTS["bash"],
        line=shlex.quote(line),
        words=" ".join(["x", *map(shlex.quote, last_words)]),
        word=shlex.quote(word),
    )
    shown = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=False)
    assert shown.stdout == f"{offered}\n"
    assert shown.stderr == ""


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
@pytest.mark.usefixtures("history", "program")
def test_fish_is_offered_the_same_with_what_it_is() -> None:
    asked = f"{SCRIPTS['fish']}\ncomplete -C 'runhistory show @l'"
    shown = subprocess.run(["fish", "-c", asked], capture_output=True, text=True, check=True)
    assert shown.stdout == "@latest\tthe newest run\n"


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_a_script_is_printed_and_its_shell_can_read_it(shell: str) -> None:
    shown = invoke("completion", shell)
    assert shown.exit_code == 0
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=shown.output, text=True, check=True)


def test_another_shell_is_refused_with_those_that_are() -> None:
    shown = invoke("completion", "tcsh")
    assert shown.exit_code == 2
    assert "bash, zsh, fish" in shown.stderr


@pytest.mark.parametrize("answer", [(500, {}), (200, {}), (401, {"error": {}})])
def test_completion_is_never_an_error(gateway: CannedGateway, answer: Any) -> None:
    gateway.answers["/runs"] = gateway.answers["/experiments"] = answer
    assert completion.runs("br") == []
    assert completion.experiments("") == []


def test_completion_without_a_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNHISTORY_URL", "http://127.0.0.1:9")
    assert completion.experiments("x") == []


@pytest.mark.parametrize(
    ("arguments", "refused", "meant"),
    [
        (["show", "a name with blanks"], "/runs/resolve", repr(NAME)),
        (["experiments", "show", "digit"], "/experiments/digit", "'digits'"),
        (["experiments", "archive", "Digits"], "/experiments/commands", "'digits'"),
        (["compute", "show", "gpu_pool"], "/compute/gpu_pool", "'gpu-pool'"),
        (["compute", "delete", "gpupool"], "/compute/gpupool", "'gpu-pool'"),
        (["metrics", RUN, "train/los"], "/nowhere", "'train/loss'"),
    ],
)
def test_a_name_that_is_not_there_has_those_that_are_near(
    history: CannedGateway, arguments: list[str], refused: str, meant: str
) -> None:
    history.refuse(refused, 404, "not_found", "There is none.")
    shown = invoke(*arguments)
    assert shown.exit_code == 1
    assert f"Did you mean {meant}?" in shown.stderr


def test_no_runs_of_an_experiment_that_is_not_there_is_an_error(history: CannedGateway) -> None:
    history.answers["/runs"] = {"runs": [], "next_cursor": None}
    shown = invoke("runs", "--experiment", "digit")
    assert shown.exit_code == 1
    assert "Did you mean 'digits'?" in shown.stderr


def test_a_name_is_not_advised_against_itself() -> None:
    assert advice("local", ["local", "locals"]) == " Did you mean 'locals'?"


def test_a_run_that_no_node_is_large_enough_for_is_told_so(history: CannedGateway) -> None:
    history.answers["/compute/gpu-pool"] = {
        "pool": {"min_nodes": 0, "max_nodes": 2, "idle_seconds": 5, "slots": 1},
        "nodes": [],
        "running": 0,
        "waiting_runs": [RUN],
    }
    details = {
        "status": "Queued",
        "compute_target": "gpu-pool",
        "spec": {"resources": {"slots": 3, "gpus": 0}},
    }
    hint = waiting_hint(open_run(RUN), details)
    assert hint == "waits for a node of 3 slots; those of gpu-pool have 1"
