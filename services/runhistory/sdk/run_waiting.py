"""Wait for a run as a person does: with its output on the screen, and Ctrl-C to stop watching."""

import sys
from typing import Any

from runhistory.sdk.errors import RunFailed
from runhistory.sdk.follow import follow
from runhistory.sdk.run_client import RunClient


def wait(client: RunClient, *, show_output: bool) -> dict[str, Any]:
    """The run's details when it is over; its lines and statuses printed if `show_output`.

    The script's error stream goes to ours. KeyboardInterrupt leaves the run running.
    """
    try:
        return follow(
            client,
            on_line=_print_line if show_output else None,
            on_status=_print_status if show_output else None,
        )
    except KeyboardInterrupt:
        print(
            f"\nStopped watching; run {client.run_id} goes on. `runhistory logs --follow "
            f"{client.run_id}` watches it again, `runhistory cancel {client.run_id}` ends it.",
            file=sys.stderr,
        )
        raise


def failure(details: dict[str, Any]) -> RunFailed:
    """The exception for a run that failed, with the last lines of its error stream."""
    error = details.get("error") or {}
    message = f"Run {details['run_id']} failed: {error.get('message') or 'no reason was given'}"
    if error.get("code"):
        message += f" ({error['code']})"
    if error.get("details"):
        message += "\n" + error["details"]
    return RunFailed(message, details=details)


def _print_line(line: dict[str, Any]) -> None:
    text = f"[runhistory] {line['line']}" if line["stream"] == "system" else line["line"]
    print(text, file=sys.stderr if line["stream"] == "stderr" else sys.stdout, flush=True)


def _print_status(_: dict[str, Any], status: str) -> None:
    print(f"[runhistory] {status}", flush=True)
