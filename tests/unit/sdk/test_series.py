"""Many points at once: what is taken, what is refused, and what the gateway gets of it."""

import math
import subprocess
import sys
from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.events.metric_batch import check
from runhistory.sdk import metric_encoding, series_values
from runhistory.sdk.batch import Batch
from runhistory.sdk.errors import InvalidMetric
from runhistory.sdk.metric_encoding import encode
from runhistory.sdk.metric_writer import MetricWriter
from runhistory.sdk.series_values import pieces
from tests.support.spools import in_memory, no_end

NOW = 1_700_000_000_000_000


class Tensor:
    """As a torch tensor on a GPU: detached, fetched once as a whole, then read."""

    ndim = 1

    def __init__(self, elements: list[float], fetched: list[int], device: str = "cuda") -> None:
        self.elements, self.fetched, self.device = elements, fetched, device

    def detach(self) -> "Tensor":
        return self

    def cpu(self) -> "Tensor":
        self.fetched.append(len(self.elements))
        return Tensor(self.elements, self.fetched, "cpu")

    def numpy(self) -> None:
        pytest.fail("numpy need not be there")

    def __len__(self) -> int:
        return len(self.elements)

    def __getitem__(self, cut: slice) -> "Tensor":
        return Tensor(self.elements[cut], self.fetched, self.device)

    def tolist(self) -> list[float]:
        assert self.device == "cpu"
        return self.elements


class Frame:
    """As a pandas or polars series."""

    def __init__(self, elements: list[float]) -> None:
        self.to_list = lambda: elements


def columns(steps: Any, values: Any, times: Any = None) -> tuple[list[int], list[float], list[int]]:
    found = pieces("loss", steps, values, times, NOW)
    return (
        [step for one in found for step in one.steps],
        [value for one in found for value in one.values],
        [time for one in found for time in one.times],
    )


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        iter,
        lambda v: np.array(v),
        lambda v: np.array(v)[::-1][::-1],
        lambda v: np.array(v, dtype=object),
        lambda v: array("d", v),
        lambda v: Tensor(v, []),
        Frame,
    ],
)
def test_columns_of_any_kind_are_taken(make: Callable[[list[float]], Any]) -> None:
    values = [1.5, math.inf, -math.inf, 0.1, math.nan]
    assert repr(columns(range(5), make(values))) == repr(([*range(5)], values, [NOW] * 5))


def test_a_tensor_is_fetched_once() -> None:
    fetched: list[int] = []
    elements = [0.5] * 200_000
    assert columns(range(200_000), Tensor(elements, fetched))[1] == elements
    assert fetched == [200_000]


@pytest.mark.parametrize("kind", ["float16", "float32", "int8", "uint64", "bool"])
def test_a_value_of_another_width_is_the_same_number(kind: str) -> None:
    values = np.array([0, 1, 0.1, 100]).astype(kind)
    assert columns(np.arange(4, dtype="int32"), values)[1] == [float(v) for v in values]


@pytest.mark.parametrize(
    "times",
    [
        [1.5, 2.25],
        np.array([1.5, 2.25]),
        [datetime.fromtimestamp(1.5, UTC), datetime.fromtimestamp(2.25, UTC)],
        np.array(["1970-01-01T00:00:01.5", "1970-01-01T00:00:02.25"], dtype="datetime64[ns]"),
    ],
)
def test_times_are_seconds_datetimes_or_numpys(times: Any) -> None:
    assert columns([0, 1], [1, 2], times)[2] == [1_500_000, 2_250_000]


@pytest.mark.parametrize(
    ("steps", "values", "times", "words"),
    [
        ([0, 1], [0.5, "x"], None, ["values[1]", "'x'"]),
        ([0, 1], [0.5, None], None, ["values[1]"]),
        ([0, 1], [0.5, 10**400], None, ["values[1]", "1.8e308"]),
        ([0, 1], np.array([1, 2j]), None, ["values[0]", "complex"]),
        ([0], np.array(["2020-01-01"], dtype="datetime64[ns]"), None, ["values are times"]),
        ([0, 1.5], [1, 2], None, ["steps[1]", "whole number"]),
        ([0, 2**63], [1, 2], None, ["steps[1]", "64 bits"]),
        (np.array([0.0]), [1], None, ["steps[0]", "whole number"]),
        ([0, 1, 2], [1, 2], None, ["2 values", "3 steps"]),
        ([0, 1], [1, 2], [5.0], ["1 times"]),
        ([0], [1], [1.7e15], ["times[0]", "seconds since 1970"]),
        ([0], [1], [math.nan], ["times[0]"]),
        ([0], [1], [-1.0], ["times[0]"]),
        ([0], "1", None, ["values is a str"]),
        ([0], {0: 1}, None, ["values is a dict"]),
        ([0], 1.0, None, ["values is a float"]),
        (None, [1], None, ["steps is a NoneType"]),
        ([[0]], np.ones((1, 1)), None, ["2 dimensions"]),
        ([0], np.float64(1), None, ["0 dimensions"]),
    ],
)
def test_what_is_none_is_refused_with_name_and_place(
    steps: Any, values: Any, times: Any, words: list[str]
) -> None:
    with pytest.raises(InvalidMetric) as caught:
        pieces("loss", steps, values, times, NOW)
    for word in ["'loss'", *words]:
        assert word in str(caught.value)


points = st.tuples(
    st.sampled_from(["a", "b"]),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.integers(0, 10**15),
)


@given(st.lists(points, max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_a_batch_is_the_same_points_however_they_were_logged(
    logged: list[tuple[str, int, float, int]], cuts: list[int]
) -> None:
    """Single points and pieces of series, in any mixture, become the points that they are."""
    items: list[Any] = []
    for i, (name, step, value, time) in enumerate(logged):
        columns = array("q", [step]), array("d", [value]), array("q", [time])
        items.append(metric_encoding.Series(name, *columns) if i in cuts else logged[i])
    found = []
    for batch in encode("w", 0, items):
        decoded = check(batch.body)
        rows = zip(decoded.key_index, decoded.steps, decoded.values, decoded.times, strict=True)
        found += [
            (decoded.keys[key - 1], step, float(value), time) for key, step, value, time in rows
        ]
    assert sorted(map(repr, found)) == sorted(map(repr, logged))


def writer_into(batches: list[Batch]) -> MetricWriter:
    return MetricWriter(
        batches.append, batches.append, no_end, "run r", spools=in_memory, interval=0.01
    )


def test_a_long_series_is_sent_in_batches_that_the_gateway_takes() -> None:
    batches: list[Batch] = []
    writer = writer_into(batches)
    writer.log("single", 1.0)
    writer.log_series("loss", np.arange(50_001), np.random.default_rng(1).normal(size=50_001))
    for _ in range(500):
        writer.log_series("small", [1], [2])
    assert writer.delivery.waiting.split()[0].replace(",", "").isdecimal()
    writer.delivery.close(20)
    assert sum(batch.items for batch in batches) == 50_502
    assert len(batches) < 12
    for batch in batches:
        check(batch.body)


def test_a_refused_series_and_refused_metrics_take_nothing() -> None:
    batches: list[Batch] = []
    writer = writer_into(batches)
    with pytest.raises(InvalidMetric, match=r"values\[1\]"):
        writer.log_series("loss", [0, 1], [1, "x"])
    for values in ({"a": 1, "b": object()}, {"a": 1, "": 2}, {"a": 1, 3: 2}, {"a": "x" * 60_000}):
        with pytest.raises(InvalidMetric):
            writer.log_metrics(values)
    with pytest.raises(InvalidMetric, match="'a': the step"):
        writer.log_metrics({"a": 1}, step=1.5)  # type: ignore[arg-type]
    with pytest.raises(InvalidMetric, match="takes a dict"):
        writer.log_metrics([("a", 1)])  # type: ignore[arg-type]
    writer.log_series("loss", [], [])
    writer.log_metrics({})
    writer.log_metrics({"a": 1, "b": np.float32(2), "text": "t"}, step=7)
    writer.log_metrics({"a": 3})
    writer.delivery.close(20)
    (batch, records) = sorted(batches, key=lambda one: b"records" in one.body)
    decoded = check(batch.body)
    rows = zip(decoded.key_index, decoded.steps, decoded.values, strict=True)
    assert [(decoded.keys[i - 1], step, value) for i, step, value in rows] == [
        ("a", 7, 1.0),
        ("b", 7, 2.0),
        ("a", 0, 3.0),
    ]
    assert b'"step":7' in records.body


def test_no_array_library_is_imported() -> None:
    code = (
        "import sys\n"
        "from runhistory.sdk.series_values import pieces\n"
        "pieces('a', [1, 2], [1.0, 2.0], None, 0)\n"
        "print([name for name in ('numpy', 'torch', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_pieces_of_a_long_column_keep_the_index_of_what_is_wrong() -> None:
    values = [0.5] * (series_values._PIECE + 10)
    values[-1] = "x"  # type: ignore[call-overload]
    with pytest.raises(InvalidMetric, match=rf"values\[{len(values) - 1}\]"):
        pieces("loss", range(len(values)), np.array(values, dtype=object), None, NOW)
