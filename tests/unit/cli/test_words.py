"""Sizes, times and numbers as people read them."""

import pytest

from runhistory.cli import words


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (2**50, "1024.0 TiB")],
)
def test_sizes(count: int, said: str) -> None:
    assert words.size(count) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.1234567, "0.123457"),
        (3, "3"),
        (1.5e-12, "1.5e-12"),
        (None, "-"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
    ],
)
def test_numbers(value: float | str | None, said: str) -> None:
    assert words.number(value) == said


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("2026-11-23T10:00:14.240000Z", "14.2 s"),
        ("2026-11-23T10:03:07.400000Z", "3 min 07 s"),
        ("2026-11-23T12:05:00.000000Z", "2 h 05 min"),
        ("2026-11-23T09:59:59.000000Z", "0.0 s"),
    ],
)
def test_durations(end: str, said: str) -> None:
    assert words.duration("2026-11-23T10:00:00.000000Z", end) == said


def test_what_has_not_begun_has_no_duration() -> None:
    assert words.duration(None, None) == "-"
    assert words.moment(None) == "-"
