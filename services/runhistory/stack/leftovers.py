"""Find and end what a killed supervisor left running.

Two ways lead to it. stack.json names each process with its start time, so these are asked to
end in the right order. A process that was started an instant before the supervisor died may
not be named there, nor is what a worker started: these carry the stack's mark in their
environment, and are killed at the end.
"""

import signal

from runhistory.stack.identity import processes_with
from runhistory.stack.processes import STACK_VARIABLE, STOP_SECONDS, Report
from runhistory.stack.state import StackFiles


def clear_leftovers(files: StackFiles, report: Report) -> bool:
    """End every process of an earlier life of this stack; tells whether there was any.

    The caller holds the stack's lock, so no supervisor is at work.
    """
    found = False
    state = files.read_state()
    for process in reversed(state.processes if state else ()):
        if process.identity is not None and process.identity.is_alive():
            found = True
            report(f"stopping {process.name} (pid {process.identity.pid}), left behind")
            process.identity.end(STOP_SECONDS.get(process.name, 10))
    return kill_marked(files) or found


def kill_marked(files: StackFiles) -> bool:
    """Kill all that still carries this stack's mark; tells whether there was any."""
    found = False
    # Again until none is left: one of them may have started another meanwhile.
    while marked := list(processes_with(STACK_VARIABLE, str(files.data))):
        found = True
        for identity in marked:
            identity.signal(signal.SIGKILL)
        for identity in marked:
            identity.wait_gone(5)
    return found
