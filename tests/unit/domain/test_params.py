"""Params out of arguments: the two forms of the rule, and what argparse makes of the same."""

import argparse
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.domain.params import MAX_PARAMS, params_of, params_of_command

NAMES = st.sampled_from(["lr", "batch-size", "model.depth", "x_1"])
# An argument that begins with a dash is an option to argparse unless it is a negative number.
VALUES = st.one_of(
    st.floats(min_value=0, allow_infinity=False).map(str),
    st.integers(max_value=-1).map(str),
    st.text(max_size=8).filter(lambda text: not text.startswith("-")),
)


@pytest.mark.parametrize(
    ("arguments", "params"),
    [
        (["--lr", "0.1"], {"lr": "0.1"}),
        (["--lr=0.1"], {"lr": "0.1"}),
        (["--lr="], {"lr": ""}),
        (["--expression=a=b"], {"expression": "a=b"}),
        (["--shift", "-3"], {"shift": "-3"}),
        (
            ["--shift", "-1e-3", "--bound", "-inf", "--file", "-", "--text", "- a b"],
            {"shift": "-1e-3", "bound": "-inf", "file": "-", "text": "- a b"},
        ),
        (["--verbose", "-b", "4", "--fast", "-v"], {"verbose": "true", "fast": "true"}),
        (["--lr", "--", "0.1"], {"lr": "true"}),
        (["--verbose", "--lr", "1"], {"verbose": "true", "lr": "1"}),
        (["--verbose"], {"verbose": "true"}),
        (["--lr", "0.1", "--lr", "0.2"], {"lr": "0.2"}),
        (["data.csv", "-v", "--", "--lr", "1"], {}),
        (["--", "--lr", "1"], {}),
        (["---lr", "1"], {}),
        (["--text", "two\nlines"], {"text": "two\nlines"}),
    ],
)
def test_what_arguments_say(arguments: list[str], params: dict[str, str]) -> None:
    assert params_of(arguments) == params
    assert params_of_command(["train.py", *arguments]) == params
    assert params_of_command(["sh", "-c", shlex.join(["train.py", *arguments])]) == params


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("python x.py --lr 1", {"lr": "1"}),
        ("python x.py --text 'two words' --lr=$LR", {"text": "two words", "lr": "$LR"}),
        ("a --n 1 && b --fast; c --lr 2 | tee log", {"n": "1", "fast": "true", "lr": "2"}),
        ("python x.py --lr 1 > out.txt 2>&1", {"lr": "1"}),
        ("python x.py -- --lr 1 && b --n 2", {"n": "2"}),
        ("python x.py --fast # --slow", {"fast": "true"}),
        ("python x.py --lr 'never closed", {}),
    ],
)
def test_what_a_text_for_a_shell_says(text: str, params: dict[str, str]) -> None:
    assert params_of_command(["sh", "-c", text]) == params


@given(st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=6))
def test_it_reads_what_argparse_reads(options: list[tuple[str, str, bool]]) -> None:
    arguments: list[str] = []
    for name, value, joined in options:
        arguments += [f"--{name}={value}"] if joined else [f"--{name}", value]
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in {name for name, _, _ in options}:
        parser.add_argument(f"--{name}", dest=name)
    assert params_of(arguments) == vars(parser.parse_args(arguments))


@given(st.lists(st.text()))
def test_any_text_is_read_without_complaint(arguments: list[str]) -> None:
    for name in params_of(arguments):
        assert any(argument.startswith(f"--{name}") for argument in arguments)


def test_there_is_an_end_to_it() -> None:
    many = [f"--p{number}={number}" for number in range(MAX_PARAMS + 5)]
    assert len(params_of(many)) == MAX_PARAMS
    assert params_of([*many, "--p0=last"])["p0"] == "last"
    assert params_of(["--big", "x" * 20_000, "--small", "1"]) == {"small": "1"}
