"""Whatever the cuts between chunks: the same bytes are the same lines."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from runhistory.worker.lines import Line, LineSplitter

INTERESTING = st.lists(
    st.one_of(
        st.sampled_from([b"\n", b"\r", b"\r\n", b"\xff", b"\xc3", "é".encode(), "🦊".encode()]),
        st.binary(max_size=12),
        st.text("ab ", max_size=12).map(str.encode),
    )
).map(b"".join)


def split(*chunks: bytes, limit: int = 7) -> list[Line]:
    splitter = LineSplitter(limit)
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.close()


def chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(INTERESTING, st.lists(st.integers(min_value=0)))
def test_the_cuts_between_chunks_make_no_difference(data: bytes, cuts: list[int]) -> None:
    assert split(*chunked(data, cuts)) == split(data)


@given(INTERESTING)
def test_no_line_is_too_long_or_holds_an_end_of_line(data: bytes) -> None:
    assert all(len(line.text) <= 7 and not {"\r", "\n"} & set(line.text) for line in split(data))


@given(INTERESTING)
def test_no_text_is_lost_and_no_line_end_invented(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    lines = split(data, limit=10_000)
    assert "".join(line.text for line in lines) == text.replace("\r", "").replace("\n", "")
    ended = sum(not line.overwritten for line in lines)
    assert ended == text.count("\n") + (text.rpartition("\n")[2].strip("\r") != "")


def test_a_progress_bar_is_overwritten_until_its_last_state() -> None:
    assert split(b"\r10%", b"\r50%\r", b"99%\n", limit=100) == [
        Line("10%", overwritten=True),
        Line("50%", overwritten=True),
        Line("99%"),
    ]


def test_windows_line_ends_are_one_end_even_when_cut() -> None:
    assert split(b"one\r", b"\ntwo\r\n") == [Line("one"), Line("two")]


def test_a_long_line_is_split_and_an_unended_last_one_counts() -> None:
    assert split(b"123456789", b"\nlast") == [Line("1234567"), Line("89"), Line("last")]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert split(b"a\xffb\n") == [Line("a\ufffdb")]
