"""Which failure means what, and that bisection finds exactly the records at fault."""

import pytest
from clickhouse_connect.driver.exceptions import (
    ClickHouseError,
    DatabaseError,
    DataError,
    OperationalError,
)
from hypothesis import given
from hypothesis import strategies as st

from runhistory.sink.batch import Entry, Limits, inserts
from runhistory.sink.rows import Row, Unreadable
from runhistory.sink.store import Unavailable, failure, insert_readable
from tests.support.sink_world import FakeMessage, FakeStore


def entry(number: int, rows: int = 1, memory: int = 1) -> Entry:
    return Entry(FakeMessage(b"{}", offset=number), Row(b"%d" % number, rows, memory))


@given(st.integers(1, 70), st.data())
async def test_exactly_the_poison_is_refused_and_all_else_stored_once_in_order(
    size: int, data: st.DataObject
) -> None:
    poison = data.draw(st.sets(st.integers(0, size - 1)))
    store = FakeStore(lambda row: int(row) in poison)

    async def insert(rows: object) -> None:
        await store.insert("t", rows)  # type: ignore[arg-type]

    letters = await insert_readable(insert, [entry(number) for number in range(size)])
    assert [letter.message.offset for letter in letters] == sorted(poison)
    assert [int(row) for row in store.rows["t"]] == [n for n in range(size) if n not in poison]


async def test_one_bad_record_among_thousands_costs_few_inserts() -> None:
    store = FakeStore(lambda row: int(row) == 3_210)

    async def insert(rows: object) -> None:
        await store.insert("t", rows)  # type: ignore[arg-type]

    await insert_readable(insert, [entry(number) for number in range(4_096)])
    assert len(store.sizes) == 25  # each level of the halving: one refused, one accepted


async def test_an_outage_in_the_middle_refuses_nothing() -> None:
    store = FakeStore()
    store.outages = 1

    async def insert(rows: object) -> None:
        await store.insert("t", rows)  # type: ignore[arg-type]

    with pytest.raises(Unavailable):
        await insert_readable(insert, [entry(1)])


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 300)), max_size=60),
    st.integers(1, 20),
    st.integers(1, 100),
    st.integers(1, 500),
)
def test_inserts_keep_the_limits_and_the_order(
    sizes: list[tuple[int, int]], records: int, rows: int, memory: int
) -> None:
    limits = Limits(records=records, rows=rows, memory=memory, bytes=50)
    entries = [entry(number, *size) for number, size in enumerate(sizes)]
    chunks = list(inserts(entries, limits))
    assert [one for chunk in chunks for one in chunk] == entries
    for chunk in chunks:
        assert chunk
        assert len(chunk) == 1 or (
            len(chunk) <= records
            and sum(one.row.rows for one in chunk) <= rows
            and sum(one.row.memory for one in chunk) <= memory
            and sum(len(one.row.json) for one in chunk) <= 50
        )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DatabaseError("cannot parse", code=27), Unreadable),
        (DatabaseError("constraint", code=469), Unreadable),
        (DataError("number", code=72), Unreadable),
        (DatabaseError("memory", code=241), Unavailable),
        (DatabaseError("too many parts", code=252), Unavailable),
        (DatabaseError("time-out", code=159), Unavailable),
        (DatabaseError("no such table", code=60), Unavailable),
        (DatabaseError("read only", code=242), Unavailable),
        (DatabaseError("a code of a later ClickHouse", code=99_999), Unavailable),
        (DatabaseError("an answer without a code"), Unavailable),
        (OperationalError("connection refused"), Unavailable),
        (ClickHouseError("?"), Unavailable),
        (TimeoutError(), Unavailable),
    ],
)
def test_only_codes_about_content_condemn_a_record(error: Exception, kind: type) -> None:
    found = failure(error)
    assert type(found) is kind
    assert str(found)
