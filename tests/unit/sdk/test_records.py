"""What can be logged beside numbers: its check at the call, its way in batches, its shape back."""

import io
import json
import math
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from runhistory import Experiment, Run, Workspace
from runhistory.domain.values import FileName
from runhistory.events.record_batch import MAX_RECORDS, check
from runhistory.sdk import outbox, run_metrics
from runhistory.sdk.batch import Batch
from runhistory.sdk.charts import chart
from runhistory.sdk.errors import InvalidMetric, Unavailable
from runhistory.sdk.images import image
from runhistory.sdk.metric_writer import MetricWriter
from runhistory.sdk.record_encoding import Item, encode
from runhistory.sdk.record_values import columns_from_json, record_json, row, table, value_json
from runhistory.sdk.run_logging import _attachment
from tests.support.record_strategies import TABLES
from tests.support.scripted_gateway import Answer, Request, ScriptedGateway
from tests.support.spools import in_memory, no_end, spools_in

CONFUSION = {
    "schema_type": "confusion_matrix",
    "schema_version": "v1",
    "data": {"class_labels": ["a", "b"], "matrix": [[1, 2], [3, 4]]},
}


@pytest.fixture
def run(gateway: ScriptedGateway) -> Run:
    gateway.script = lambda request: Answer(202, {"watermark": "run.records/0/1"})
    return Run(Experiment(Workspace(gateway.url), "e"), "0" * 31 + "1", submitted_attempt=1)


@given(TABLES)
def test_a_table_survives_json_exactly(columns: dict[str, Any]) -> None:
    found = columns_from_json(json.loads(value_json("t", table("t", columns))))
    assert repr(found) == repr(columns)  # NaN is NaN, 1 is no True, 1.0 is no 1


def test_cells_of_array_libraries_become_plain() -> None:
    assert row("r", {"a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True)}) == {
        "a": 3,
        "b": 0.5,
        "c": True,
    }
    assert table("t", {"a": np.arange(3), "b": range(3)}) == {
        "a": [0, 1, 2],
        "b": [0, 1, 2],
    }
    assert table("t", {"a": [0], "c": np.str_("x")}) == {"a": [0], "c": "x"}
    assert row("r", {"half": Fraction(1, 2)}) == {"half": 0.5}
    assert row("r", {"a": 2**63 - 1, "b": -(2**63)}) == {"a": 2**63 - 1, "b": -(2**63)}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "needs a column"),
        ({"a": object()}, "column 'a'"),
        ({"a": [1]}, "column 'a'"),
        ({"a": np.datetime64("2026-01-01")}, "column 'a'"),
        ({"a\n": 1}, "column's name"),
        ({"a": "\ud800"}, "Unicode"),
        ({"a": 2**63}, "64 bits"),
        ({"a": -(2**63) - 1}, "64 bits"),
    ],
)
def test_a_row_that_cannot_be_kept_says_why(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidMetric, match=said):
        row("r", columns)


def test_a_table_is_a_dict_of_columns() -> None:
    for wrong, said in (
        ([1], "dict of columns"),
        ({}, "needs a column"),
        ({"a": [[1]]}, "'a'"),
        ({"a": [1, 2], "b": [1]}, "'a' has 2, 'b' has 1"),
        ({"a": [1, 2], "b": 1}, "'a' has 2, 'b' has 1"),
        ({"a": [], "b": 1}, "'a' has 0, 'b' has 1"),
    ):
        with pytest.raises(InvalidMetric, match=said):
            table("t", wrong)
    with pytest.raises(InvalidMetric, match="dimensions"):
        table("t", {"a": np.ones((2, 2))})


@given(st.lists(st.integers(0, 50_000), max_size=60))
def test_batches_keep_the_gateways_limits_and_the_order(sizes: list[int]) -> None:
    items = [
        Item(record_json("k", "value", number, 1, json.dumps("x" * size).encode(), None))
        for number, size in enumerate(sizes)
    ]
    batches = encode("w", 5, items)
    assert [batch.seq for batch in batches] == list(range(5, 5 + len(batches)))
    steps = [record.step for batch in batches for record in check(batch.body).records]
    assert steps == list(range(len(sizes)))
    assert sum(batch.items for batch in batches) == len(sizes)


def test_many_small_records_are_several_batches() -> None:
    items = [Item(record_json("k", "value", n, 1, b"null", None)) for n in range(MAX_RECORDS + 1)]
    assert [batch.items for batch in encode("w", 0, items)] == [MAX_RECORDS, 1]


def test_texts_and_numbers_of_a_name_are_counted_in_one_order() -> None:
    points: list[Batch] = []
    records: list[Batch] = []
    writer = MetricWriter(
        points.append, records.append, no_end, "run r", spools=in_memory, interval=0.01
    )
    for value in (1.5, "two", None, 4, "five"):
        writer.log("x", value)
    writer.log_record("x", "row", {"a": 1})
    writer.delivery.close(10)
    steps = [step for batch in points for step in json.loads(batch.body)["steps"]]
    assert steps == [0, 3]
    found = [record for batch in records for record in check(batch.body).records]
    assert [(one.step, one.value) for one in found] == [
        (1, "two"),
        (2, None),
        (4, "five"),
        (5, {"a": 1}),
    ]


def test_a_batch_and_its_file_are_sent_until_both_are_answered_for(
    run: Run, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LONGEST_PAUSE", 0.01)
    fates: Iterator[int] = iter([503, 201, 503, 201, 202])

    def script(request: Request) -> Answer:
        return Answer(next(fates), {"watermark": "run.records/0/1"})

    gateway.script = script
    run.log_image("a/../b", array=np.zeros((2, 2), "uint8"))
    run.flush(10)
    kinds = [request.method for request in gateway.requests]
    assert kinds == ["PUT", "PUT", "POST", "PUT", "POST"]
    puts = [request for request in gateway.requests if request.method == "PUT"]
    assert len({(one.path, one.body, str(one.query["command_id"])) for one in puts}) == 1
    bodies = {one.body for one in gateway.requests if one.method == "POST"}
    assert len(bodies) == 1
    (record,) = check(bodies.pop()).records
    assert puts[0].path.endswith(f"/files/{record.file}")
    assert record.file is not None
    assert record.file.startswith("images/a/_/b_")


def test_records_beyond_the_memory_for_them_are_dropped_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("runhistory.sdk.metric_writer.MAX_WAITING_BYTES", 10_000)
    monkeypatch.setattr(outbox, "LONGEST_PAUSE", 0.01)
    records: list[Batch] = []
    up = False

    def send(batch: Batch) -> None:
        if not up:
            raise Unavailable("nobody there")
        records.append(batch)

    spools = spools_in(tmp_path / "spool", max_bytes=1)
    writer = MetricWriter(records.append, send, no_end, "run r", spools=spools, interval=0.01)
    writer.log("x", "y")
    deadline = time.monotonic() + 10
    while not writer.delivery.spools.records.batches:  # until the spool is full
        assert time.monotonic() < deadline
        time.sleep(0.002)
    for _ in range(20):
        writer.log("x", "y" * 1_000)
    assert writer.delivery.dropped > 5
    assert "DROPPED" in caplog.text
    up = True
    writer.delivery.close(10)
    assert 10 <= sum(batch.items for batch in records) <= 12
    writer.log("x", "again")
    writer.delivery.close(10)
    assert len(check(records[-1].body).records) == 1


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60))
def test_any_name_makes_a_name_of_a_file(name: str) -> None:
    import msgspec

    assert msgspec.convert(_attachment("images", name, "png", b"").name, FileName)


class TestCharts:
    @pytest.mark.parametrize(
        ("kind", "data"),
        [
            ("confusion_matrix", CONFUSION["data"]),
            ("residuals", {"bin_edges": [100, 200, 300], "bin_counts": [0.88, 20, 30, 50.99]}),
            (
                "predictions",
                {
                    "bin_averages": [0.25, 0.75],
                    "bin_errors": [0.013, 0.042],
                    "bin_counts": [56, 34],
                    "bin_edges": [0.0, 0.5, 1.0],
                },
            ),
            (
                "accuracy_table",
                {
                    "probability_tables": [[[114311, 385689, 0, 0], [0, 0, 385689, 114311]]],
                    "percentile_tables": [[[114311, 385689, 0, 0], [1, 0, 385689, 114310]]],
                    "class_labels": ["0", "1"],
                    "probability_thresholds": [0.52],
                    "percentile_thresholds": [0.09],
                },
            ),
        ],
    )
    def test_azures_forms_are_taken_as_dict_and_as_text(self, kind: Any, data: Any) -> None:
        value = {"schema_type": kind, "schema_version": "1.0.0", "data": data}
        assert chart("c", kind, value) == value
        assert chart("c", kind, json.dumps(value)) == value

    def test_arrays_are_taken(self) -> None:
        value = {**CONFUSION, "data": {"class_labels": ["a", "b"], "matrix": np.eye(2)}}
        assert chart("c", "confusion_matrix", value)["data"]["matrix"] == [[1.0, 0.0], [0.0, 1.0]]

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ("{", "no JSON"),
            ("[]", "no dict"),
            ({**CONFUSION, "schema_type": "residuals"}, "schema_type"),
            ({**CONFUSION, "schema_version": 1}, "schema_version"),
            ({**CONFUSION, "data": {"class_labels": ["a"]}}, "matrix"),
            ({**CONFUSION, "data": {"class_labels": ["a"], "matrix": [["x"]]}}, "matrix"),
            ({**CONFUSION, "data": {"class_labels": ["a"], "matrix": [[1, 2]]}}, "square"),
        ],
    )
    def test_another_form_is_refused_with_the_right_one(self, value: Any, said: str) -> None:
        with pytest.raises(InvalidMetric, match=said) as caught:
            chart("c", "confusion_matrix", value)
        assert "'class_labels'" in str(caught.value)


class TestImages:
    @pytest.mark.parametrize(
        ("array", "mode"),
        [
            (np.zeros((4, 5), "uint8"), "L"),
            (np.full((4, 5, 3), 255, "uint8"), "RGB"),
            (np.zeros((4, 5, 4), "uint8"), "RGBA"),
            (np.linspace(0, 1, 20).reshape(4, 5), "L"),
            (np.ones((4, 5, 1), "float32"), "L"),
            (np.eye(4, 5, dtype=bool), "L"),
        ],
    )
    def test_an_array_becomes_a_png(self, array: Any, mode: str) -> None:
        content, extension = image("i", array=array)
        opened = Image.open(io.BytesIO(content))
        assert (extension, opened.mode, opened.size) == ("png", mode, (5, 4))
        due = array if array.dtype == "uint8" else np.round(array.astype(float) * 255)
        assert np.array_equal(np.asarray(opened), due.reshape(np.asarray(opened).shape))

    @pytest.mark.parametrize(
        "array", [np.ones(3), np.ones((2, 2, 5)), np.ones((2, 2)) * 2, np.full((2, 2), math.nan),
                  np.ones((2, 2), "int64"), np.ones((0, 2))]
    )  # fmt: skip
    def test_what_is_no_image_is_refused(self, array: Any) -> None:
        with pytest.raises(InvalidMetric, match="'i'"):
            image("i", array=array)

    def test_a_figure_and_a_file(self, tmp_path: Path) -> None:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots()
        axes.plot([1, 2])
        for plot in (figure, pyplot):
            assert Image.open(io.BytesIO(image("i", plot=plot).content)).format == "PNG"
        figure.savefig(tmp_path / "a.jpg")
        pyplot.close(figure)
        assert image("i", path=tmp_path / "a.jpg").extension == "jpg"
        (tmp_path / "b.png").write_text("no image")
        for wrong in ({"path": tmp_path / "b.png"}, {"path": "missing"}, {"plot": axes}, {}):
            with pytest.raises(InvalidMetric, match="'i'"):
                image("i", **wrong)
        with pytest.raises(InvalidMetric, match="give one"):
            image("i", "a.png", figure)


def record(step: int, kind: str, value: Any, attempt: int = 1, **more: Any) -> dict[str, Any]:
    time = f"2026-01-01T00:00:00.{step:06}Z"
    return {
        "key": "k",
        "kind": kind,
        "step": step,
        "time": time,
        "value": value,
        "file": None,
        "attempt": attempt,
        **more,
    }


def shape(*records: dict[str, Any], **more: Any) -> Any:
    return run_metrics.in_shape([], records, **more)["k"]


def test_shapes_are_azures() -> None:
    assert shape(record(0, "value", "a")) == "a"
    assert shape(record(0, "value", "a"), record(1, "value", None)) == ["a", None]
    assert shape(record(0, "row", {"a": 1, "b": "x"})) == {"a": 1, "b": "x"}
    rows = [record(0, "row", {"a": 1}), record(1, "row", {"a": 2, "b": 3})]
    assert shape(*rows) == {"a": [1, 2], "b": [None, 3]}
    below = [record(0, "table", {"a": [1, 2], "b": [3, 3]}), record(1, "row", {"a": 4})]
    assert shape(*below) == {"a": [1, 2, 4], "b": [3, 3, None]}
    assert shape(record(0, "row", {"a": 1}), record(1, "value", "x")) == [{"a": 1}, "x"]


def test_files_are_names_unless_their_content_is_asked_for() -> None:
    files = {"t.json": b'{"a":[1,{"float":"NaN"}]}', "i.png": b"png", "c.json": b'{"x":1}'}
    load = files.__getitem__
    table_in_file = shape(record(0, "table", None, file="t.json"), load=load)
    assert repr(table_in_file) == "{'a': [1, nan]}"
    assert shape(record(0, "image", None, file="i.png")) == "i.png"
    assert shape(record(0, "image", None, file="i.png"), load=load, populate=True) == b"png"
    found = shape(record(0, "residuals", None, file="c.json"), load=load, populate=True)
    assert found == {"x": 1}


def test_an_attempt_hides_points_and_records_of_earlier_ones_together() -> None:
    series = {
        "key": "k",
        "steps": [0, 1, 1],
        "values": [0.5, 0.6, 2.0],
        "times": [1, 2, 9],
        "attempts": [1, 1, 2],
        "writers": ["w"] * 3,
    }
    records = [record(2, "value", "old"), record(0, "value", "new", attempt=2)]
    assert run_metrics.in_shape([series], records)["k"] == ["new", 2.0]


def test_a_description_is_said_not_to_be_kept(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runhistory.sdk.run_logging._told", set())
    run.log("a", 1, description="d")
    run.log("a", 1, description="d")
    run.log_row("r", description="d", a=1)
    run.flush(10)
    assert [line for line in caplog.messages if "not kept" in line] == [
        "runhistory: log(description=…) is not kept. Say it in run.description or a tag.",
        "runhistory: log_row(description=…) is not kept. Say it in run.description or a tag.",
    ]


def test_offline_everything_prints_and_nothing_is_kept(
    capsys: pytest.CaptureFixture[str], nowhere: Path
) -> None:
    offline = Run.get_context()
    offline.log("x", "text")
    offline.log("x", None)
    offline.log_row("r", a=1, b="two")
    offline.log_table("t", {"a": [1, 2]})
    offline.log_image("i", array=np.zeros((2, 2), "uint8"))
    offline.log_confusion_matrix("c", CONFUSION)
    offline.display_name = "renamed"
    offline.set_tags({"a": 1})
    offline.remove_tags("a")
    offline.log_params({"lr": 0.1})
    with offline.child_run("fold") as child:
        child.log("x", 1)
    assert len(offline.create_children(tag_key="fold", tag_values=[1, 2])) == 2
    assert list(offline.get_children()) == []
    assert offline.get_metrics() == {}
    assert (offline.display_name, offline.get_tags(), offline.params) == (
        "renamed",
        {},
        {"lr": "0.1"},
    )
    printed = capsys.readouterr().out
    for line in ("x = text (step 0)", "x = None (step 1)", "r (row) = {'a': 1, 'b': 'two'}"):
        assert line in printed
    with pytest.raises(InvalidMetric):
        offline.log_row("r", a=[1])
