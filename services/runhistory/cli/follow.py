"""Follow a submitted run on the terminal: its output as it comes, then the final picture.

The script's own lines go as they are to the stream that it wrote them to; what the worker and
we say goes to stderr. With --json all lines go to stderr: stdout is one JSON document.
Ctrl-C asks what to do where there is somebody to ask, and detaches where there is not: the run
itself is never stopped by accident.
"""

import sys
from typing import TYPE_CHECKING, Any, Final

from runhistory.cli import console, files, metrics, show, terminal, words
from runhistory.cli.table import STATUS_STYLES, Column, table
from runhistory.cli.waiting import waiting_hint
from runhistory.domain.status import RunStatus

if TYPE_CHECKING:
    from runhistory.sdk.run_client import RunClient

COMPLETED, OTHERWISE, INTERRUPTED = 0, 1, 130
MOST_FILES: Final = 20


def follow_to_the_end(client: "RunClient", *, as_json: bool = False) -> int:
    """Print the run's output until it ends, then its result; returns the exit code."""
    follower = _Follower(client, all_to_stderr=as_json)
    while True:
        try:
            details = follower.follow()
            break
        except KeyboardInterrupt:
            if not _goes_on(client):
                return INTERRUPTED
    if as_json:
        console.say_json(details)
    else:
        print_result(client, details)
    return COMPLETED if details["status"] == RunStatus.COMPLETED else OTHERWISE


class _Follower:
    """Can be interrupted and begun again without printing a line twice."""

    def __init__(self, client: "RunClient", *, all_to_stderr: bool) -> None:
        self._client, self._all_to_stderr = client, all_to_stderr
        self._printed = 0
        self._statuses_printed = self._warnings_printed = 0

    def follow(self) -> dict[str, Any]:
        from runhistory.sdk.follow import follow

        seen = statuses_seen = warnings_seen = 0

        def on_line(line: dict[str, Any]) -> None:
            nonlocal seen
            seen += 1
            if seen > self._printed:
                self._printed = seen  # before the line: interrupted, it is not printed again
                _print_line(line, self._all_to_stderr)

        def on_status(details: dict[str, Any], status: str) -> None:
            nonlocal statuses_seen
            statuses_seen += 1
            if statuses_seen > self._statuses_printed:
                self._statuses_printed = statuses_seen
                _print_status(details, status, is_first=statuses_seen == 1)
                if hint := waiting_hint(self._client, {**details, "status": status}):
                    console.note(f"  {hint}")

        def on_warning(warning: dict[str, Any]) -> None:
            nonlocal warnings_seen
            warnings_seen += 1
            if warnings_seen > self._warnings_printed:
                self._warnings_printed = warnings_seen
                console.note(f"  {warning['code']}: {warning['message']}", "yellow")

        return follow(self._client, on_line=on_line, on_status=on_status, on_warning=on_warning)


def _print_status(details: dict[str, Any], status: str, *, is_first: bool) -> None:
    if is_first:
        console.note(f"{details['display_name']} ({details['run_id']})", "bold")
    console.note(f"● {status}", STATUS_STYLES.get(status, "dim"))


def _print_line(line: dict[str, Any], all_to_stderr: bool) -> None:
    if line["stream"] == "system":
        console.note(f"  {line['line']}")
    else:
        console.raw(line["line"], to_stderr=all_to_stderr or line["stream"] == "stderr")


def _goes_on(client: "RunClient") -> bool:
    """Ask what Ctrl-C was meant to do; whether to follow on."""
    if not (terminal.is_terminal(sys.stdin) and terminal.is_terminal(sys.stderr)):
        _detach(client)
        return False
    try:
        sys.stderr.write("\nThe run goes on. [d]etach from it, [c]ancel it, or [f]ollow on? [d] ")
        sys.stderr.flush()
        answer = sys.stdin.readline().strip().lower()
        if answer.startswith("f"):
            return True
        if answer.startswith("c"):
            result = client.command("cancel", reason="Ctrl-C at the command line")
            console.note(f"The run is {result['status']}.")
            return True
    except KeyboardInterrupt:
        console.note("")
    _detach(client)
    return False


def _detach(client: "RunClient") -> None:
    program = console.program()
    console.note(
        f"Detached; the run goes on.\n"
        f"  {program} logs {client.run_id} --follow\n"
        f"  {program} cancel {client.run_id}"
    )


def print_result(client: "RunClient", details: dict[str, Any]) -> None:
    """How the run ended, and everything that it left, with the commands to look at it."""
    status = details["status"]
    took = words.duration(details.get("started"), details.get("ended"))
    ran = f" after {took}" if details.get("started") else ""
    console.say()
    console.say(f"{details['display_name']}: {status}{ran}", STATUS_STYLES.get(status, ""))
    show.print_error(details)
    if summaries := metrics.fetch_summaries(client):
        console.say()
        metrics.print_metrics(client, summaries)
    kept = client.files()
    if kept:
        console.say()
        _print_files(kept)
    console.say()
    console.say(f"snapshot  {details.get('snapshot_id')}")
    console.say(f"run       {client.run_id}")
    _print_next(client.run_id, bool(kept))


def _print_files(kept: list[dict[str, Any]]) -> None:
    columns = (Column("kept", style="bold"), Column("size", right=True))
    table(columns, [files.row(file)[:2] for file in kept[:MOST_FILES]])
    if len(kept) > MOST_FILES:
        console.say(f"and {len(kept) - MOST_FILES} more")


def _print_next(run_id: str, has_files: bool) -> None:
    program = console.program()
    console.say()
    console.say("Where to look next:")
    console.say(f"  {program} show {run_id}")
    console.say(f"  {program} metrics {run_id} --system")
    console.say(f"  {program} logs {run_id}")
    if has_files:
        console.say(f"  {program} download {run_id}")
    console.say(f"  {program} snapshot {run_id} --restore DIR")
