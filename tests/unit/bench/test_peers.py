"""The comparison with other trackers: its arithmetic, its table, and the work that all get."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from bench.peers import process, report
from bench.peers.environments import PEERS
from bench.peers.turn import KEYS, take_turn, values_of

OURS = {
    "name": "ours",
    "version": "1",
    "points_a_round": 500_000,
    "points_per_s": [100_000.0, 300_000.0, 200_000.0],
    "create_ms": [12.0, 10.0, 8.0],
    "read_ms": [20.0],
    "bytes_per_point": [20.0],
}
THEIRS = {
    **OURS,
    "name": "theirs",
    "points_per_s": [3_000.0, 2_000.0, 1_000.0],
    "create_ms": [0.5],
    "read_ms": [50.0],
    "bytes_per_point": [300.0],
}
FAILED = {"name": "other", "failure": "no | wheel"}
RESULTS: dict[str, Any] = {
    "date": "2026-11-09",
    "machine": {"cores": 2, "loop_m_rounds_per_s": [18.5, 30.0], "load_before": 0.1},
    "rounds": 3,
    "trackers": [OURS, THEIRS, FAILED],
}


def test_table_has_medians_and_how_many_times_better_ours_is() -> None:
    rows = report.table([OURS, THEIRS, FAILED]).splitlines()
    assert rows[2] == "| ours 1 | 500,000 | 200,000 | 10 | 20 | 20 |"
    assert rows[3] == "| theirs 1 | 500,000 | 2,000 (100×) | 0.5 (0.05×) | 50 (2.5×) | 300 (15×) |"
    assert rows[4] == "| other | failed: no / wheel |  |  |  |  |"


def test_what_failed_ourselves_gives_no_ratios() -> None:
    rows = report.table([FAILED, THEIRS]).splitlines()
    assert rows[3] == "| theirs 1 | 500,000 | 2,000 | 0.5 | 50 | 300 |"


def test_the_table_replaces_the_one_that_readme_has() -> None:
    once = report.put_into(f"# A\n\n{report.BEGIN}old\n{report.END}\nmore\n", RESULTS)
    assert report.put_into(once, RESULTS) == once
    assert once.startswith(f"# A\n\n{report.BEGIN}")
    assert once.endswith(f"{report.END}\nmore\n")
    assert "9 November 2026, 2 cores" in once
    assert "old" not in once


def test_a_machine_that_was_not_quiet_is_told() -> None:
    busy = {**RESULTS, "machine": {**RESULTS["machine"], "load_before": 7.0}}
    assert "not a fair run" in report.section(busy)
    assert "not a fair run" not in report.section(RESULTS)


def test_readme_shows_what_the_results_file_says() -> None:
    readme = report.README.read_text("utf-8")
    results = report.saved()
    assert report.put_into(readme, results) == readme
    measured = [one["name"] for one in results["trackers"]] if results else []
    assert measured in ([], [peer.title for peer in PEERS])


class _Memory:
    """A tracker that keeps all in memory, and may lose a point."""

    runs = 2
    version = "1"

    def __init__(self, *, loses: bool = False) -> None:
        self._loses = loses
        self._kept: list[dict[str, list[float]]] = []
        self.began = self.ended = 0

    def start(self, folder: Path) -> None:
        self._folder = folder
        self.is_up = True

    def create_run(self) -> int:
        self._kept.append({})
        self.began += 1
        return len(self._kept) - 1

    def log(self, points: list[tuple[Any, dict[str, list[float]]]]) -> None:
        for run, series in points:
            lost = 1 if self._loses else 0
            self._kept[run] = {key: values[lost:] for key, values in series.items()}
            count = sum(len(values) for values in series.values())
            (self._folder / str(run)).write_bytes(b"x" * count * 4096)

    def end_run(self, run: int) -> None:
        self.ended += 1

    def read(self, run: int, key: str) -> list[float]:
        return self._kept[run][key]

    def settle(self) -> list[Path]:
        left = self._folder / f"left-{self.began}"
        left.mkdir()
        (left / "part").write_bytes(b"x" * 10_000_000)
        return list(self._folder.glob("left-*"))

    def stop(self) -> None:
        self.is_up = False


def test_a_turn_finds_one_value_for_each_round(tmp_path: Path) -> None:
    tracker = _Memory()
    found = take_turn(tracker, tmp_path, share=0.5, rounds=2)
    assert [len(found[name]) for name in ("points_per_s", "create_ms", "read_ms")] == [2, 2, 2]
    assert found["points_a_round"] == 10_000
    assert found["bytes_per_point"] == [pytest.approx(4096, rel=0.01)]
    assert tracker.began == tracker.ended
    assert not tracker.is_up


def test_a_turn_that_lost_a_point_fails_and_ends_what_it_started(tmp_path: Path) -> None:
    tracker = _Memory(loses=True)
    with pytest.raises(AssertionError, match="99 of 100 points"):
        take_turn(tracker, tmp_path, share=0.5, rounds=1)
    assert not tracker.is_up


def test_a_turn_that_fails_tells_its_reason() -> None:
    with pytest.raises(process.TurnFailed, match=r"No module named .*nobody"):
        process.take_turn(Path(sys.executable), "nobody", share=1.0, rounds=1)


def test_a_turn_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "TURN_SECONDS", 0.0)
    with pytest.raises(process.TurnFailed, match="not ready in 0 s"):
        process.take_turn(Path(sys.executable), "nobody", share=1.0, rounds=1)


@pytest.mark.parametrize("module", ["runhistory_sdk", "runhistory_http"])
def test_our_own_turns_fit_the_package(module: str) -> None:
    assert importlib.import_module(f"bench.peers.{module}").TRACKER.version


def test_points_differ_between_runs_rounds_and_keys_and_are_the_same_for_all() -> None:
    found = [values_of(number, run, 3) for number in range(2) for run in range(2)]
    assert values_of(0, 1, 3) == found[1]
    values = [value for series in found for key in KEYS for value in series[key]]
    assert len(set(values)) == len(values) == 4 * len(KEYS) * 3
