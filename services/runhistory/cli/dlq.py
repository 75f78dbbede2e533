"""`runhistory dlq …`: what the sink could not store, and another try for it. For operators."""

import asyncio
import os
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from runhistory.cli import console, words
from runhistory.cli.progress import progress_bar
from runhistory.cli.reading import AsJson
from runhistory.cli.stack import Data, StackTrouble, needs_local
from runhistory.cli.table import Column, table

if TYPE_CHECKING:
    from runhistory.kafka.dead_letters import Letter

T = TypeVar("T")

app: Final = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Topic = Annotated[
    list[str] | None,
    typer.Option("--topic", metavar="TOPIC", help="Only those of this topic, such as run.metrics."),
]
Kafka = Annotated[
    str | None,
    typer.Option(
        "--kafka",
        metavar="HOST:PORT",
        help="The deployment's Kafka. Default: RUNHISTORY_KAFKA, else that of the stack on this "
        "machine.",
    ),
]
OriginArgument = Annotated[
    str,
    typer.Argument(metavar="ORIGIN", help="Where the record lay: TOPIC/PARTITION/OFFSET."),
]

_COLUMNS: Final = (
    Column("origin", style="bold", whole=True),
    Column("written"),
    Column("bytes", right=True),
    Column("times", right=True, optional=True),
    Column("state"),
    Column("reason", least=24),
)
_STATES: Final = {
    "stored": ("was stored.", "green"),
    "refused": ("was refused again", "red"),
    "waiting": ("is waiting: the sink has not come to it yet, and will. Ask `runhistory dlq list` "
                "later.", "yellow"),
}  # fmt: skip


@app.callback()
def dlq() -> None:
    """Dead letters: what ClickHouse could not store, for operators.

    What the sink cannot store, now or ever, goes byte for byte to the topic's dead letters
    (<topic>.dlq), and everything else goes on. When the cause is mended (by a newer version,
    say), `replay` has the sink store it where it belongs: with its own ids, at the place where it
    lay, once, however often it is replayed.

    These commands speak to Kafka itself, so they need its address and the extra `local`.
    """


@app.command("list")
def list_letters(
    topic: Topic = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were replayed.")
    ] = False,
    kafka: Kafka = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters that are open.

    \b
    Examples:
      runhistory dlq list
      runhistory dlq list --topic run.metrics --json
    """
    letters = _read(_address(kafka, data), topic)
    found = letters if everything else [one for one in letters if one.replayed is None]
    if as_json:
        console.say_json([_as_json(letter) for letter in found])
    elif not found:
        done = sum(letter.replayed is not None for letter in letters)
        console.note(f"No dead letters{f' but {done:,} replayed ones' if done else ''}.")
    else:
        table(_COLUMNS, [_row(letter) for letter in found])


@app.command("show")
def show_letter(
    origin: OriginArgument,
    raw: Annotated[
        bool, typer.Option("--raw", help="The record's value alone, byte for byte.")
    ] = False,
    kafka: Kafka = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show a dead letter: why it could not be stored, and what is in it.

    \b
    Examples:
      runhistory dlq show run.metrics/3/1042
      runhistory dlq show run.metrics/3/1042 --raw > batch.json
    """
    bootstrap = _address(kafka, data)
    (letter,) = _chosen(_read(bootstrap, [origin.partition("/")[0]]), [origin])
    record = _run(_letters().read_record(bootstrap, letter))
    value = record.value or b""
    if raw:
        typer.get_binary_stream("stdout").write(value)
        return
    headers = {name: text.decode("utf-8", "backslashreplace") for name, text in record.headers}
    shown = value.decode("utf-8", "backslashreplace")
    if as_json:
        console.say_json({**_as_json(letter), "headers": headers, "value": shown})
        return
    console.say(origin, "bold")
    console.say(f"  state    {_state(letter)}")
    console.say(f"  reason   {letter.reason}")
    console.say(f"  written  {words.moment(letter.written.isoformat())}")
    console.say(f"  key      {letter.key}")
    for name, text in headers.items():
        if name.startswith("ce_"):
            console.say(f"  {name:<8} {text}")
    console.say(f"  value    {letter.bytes:,} bytes")
    console.say(shown)


@app.command("replay")
def replay(
    origin: Annotated[
        list[str] | None,
        typer.Argument(metavar="ORIGIN", help="These, as `dlq list` names them."),
    ] = None,
    topic: Topic = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that are open, of all topics or of --topic.")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for the sink.")
    ] = 60.0,
    kafka: Kafka = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Have the sink store dead letters, once their cause is mended.

    What is refused again stays a dead letter. Replaying one twice is harmless. Exit code 0 means
    that all of them were stored.

    \b
    Examples:
      runhistory dlq replay run.metrics/3/1042
      runhistory dlq replay --topic run.metrics --all
    """
    if bool(origin) == everything:
        raise typer.BadParameter("name dead letters, or give --all for all that are open")
    bootstrap = _address(kafka, data)
    letters = _read(bootstrap, topic or sorted({one.partition("/")[0] for one in origin or ()}))
    if everything:
        chosen = [letter for letter in letters if letter.replayed is None]
    else:
        chosen = _chosen(letters, origin or [])
    found = []
    if chosen:
        with progress_bar("Replaying") as progress:
            found = _run(_letters().replay(bootstrap, chosen, wait, progress))
    if as_json:
        import msgspec

        console.say_json(msgspec.to_builtins(found))
    elif not found:
        console.note("No dead letter is open.")
    else:
        _print_outcomes(found)
    if any(one.outcome != "stored" for one in found):
        raise typer.Exit(1)


def _print_outcomes(found: Sequence[Any]) -> None:
    for one in found:
        said, style = _STATES[one.outcome]
        console.say(f"{one.origin} {said}{f': {one.reason}' if one.reason else ''}", style)


def _read(bootstrap: str, topics: Sequence[str] | None) -> "list[Letter]":
    module = _letters()
    known = module.letter_topics()
    for topic in topics or ():
        if topic not in known:
            raise typer.BadParameter(
                f"{topic!r} is no topic with dead letters; these are: {', '.join(known)}"
            )
    return _run(module.read_letters(bootstrap, topics or known))


def _chosen(letters: "Sequence[Letter]", origins: Sequence[str]) -> "list[Letter]":
    by_origin = {letter.origin: letter for letter in letters}
    for origin in origins:
        if origin not in by_origin:
            raise StackTrouble(
                f"There is no dead letter {origin}. `runhistory dlq list --all` names those that "
                "there are."
            )
    return [by_origin[origin] for origin in dict.fromkeys(origins)]


def _row(letter: "Letter") -> tuple[str, ...]:
    return (
        letter.origin,
        words.moment(letter.written.isoformat()),
        f"{letter.bytes:,}",
        str(letter.times),
        _state(letter),
        letter.reason,
    )


def _state(letter: "Letter") -> str:
    if letter.replayed is None:
        return "open" if letter.times == 1 else "open, refused again"
    return f"replayed {words.moment(letter.replayed.isoformat())}"


def _as_json(letter: "Letter") -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(letter)
    return found


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except _letters().KafkaError as error:
        raise StackTrouble(
            f"Kafka does not answer ({error}). Is it running, and is --kafka (or RUNHISTORY_KAFKA) "
            "its address?"
        ) from error


def _address(kafka: str | None, data: Path | None) -> str:
    """The Kafka that is meant."""
    if kafka:
        return kafka
    if data is None and (named := os.environ.get("RUNHISTORY_KAFKA")):
        return named
    with needs_local():
        from runhistory.stack.state import StackFiles, data_directory

        state = StackFiles(data or data_directory()).read_state()
    for process in state.processes if state else ():
        if process.name == "kafka":
            return process.address
    raise StackTrouble(
        "There is no stack on this machine to ask. Give the deployment's Kafka with --kafka or "
        "RUNHISTORY_KAFKA."
    )


def _letters() -> ModuleType:
    with needs_local():
        from runhistory.kafka import dead_letters
    return dead_letters
