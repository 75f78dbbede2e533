"""`runhistory logs`: what a run printed."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runhistory.cli import console, words
from runhistory.cli.reading import RunReference, open_run

if TYPE_CHECKING:
    from runhistory.sdk.run_client import RunClient

Stream = Annotated[
    str | None,
    typer.Option(help="Only this stream: stdout, stderr, or system (the worker's own words)."),
]
STREAMS = ("stdout", "stderr", "system")


def logs(
    run: RunReference,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option("--tail", "-n", min=0, max=10_000, help="Only the last so many lines."),
    ] = None,
    stream: Stream = None,
    times: Annotated[bool, typer.Option("--times", help="Begin each line with its time.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line, for programs.")
    ] = False,
) -> None:
    """Print what a run's script printed.

    \b
    Examples:
      runhistory logs @latest --follow
      runhistory logs brave_otter_7c11 --stream stderr --tail 50
    """
    if stream is not None and stream not in STREAMS:
        raise typer.BadParameter(f"choose one of {', '.join(STREAMS)}", param_hint="--stream")
    if follow and tail is not None:
        raise typer.BadParameter("--tail and --follow do not go together", param_hint="--tail")
    client = open_run(run)

    def show(line: dict[str, Any]) -> None:
        if stream is None or line["stream"] == stream:
            _print(line, times, as_json)

    if follow:
        from runhistory.sdk.follow import follow as follow_run

        follow_run(client, on_line=show)
        return
    if tail is None:
        found: Iterable[dict[str, Any]] = _lines(client)
    else:
        found = client.last_lines(tail, stream) if tail else ()
    for line in found:
        show(line)


def _lines(client: "RunClient") -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        lines, cursor = client.lines(cursor)
        yield from lines
        if not lines:
            return


def _print(line: dict[str, Any], times: bool, as_json: bool) -> None:
    if as_json:
        console.say_json_line(line)
    else:
        console.raw(f"{words.moment(line['time'])} {line['line']}" if times else line["line"])
