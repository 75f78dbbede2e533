"""`runhistory diff`: what two runs have different."""

import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from runhistory.cli import completion, console, terminal
from runhistory.cli.reading import AsJson, RunReference, find_run, open_workspace

if TYPE_CHECKING:
    from runhistory.sdk.code_diff import FileChange
    from runhistory.sdk.run_diff import Change, RunDiff

_SECTIONS = ("packages", "params", "call", "environment", "git", "tags", "metrics")
_LINE_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_KIND_STYLES = {"added": "green", "removed": "red", "changed": "bold"}
_INDENT = "  "


def diff(
    old: RunReference,
    new: Annotated[
        str,
        typer.Argument(
            metavar="OTHER", help="The run to compare with it.", autocompletion=completion.runs
        ),
    ],
    code_only: Annotated[
        bool, typer.Option("--code-only", help="Nothing but the code, as a unified diff.")
    ] = False,
    no_code: Annotated[bool, typer.Option("--no-code", help="All but the code.")] = False,
    names_only: Annotated[
        bool, typer.Option("--names-only", help="Of the code only the files' names.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what OTHER has different from RUN.

    Code, packages, params, arguments and environment; then git facts, tags and the last values of
    metrics. Binary and large files are named only. With --code-only the output is a patch, for
    `less` or `patch -p1`.

    \b
    Examples:
      runhistory diff 0193a7 @latest
      runhistory diff 0193a7 0193b2 --code-only > changes.patch
      runhistory diff 0193a7 0193b2 --json | jq .packages
    """
    from runhistory.sdk import run_diff

    if code_only and no_code:
        raise typer.BadParameter("with --no-code nothing is left.", param_hint="--code-only")
    workspace = open_workspace()
    found = run_diff.diff(
        find_run(workspace, old), find_run(workspace, new), code=not no_code, rest=not code_only
    )
    if as_json:
        import msgspec

        console.say_json(msgspec.to_builtins(found))
        return
    _print(found, patch=code_only, names_only=names_only)


def _print(found: "RunDiff", *, patch: bool, names_only: bool) -> None:
    if found.is_empty and not patch:
        console.say("Code, packages, params, call and environment are the same.", "green")
    for section in () if patch else _SECTIONS:
        changes = getattr(found, section)
        if changes:
            console.say(section, "bold")
            for change in changes:
                _print_change(change)
    if found.code and not patch:
        console.say("code", "bold")
    for file in found.code:
        _print_file(file, patch=patch, names_only=names_only)
    for words in found.unknown:
        console.note(f"Not compared: {words}")


def _print_change(change: "Change") -> None:
    """Old and new side by side where there is room, else below one another."""
    old, new = _shown(change.old), _shown(change.new)
    line = f"{_INDENT}{change.name}: {old} -> {new}"
    width = terminal.width()
    if change.old is None:
        _wrapped(f"+ {change.name}: {new}", "green", width)
    elif change.new is None:
        _wrapped(f"- {change.name}: {old}", "red", width)
    elif width is None or len(line) <= width:
        console.say(line)
    else:
        console.say(f"{_INDENT}{change.name}:")
        _wrapped(f"- {old}", "red", width)
        _wrapped(f"+ {new}", "green", width)


def _wrapped(text: str, style: str, width: int | None) -> None:
    """The text, indented; on a terminal in lines that fit."""
    if width is None:
        console.say(f"{_INDENT}{text}", style)
        return
    for line in textwrap.wrap(
        text, max(20, width), initial_indent=_INDENT, subsequent_indent=_INDENT * 2
    ):
        console.say(line, style)


def _shown(value: str | None) -> str:
    return "" if value is None else value or '""'


def _print_file(file: "FileChange", *, patch: bool, names_only: bool) -> None:
    reason = f" ({file.reason})" if file.reason else ""
    if not patch or not file.lines:
        title = f"{file.kind} {file.path}{reason}"
        console.say(f"# {title}" if patch else f"{_INDENT}{title}", _KIND_STYLES[file.kind])
    for line in () if names_only else file.lines:
        console.say(line, _style_of(line))


def _style_of(line: str) -> str:
    return "bold" if line.startswith(("+++", "---")) else _LINE_STYLES.get(line[:1], "")
