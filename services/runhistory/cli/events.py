"""`runhistory events`: what happened, and what happens."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from runhistory.cli import console, terminal, words
from runhistory.cli.reading import open_run, open_workspace
from runhistory.cli.table import STATUS_STYLES

if TYPE_CHECKING:
    from runhistory.sdk.event_messages import Event

RECENT: Final = timedelta(hours=1)
_AGO: Final = re.compile(r"(\d{1,6})([smhd])")
_WIDE: Final = 120
_ID_BEGINNING: Final = 12
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHOWN_ELSEWHERE: Final = frozenset(
    "workspace run_id version command_id time status experiment_id".split()
)


def events(
    run: Annotated[
        list[str] | None,
        typer.Option("--run", "-r", metavar="RUN", help="Only of this run; may be repeated."),
    ] = None,
    experiment: Annotated[
        list[str] | None,
        typer.Option("--experiment", "-e", help="Only of this experiment; may be repeated."),
    ] = None,
    type: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            "-t",
            help="run.completed, run.* and the like; may be repeated. Points and log lines come "
            "only by name: metrics.logged, logs.written.",
        ),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="WHEN",
            help="beginning, latest, a time (RFC 3339), or so long ago: 90s, 30m, 2h, 7d. "
            "Default: a run's beginning; else 1h, and with --follow now.",
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on, until Ctrl-C, with what happens.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one CloudEvent in JSON a line, for programs.")
    ] = False,
) -> None:
    """Print what happened, and with --follow what happens.

    Runs were created, started, tagged, ended, and all the rest.

    \b
    Examples:
      runhistory events --run @latest
      runhistory events --follow --type run.completed --type run.failed
      runhistory events --experiment bert --from 7d --json | jq -r .type
    """
    start = _start(from_, has_run=bool(run), follow=follow)
    run_ids = [open_run(reference).run_id for reference in run or ()]
    found = open_workspace().events(
        types=type, experiment=experiment, run=run_ids, from_=start, follow=follow
    )
    for event in found:
        if as_json:
            console.say_json_line(event.as_cloudevent())
        else:
            _print(event)


def _start(text: str | None, *, has_run: bool, follow: bool) -> str | datetime:
    if text is None and has_run:
        return "beginning"
    if text is None:
        return "latest" if follow else datetime.now(UTC) - RECENT
    if match := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    return text


def _print(event: "Event") -> None:
    """Time, type, whose it is, the status after it, and what else it says."""
    time = words.moment(event.time.isoformat())
    kind = event.type.rpartition(".v")[0]
    status = str(event.data.get("status", ""))
    rest = " ".join(
        f"{name}={_text(value)}"
        for name, value in event.data.items()
        if name not in _SHOWN_ELSEWHERE and value not in (None, "", [], {})
    )
    width = terminal.width()
    # The beginning of an id is a reference to the run too, and leaves room for what happened.
    run = event.run_id if width is None or width >= _WIDE else event.run_id[:_ID_BEGINNING]
    line = f"{time}  {kind:<22} {run}  {status:<15} {rest}".rstrip()
    if width is not None and len(line) > width:
        line = f"{line[: width - 1]}…"
    console.say(line, STATUS_STYLES.get(status, ""))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
