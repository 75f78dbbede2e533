"""The benches measure every figure that was promised, and write what is read by others."""

import itertools
import json

import pytest
from bench import ingest, studio
from bench.figures.figure import Details, Measured, percentile
from bench.figures.machine import MachineLog, loop_rate
from bench.load import Plan, bodies
from bench.run_history import FIGURES, SUITE
from bench.runner import Suite, encoded, run, table
from hypothesis import given
from hypothesis import strategies as st

from runhistory.events.metric_batch import check

RUN_HISTORY = {
    "stack_up_s": ("less", 12),
    "import_sdk_ms": ("less", 150),
    "submit_to_first_line_s": ("less", 3),
    "create_run_p50_ms": ("less", 10),
    "get_run_p50_ms": ("less", 5),
    "log_to_visible_p50_ms": ("less", 500),
    "create_and_log_runs_per_s": ("more", 200),
    "event_to_subscriber_p99_ms": ("less", 100),
    "idle_rss_mb": ("less", 1600),
    "idle_cpu_percent": ("less", 8),
}
INGEST = {
    "native_points_per_s": ("more", 1_000_000),
    "native_vs_engine_ratio": ("more", 0.5),
    "small_batches_points_per_s": ("more", 300_000),
    "sdk_points_per_s": ("more", 200_000),
    "sdk_log_call_p50_us": ("less", 2),
    "sdk_log_call_p99_us": ("less", 20),
    "visible_p50_ms": ("less", 250),
    "visible_p99_ms": ("less", 1_000),
    "sink_cpu_at_1000_runs": ("less", 0.5),
    "bytes_per_point_noise": ("less", 10),
    "bytes_per_point_float32": ("less", 6.5),
    "sink_rss_mb": ("less", 400),
    "gateway_rss_mb": ("less", 400),
    "rate_held": ("more", 0.8),
}
STUDIO = {
    "first_view_ms": ("less", 800),
    "scroll_fps": ("more", 50),
    "open_run_ms": ("less", 400),
    "point_to_pixel_ms": ("less", 1_000),
    "chart_20_runs_ms": ("less", 400),
    "zoom_ms": ("less", 200),
    "memory_growth_mb": ("less", 30),
}
LONG_RUNS = {
    "memory_growth_mb",
    "sink_rss_mb",
    "gateway_rss_mb",
    "rate_held",
}  # minutes each: once a night is enough


def _measured() -> list[Measured]:
    details = Details()
    details.add("p99", 7.0, "ms")
    return [Measured(figure, [3.0, 1.0, 2.0], details) for figure in FIGURES]


def _machine() -> MachineLog:
    return MachineLog(loops_per_s=[30.0], load=[0.1, 2.0], busy_percent=[50.0])


@pytest.mark.parametrize(
    ("suite", "promised"), [(SUITE, RUN_HISTORY), (ingest.SUITE, INGEST), (studio.SUITE, STUDIO)]
)
def test_every_promised_figure_is_measured_against_its_goal(
    suite: Suite, promised: dict[str, tuple[str, float]]
) -> None:
    assert {one.name: (one.better, one.goal) for one in suite.figures} == promised
    several = [one for one in suite.figures if one.name not in LONG_RUNS]
    assert all(one.rounds >= 2 for one in several)


@given(st.integers(0, 50), st.integers(1, 200), st.integers(1, 20))
def test_load_is_batches_that_the_gateway_takes_of_points_that_differ(
    run: int, points: int, keys: int
) -> None:
    plan = Plan("", "w", ("r",) * 51, points, keys)
    batches = [check(body) for body in itertools.islice(bodies(plan, run), 3)]
    assert [batch.seq for batch in batches] == [0, 1, 2]
    seen = [
        (batch.key_index[i], batch.steps[i], batch.times[i])
        for batch in batches
        for i in range(points)
    ]
    assert len(set(seen)) == 3 * points
    assert len({time for _, _, time in seen}) == 3 * points


def test_results_are_a_list_of_name_value_and_unit() -> None:
    found = json.loads(encoded(_measured(), _machine()))
    assert all(entry.keys() == {"name", "value", "unit"} for entry in found)
    assert [entry["name"] for entry in found[: len(FIGURES)]] == [one.name for one in FIGURES]
    values = {entry["name"]: entry["value"] for entry in found}
    assert values["stack_up_s"] == 2.0
    assert (values["stack_up_s/min"], values["stack_up_s/max"]) == (1.0, 3.0)
    assert values["create_run_p50_ms/p99"] == 7.0
    assert values["machine/loop"] == 30.0


def test_table_marks_what_misses_its_goal() -> None:
    lines = table(_measured(), _machine()).splitlines()
    assert next(line for line in lines if "create_and_log_runs_per_s" in line).startswith("!")
    assert next(line for line in lines if "stack_up_s" in line).startswith(" ")


def test_unknown_figure_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(SUITE, ["--only", "no_such_figure"])
    assert "create_run_p50_ms" in capsys.readouterr().err


def test_watching_notes_the_machine() -> None:
    machine = MachineLog()
    with machine.watching():
        loop_rate()
    assert machine.loops_per_s[0] > 0
    assert 0 <= machine.busy_percent[0] <= 100


def test_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(100)]
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50.0, 99.0)
    assert percentile([4.0], 0.99) == 4.0
