"""What a command brings about: `decide(state, command, context)`.

The answer is one of three. **Accepted** carries the events, to be appended together.
**Unchanged** means that what was wished is already so. **Refused** has a code for programs and
a message that says what to do. The rules lie in creation.py, rules.py (a run's life), liveness.py
(what is noticed of it), annotations.py (what is said about it), experiments.py and compute.py.
Only they make events, so whatever they never emit never happens; `FOLLOWS` in status.py is
checked for each event of a run once more on its way out (recorder.py).
"""

from typing import Final

from runhistory.domain import annotations, experiments, liveness, rules
from runhistory.domain.commands import Command, CreateRun
from runhistory.domain.compute import COMPUTE_COMMANDS, decide_compute_target
from runhistory.domain.creation import create_run
from runhistory.domain.decision import Accepted, Context, Decision, Refused, Unchanged
from runhistory.domain.experiments import decide_experiment
from runhistory.domain.refusals import deleted
from runhistory.domain.state import Run, State

__all__ = ["Accepted", "Context", "Decision", "Refused", "Unchanged", "decide"]

_RUN_RULES: Final = {**rules.RULES, **liveness.RULES, **annotations.RULES}


def decide(state: State | None, command: Command, context: Context) -> Decision:
    """Decide about one command; `state` is None while nothing bears the id.

    A command that was applied before is Unchanged and carries its old outcome.
    """
    if state is not None and state.workspace != command.workspace:
        return Refused("id_taken", "This id belongs to another workspace. Use a fresh id.")
    if isinstance(command, CreateRun) and (state is None or isinstance(state, Run)):
        return create_run(state, command, context)
    if state is not None and command.command_id in state.applied:
        return Unchanged(state.applied[command.command_id])
    if isinstance(command, COMPUTE_COMMANDS):
        return decide_compute_target(state, command, context)
    if type(command) in experiments.RULES:
        return decide_experiment(state, command, context)
    return _decide_run(state, command, context)


def _decide_run(state: State | None, command: Command, context: Context) -> Decision:
    if state is None:
        return Refused(
            "run_not_found",
            f"There is no run {command.run_id} in workspace {command.workspace}. "
            "Create it first, or check the id.",
        )
    if not isinstance(state, Run):
        return Refused("id_taken", "This id belongs to something else. Use a fresh run id.")
    if state.is_deleted:
        return deleted(state)
    return _RUN_RULES[type(command)](state, command, context)
