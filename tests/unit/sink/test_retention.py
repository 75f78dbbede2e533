"""How long raw points are kept: what a setting means, and what it does not let through."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.runtime.settings import UnsafeSettings
from runhistory.sink.expiry import Retention

NOW = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "a", "b"),
    [
        ("", None, None),
        ("365", 365, 365),
        ("a=30", 30, None),
        ("365, a=30 ,b=forever", 30, None),
        ("forever,b=7", None, 7),
    ],
)
def test_what_is_said(text: str, a: int | None, b: int | None) -> None:
    retention = Retention.parse(text)
    assert (retention.days("a"), retention.days("b")) == (a, b)


@pytest.mark.parametrize("text", ["0", "-1", "a=0", "a=", "=3", "ten", "1.5", "a=b=", "99999999"])
def test_what_is_not_understood_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UnsafeSettings, match="team-a=30"):
        Retention.parse(text)


def test_days_begin_at_midnight_in_utc_wherever_the_clock_stands() -> None:
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    assert Retention(2).before("a", NOW) == midnight
    assert Retention(2).before("a", NOW.astimezone(timezone(timedelta(hours=-9)))) == midnight
    assert Retention().before("a", NOW) is None


@given(st.integers(1, 36_500), st.datetimes(timezones=st.just(UTC), min_value=datetime(2120, 1, 1)))
def test_nothing_expires_too_early_and_all_within_a_day_more(days: int, now: datetime) -> None:
    before = Retention(days).before("a", now)
    assert before is not None
    assert timedelta(days=days) <= now - before < timedelta(days=days + 1)
