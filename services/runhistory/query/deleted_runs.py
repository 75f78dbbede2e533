"""Runs that are deleted: nothing of them is shown, and their ids stay taken."""


class RunDeleted(Exception):
    """The run was here and is deleted."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"Run {run_id} is deleted; its id stays taken. Use another run.")
