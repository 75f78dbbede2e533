"""The bench measures every figure that was promised, and writes what is read by others."""

import json

import pytest
from bench.figures.figure import Details, Measured, percentile
from bench.figures.machine import MachineLog, loop_rate
from bench.run_history import FIGURES, encoded, main, table

PROMISED = {
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


def _measured() -> list[Measured]:
    details = Details()
    details.add("p99", 7.0, "ms")
    return [Measured(figure, [3.0, 1.0, 2.0], details) for figure in FIGURES]


def _machine() -> MachineLog:
    return MachineLog(loops_per_s=[30.0], load=[0.1, 2.0], busy_percent=[50.0])


def test_every_promised_figure_is_measured_against_its_goal() -> None:
    assert {one.name: (one.better, one.goal) for one in FIGURES} == PROMISED
    assert all(callable(one.measure) and one.rounds >= 3 for one in FIGURES)


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
        main(["--only", "no_such_figure"])
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
