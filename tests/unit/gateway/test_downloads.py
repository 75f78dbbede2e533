"""Which part of its bytes a request names, and what may be shown in place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.gateway.downloads import parse_range, shown_type
from runhistory.gateway.errors import ApiError


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("bytes=0-3", (0, 4)),
        ("bytes=2-", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=5-99", (5, 10)),
        (" bytes=9-9 ", (9, 10)),
    ],
)
def test_a_range_is_a_window(text: str, window: tuple[int, int]) -> None:
    assert parse_range(text, 10) == window


@pytest.mark.parametrize("text", ["bytes=-", "bytes=3-2", "bytes=0-1,4-5", "lines=0-1", "", "x"])
def test_what_is_no_single_range_means_everything(text: str) -> None:
    assert parse_range(text, 10) is None


@pytest.mark.parametrize(("text", "size"), [("bytes=10-", 10), ("bytes=0-0", 0), ("bytes=-0", 5)])
def test_a_range_of_nothing_is_refused(text: str, size: int) -> None:
    with pytest.raises(ApiError) as refusal:
        parse_range(text, size)
    assert refusal.value.status == 416
    assert refusal.value.headers["Content-Range"] == f"bytes */{size}"


@given(st.integers(1, 50), st.integers(0, 60), st.integers(0, 60))
def test_a_window_lies_within(size: int, begin: int, end: int) -> None:
    data = bytes(range(size))
    try:
        window = parse_range(f"bytes={begin}-{end}", size)
    except ApiError:
        assert begin >= size
    else:
        if begin > end:
            assert window is None
        else:
            assert window is not None
            assert data[slice(*window)] == data[begin : end + 1] != b""


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        ("image/png", "image/png"),
        ("image/JPEG; q=1", "image/jpeg"),
        ("image/svg+xml", None),
        ("text/html", "text/plain"),
        ("application/json", "text/plain"),
        ("application/pdf", None),
        ("application/octet-stream", None),
    ],
)
def test_only_pictures_and_text_are_shown(content_type: str, shown: str | None) -> None:
    assert shown_type(content_type) == shown
