"""The page docs/cli.md, made of what `--help` says.

`python -m runhistory.cli.reference > docs/cli.md` writes it; a test keeps the two equal.
"""

import sys
from collections.abc import Iterator
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from runhistory.cli.main import app

WIDTH = 100

_HEAD = """# The command line

What `runhistory --help` and `runhistory COMMAND --help` say; this page is made from it
(`python -m runhistory.cli.reference > docs/cli.md`), and a test keeps the two equal.

Results go to stdout, progress and errors to stderr. Colour and bold are used on a terminal only,
and not where `NO_COLOR` is set or `TERM` is `dumb`; `FORCE_COLOR` has them in a pipe too. Tables
fit the terminal: on a narrow one columns of less weight go, long cells are folded, and at last
each row becomes a block of lines. Nothing is cut off, and in a pipe one line is one row. Exit
codes: 0 done (with `--follow`: the run ended Completed), 1 failure, 2 wrong usage, 130 after
Ctrl-C.

`eval "$(runhistory completion bash)"` in `~/.bashrc` (or zsh's, or fish's) has a TAB complete
commands, options, runs (`@latest`, display names, ids that were begun), experiments, compute
targets, statuses, metrics and files.
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_sections())


def _sections() -> Iterator[str]:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    outer = group.make_context("runhistory", ["up"], terminal_width=WIDTH, max_content_width=WIDTH)
    yield _section("runhistory", group.get_help(outer))
    yield from _sections_of(group, outer, "runhistory")


def _sections_of(group: TyperGroup, context: Any, title: str) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.commands[name]
        inner = type(context)(command, info_name=name, parent=context)
        yield _section(f"{title} {name}", command.get_help(inner))
        if isinstance(command, TyperGroup):
            yield from _sections_of(command, inner, f"{title} {name}")


def _section(title: str, help: str) -> str:
    lines = "\n".join(line.rstrip() for line in help.strip().splitlines())
    return f"\n## {title}\n\n```text\n{lines}\n```\n"


if __name__ == "__main__":
    sys.stdout.write(page())
