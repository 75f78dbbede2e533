"""Watermarks as a query string has them."""

import pytest

from runhistory.events.codec import Watermark
from runhistory.gateway.watermarks import parse_watermarks


def test_what_a_write_returned_is_read_back() -> None:
    watermarks = [Watermark("run.events", 1, 2**40), Watermark("run.metrics", 0, 0)]
    assert parse_watermarks(map(str, watermarks)) == watermarks


@pytest.mark.parametrize(
    "text",
    [
        "",
        "run.events",
        "run.events/0",
        "run.events/8/0",
        "run.events/-1/0",
        "run.events/0/-1",
        "run.events/0/9223372036854775808",
        "other/0/0",
        "run.events/0/x",
        "run.events/0/0/0",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"watermark|log"):
        parse_watermarks([text])
