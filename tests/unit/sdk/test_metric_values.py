"""What `log` takes as a point, and how it says no."""

import decimal
import fractions
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.events.metric_batch import MAX_KEY_LENGTH
from runhistory.sdk.errors import InvalidMetric
from runhistory.sdk.metric_values import check_name, check_step, number


class Tensor:
    """As torch's: knows its dimensions, gives its element by `item`."""

    def __init__(self, element: Any, ndim: int = 0) -> None:
        self.element, self.ndim = element, ndim

    def item(self) -> Any:
        return self.element


class TestNumber:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (3, 3.0),
            (True, 1.0),
            (2**53, 2.0**53),
            (np.float32(0.5), 0.5),
            (np.float64(0.1), 0.1),
            (np.longdouble(0.25), 0.25),
            (np.int8(-7), -7.0),
            (np.uint64(2**64 - 1), 2.0**64),
            (np.bool_(True), 1.0),
            (np.array(1.5), 1.5),
            (np.array(7), 7.0),
            (np.array(True), 1.0),
            (Tensor(0.75), 0.75),
            (Tensor(4), 4.0),
            (decimal.Decimal("0.125"), 0.125),
            (fractions.Fraction(1, 4), 0.25),
        ],
    )
    def test_numbers_of_every_kind_become_floats(self, value: Any, expected: float) -> None:
        result = number("loss", value)
        assert type(result) is float
        assert result == expected

    @pytest.mark.parametrize("value", [math.nan, np.float32("nan"), np.array(math.nan)])
    def test_nan_is_kept(self, value: Any) -> None:
        assert math.isnan(number("loss", value))

    @pytest.mark.parametrize("value", [math.inf, -math.inf, np.float32("inf"), np.array(-math.inf)])
    def test_infinities_are_kept(self, value: Any) -> None:
        assert number("loss", value) == float(value)

    @pytest.mark.parametrize(
        "value",
        [
            None,
            "0.5",
            b"1",
            1j,
            np.complex64(1j),
            np.str_("1"),
            np.array("x"),
            np.array([1.0]),
            np.array([[1.0, 2.0]]),
            [1.0],
            {"a": 1},
            object(),
            Tensor("text"),
            Tensor(1.0, ndim=1),
            10**400,
            -(10**400),
        ],
    )
    def test_what_is_no_number_is_refused_with_the_metrics_name(self, value: Any) -> None:
        with pytest.raises(InvalidMetric, match="'val/loss'"):
            number("val/loss", value)

    def test_an_array_that_cannot_give_its_element_is_refused(self) -> None:
        class Meta:
            ndim = 0

            def item(self) -> float:
                raise RuntimeError("no data")

        with pytest.raises(InvalidMetric, match="no data"):
            number("loss", Meta())


class TestStep:
    @given(st.integers(-(2**63), 2**63 - 1))
    def test_every_int64_is_a_step(self, step: int) -> None:
        assert check_step("loss", step) == step

    @pytest.mark.parametrize("step", [np.int64(-(2**63)), np.uint8(3), np.array(5), True])
    def test_integers_of_other_kinds_are_steps(self, step: Any) -> None:
        assert type(check_step("loss", step)) is int

    @pytest.mark.parametrize("step", [2**63, -(2**63) - 1, np.uint64(2**63), 1.0, "1", 10**30])
    def test_others_are_refused_with_the_metrics_name(self, step: Any) -> None:
        with pytest.raises(InvalidMetric, match="'loss'"):
            check_step("loss", step)


class TestName:
    @pytest.mark.parametrize("name", ["loss", "val/acc μ 🎉", " ", "x" * MAX_KEY_LENGTH, '"\\'])
    def test_texts_are_names(self, name: str) -> None:
        assert check_name(name) == name

    def test_a_subclass_of_str_gives_the_plain_text(self) -> None:
        assert type(check_name(np.str_("loss"))) is str

    @pytest.mark.parametrize(
        ("name", "word"),
        [
            ("", "empty"),
            ("x" * (MAX_KEY_LENGTH + 1), "513"),
            ("x" * 10_000, "10,000"),
            ("a\nb", "holds"),
            ("a\x00", "holds"),
            ("\ud800", "Unicode"),
            (None, "string"),
            (7, "string"),
            (b"loss", "string"),
        ],
    )
    def test_others_are_refused(self, name: Any, word: str) -> None:
        with pytest.raises(InvalidMetric, match=word):
            check_name(name)
