"""Ids sort by time, are stable where two sides must agree, and have one form."""

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.domain.ids import (
    default_display_name,
    experiment_id,
    is_run_id,
    new_command_id,
    new_run_id,
)


def test_run_ids_are_version_7_and_carry_their_time() -> None:
    before = time.time_ns() // 1_000_000
    ids = [new_run_id() for _ in range(1_000)]
    after = time.time_ns() // 1_000_000
    assert len(set(ids)) == len(ids)
    for id in ids:
        assert is_run_id(id)
        assert uuid.UUID(id).version == 7
        assert uuid.UUID(id).variant == uuid.RFC_4122
        assert before <= int(id[:12], 16) <= after


def test_run_ids_sort_by_creation(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for millisecond in (0, 1, 255, 256, 1_795_460_738_000, 2**48 - 1):
        monkeypatch.setattr(time, "time_ns", lambda now=millisecond: now * 1_000_000)
        ids.append(new_run_id())
    assert ids == sorted(ids)


def test_an_experiments_id_never_changes() -> None:
    assert experiment_id("default", "bert-finetune") == "d07adb54dbfa5e9287b8e8a6b80a7c70"
    assert experiment_id("default", "a") != experiment_id("other", "a")
    assert is_run_id(experiment_id("default", "größe/✓"))


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_names_are_two_experiments(one: str, two: str) -> None:
    assert (experiment_id("w", one) == experiment_id("w", two)) == (one == two)


@pytest.mark.parametrize(
    "text", ["", "0" * 31, "0" * 33, "0" * 31 + "A", "0" * 32 + "\n", "0" * 31 + "٣"]
)
def test_other_texts_are_no_run_ids(text: str) -> None:
    assert not is_run_id(text)


def test_display_names_follow_from_the_id() -> None:
    id = new_run_id()
    assert default_display_name(id) == default_display_name(id)
    assert default_display_name(id).endswith("_" + id[-4:])


def test_command_ids_are_fresh() -> None:
    assert new_command_id() != new_command_id()
