"""What a command brings about: `decide(state, command, context)`.

The answer is one of three. **Accepted** carries the events, to be appended together.
**Unchanged** means that what was wished is already so. **Refused** has a code for programs and
a message that says what to do. The rules lie in creation.py and rules.py. Only they make
events, so whatever they never emit never happens; `FOLLOWS` in status.py is checked for each
event once more on its way out (recorder.py).
"""

from runhistory.domain.commands import Command, CreateExperiment, CreateRun
from runhistory.domain.creation import create_experiment, create_run
from runhistory.domain.decision import Accepted, Context, Decision, Refused, Unchanged
from runhistory.domain.rules import RULES
from runhistory.domain.state import Experiment, State

__all__ = ["Accepted", "Context", "Decision", "Refused", "Unchanged", "decide"]


def decide(state: State | None, command: Command, context: Context) -> Decision:
    """Decide about one command; `state` is None while nothing bears the id.

    A command that was applied before is Unchanged and carries its old outcome.
    """
    if state is not None and state.workspace != command.workspace:
        return Refused("id_taken", "This id belongs to another workspace. Use a fresh id.")
    if isinstance(command, CreateRun) and not isinstance(state, Experiment):
        return create_run(state, command, context)
    if state is not None and command.command_id in state.applied:
        return Unchanged(state.applied[command.command_id])
    if isinstance(command, CreateExperiment):
        return create_experiment(state, command, context)
    if isinstance(state, Experiment):
        return Refused("id_taken", "This id belongs to an experiment. Use a fresh run id.")
    if state is None:
        return Refused(
            "run_not_found",
            f"There is no run {command.run_id} in workspace {command.workspace}. "
            "Create it first, or check the id.",
        )
    return RULES[type(command)](state, command, context)
