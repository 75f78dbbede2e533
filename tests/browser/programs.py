"""Programs that the tests submit; they stop at gates, so that a test sees what is between them."""

from pathlib import Path
from typing import Final

from runhistory import Experiment, Run, ScriptRunConfig, Workspace

# It goes on when the file of the gate's number is there, and gives up if nobody ever opens it.
_TRAIN: Final = """
import sys, time
from pathlib import Path
from runhistory import Run

run, gates = Run.get_context(), Path(sys.argv[1])

def wait_for_gate(number):
    deadline = time.monotonic() + 240
    while not (gates / str(number)).exists():
        assert time.monotonic() < deadline, f"gate {number} stays shut"
        time.sleep(0.05)

for epoch in range(1, int(sys.argv[2]) + 1):
    for step in range(10 * (epoch - 1), 10 * epoch):
        run.log("loss", 1 / (step + 1), step=step)
    run.flush()
    print(f"\\x1b[32mepoch {epoch}\\x1b[0m is done", flush=True)
    wait_for_gate(epoch)
Path("outputs").mkdir(exist_ok=True)
Path("outputs/report.json").write_text('{"loss": 0.05, "good": true}')
Path("outputs/notes.md").write_text("# How it went\\n\\n- *well*\\n")
"""


class GatedProgram:
    """A submitted run that logs ten points an epoch, then waits until the test lets it go on."""

    def __init__(
        self, workspace: Workspace, folder: Path, *, name: str = "gated", epochs: int = 2
    ) -> None:
        self._gates, self._epochs = folder / f"gates of {name}", epochs
        code = folder / f"code of {name}"
        code.mkdir()
        self._gates.mkdir()
        (code / "train.py").write_text(_TRAIN)
        (code / "helper.py").write_text("def half(value: float) -> float:\n    return value / 2\n")
        config = ScriptRunConfig(
            source_directory=code, script="train.py", arguments=[str(self._gates), str(epochs)]
        )
        self.run: Run = Experiment(workspace, "browser").submit(config, display_name=name)
        self.source = _TRAIN
        workspace.sql("SELECT count() FROM runs")  # whoever looks now finds it

    def open_gate(self, number: int) -> None:
        """Let epoch `number` be over."""
        (self._gates / str(number)).touch()

    def let_go(self) -> None:
        """Open all."""
        for number in range(1, self._epochs + 1):
            self.open_gate(number)
