"""The one-machine engine speaks ClickHouse's HTTP protocol as a server does."""

import math
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.engine_process import EngineProcess, running_engine

pytestmark = pytest.mark.infrastructure


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with running_engine(tmp_path_factory.mktemp("engine") / "data") as engine:
        yield engine


@pytest.fixture
def table(server: EngineProcess) -> str:
    """A fresh table (number Int64, text String)."""
    name = f"default.t{uuid.uuid4().hex}"
    _post(server, f"CREATE TABLE {name} (number Int64, text String) ENGINE = MergeTree ORDER BY ()")
    return name


def _post(server: EngineProcess, statement: str, path: str = "/") -> bytes:
    status, _, body = server.request("POST", path, statement.encode())
    assert status == 200, body
    return body


def _count(server: EngineProcess, table: str) -> int:
    return int(_post(server, f"SELECT count() FROM {table}"))


@pytest.mark.parametrize("compress", [False, "gzip", "lz4", "zstd"])
def test_the_ordinary_client_writes_and_reads(
    server: EngineProcess, table: str, compress: Any
) -> None:
    client = server.client(compress=compress)
    rows = [[2**63 - 1, "ü\x00\t\\'"], [-(2**63), ""], *([n, "x" * 100] for n in range(10_000))]
    client.insert(table, rows, column_names=["number", "text"])
    read = client.query(f"SELECT number, text FROM {table}").result_rows
    assert sorted(map(list, read)) == sorted(rows)


def test_values_of_every_kind_come_back(server: EngineProcess) -> None:
    sql = "SELECT nan, -inf, toDateTime64('2026-11-23 01:02:03.000004', 6, 'UTC'), [1, NULL]"
    ((nan, infinity, time_, array),) = server.client().query(sql, tz_mode="aware").result_rows
    assert math.isnan(nan)
    assert infinity == -math.inf
    assert time_ == datetime(2026, 11, 23, 1, 2, 3, 4, UTC)
    assert list(array) == [1, None]


def test_parameters_are_bound_however_long(server: EngineProcess) -> None:
    texts = ["a'b", 'ü\t\n\\"', "{x:String}", *(f"{n:032x}" for n in range(5_000))]
    sql = "SELECT {texts:Array(String)}, {number:Int64}"
    parameters = {"texts": texts, "number": -(2**63)}
    ((read, number),) = server.client().query(sql, parameters=parameters).result_rows
    assert list(read) == texts
    assert number == -(2**63)


def test_a_statement_in_the_url_and_in_both(server: EngineProcess, table: str) -> None:
    sql = quote(f"INSERT INTO {table} FORMAT JSONEachRow")
    server.request("POST", f"/?query={sql}", b'{"number":1,"text":"a"}\n{"number":2}')
    server.request("POST", f"/?query={quote(f'INSERT INTO {table} ')}", b"VALUES (3, 'c;')")
    assert server.request("GET", f"/?query={quote(f'SELECT count() FROM {table}')}")[2] == b"3\n"
    status, headers, body = server.request("GET", "/?query=SELECT+1&default_format=JSONEachRow")
    assert (status, body, headers["X-ClickHouse-Format"]) == (200, b'{"1":1}\n', "JSONEachRow")


def test_a_long_answer_streams(server: EngineProcess) -> None:
    with server.client().query_row_block_stream("SELECT number FROM numbers(2000000)") as stream:
        assert sum(row[0] for block in stream for row in block) == 2_000_000 * 1_999_999 // 2


@pytest.mark.parametrize("format", ["JSON", "CSVWithNames", "Parquet"])
def test_formats_with_a_head_come_whole(server: EngineProcess, format: str) -> None:
    sql = f"SELECT number FROM numbers(200000) FORMAT {format}"
    body = _post(server, sql)
    heads = {"JSON": b'"meta"', "CSVWithNames": b'"number"', "Parquet": b"PAR1"}
    assert body.count(heads[format]) == (2 if format == "Parquet" else 1)


def test_an_error_in_the_middle_of_an_answer_is_one(server: EngineProcess) -> None:
    sql = "SELECT throwIf(number = 2000000), number FROM numbers(3000000)"
    with (
        pytest.raises(StreamFailureError, match="395"),
        server.client().query_row_block_stream(sql) as stream,
    ):
        for _ in stream:
            pass


@pytest.mark.parametrize(
    ("statement", "status", "code"),
    [
        ("SELECT * FROM nothing", 404, "60"),
        ("SELECT nothing", 404, "47"),
        ("selec", 400, "62"),
        ("SELECT 1; SELECT 2", 400, "62"),
        ("SELECT throwIf(1)", 500, "395"),
        ("INSERT INTO nothing FORMAT TSV\n1", 404, "60"),
    ],
)
def test_errors_are_told_as_a_server_does(
    server: EngineProcess, statement: str, status: int, code: str
) -> None:
    answer, headers, body = server.request("POST", "/", statement.encode())
    assert (answer, headers["X-ClickHouse-Exception-Code"]) == (status, code)
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())


@pytest.mark.parametrize("setting", ["max_threads=abc", "nothing=1"])
def test_a_setting_that_is_none(server: EngineProcess, setting: str) -> None:
    status, _, body = server.request("GET", f"/?query=SELECT+1&{setting}")
    assert status == 400, body


def test_settings_and_databases_do_not_leak(server: EngineProcess) -> None:
    sql = "SELECT getSetting('max_threads'), currentDatabase(), getSetting('readonly')"
    before = _post(server, sql)
    assert _post(server, sql, "/?max_threads=7&database=system") == b"7\tsystem\t0\n"
    server.request("GET", "/?query=SELECT+1")
    _post(server, "SET max_threads = 9")
    assert _post(server, sql) == before


_TRACES = [  # what may come before in the same handle, if that is lent again
    b"SET max_threads = 9",
    b"USE system",
    b"SELECT 1 SETTINGS max_threads = 8",
    b"SELECT {a:String}",
    b"SELECT number FROM numbers(300000) SETTINGS max_threads = 6",
    b"SELECT throwIf(number = 5) FROM numbers(10) SETTINGS max_threads = 5",
    b"CREATE TEMPORARY TABLE t (x Int8)",
    b"SELECT name FROM nowhere",
    b"EXPLAIN SELECT 1",
    b"WITH 1 AS x SELECT x FORMAT JSON",
]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "max_threads=7", "database=system", "readonly=2", "param_a=x"]),
            st.sampled_from(["GET", "POST"]),
            st.sampled_from(_TRACES),
        ),
        max_size=8,
    )
)
def test_no_request_leaves_a_trace_for_the_next(
    server: EngineProcess, before: list[tuple[str, str, bytes]]
) -> None:
    for asked, method, statement in before:
        server.request(method, f"/?{asked}&query={quote(statement)}")
    sql = "SELECT currentDatabase(), getSetting('max_threads') = 7, getSetting('readonly')"
    assert _post(server, sql) == b"default\t0\t0\n"
    assert _post(server, sql, "/?max_threads=7") == b"default\t1\t0\n"
    assert _post(server, sql, "/?database=system") == b"system\t0\t0\n"
    assert server.request("POST", "/", b"SELECT {a:String}")[0] == 400
    assert server.request("POST", "/", b"SELECT * FROM t")[0] == 404


def test_a_refused_insert_says_so_and_stores_nothing(server: EngineProcess, table: str) -> None:
    """chDB's own streaming insert answers OK here and drops the rows."""
    landing = f"{table}_landing"
    _post(
        server,
        f"CREATE TABLE {landing} (number Int64, CONSTRAINT small CHECK number < 100) ENGINE = Null",
    )
    _post(
        server,
        f"CREATE MATERIALIZED VIEW {landing}_view TO {table} AS "
        f"SELECT number + throwIf(number = 7) AS number, '' AS text FROM {landing}",
    )
    for rows, code in (
        (b'{"number":100}', "469"),
        (b'{"number":7}', "395"),
        (b'{"number":"x"}', "27"),
    ):
        body = f"INSERT INTO {landing} FORMAT JSONEachRow\n".encode() + rows
        status, headers, _ = server.request("POST", "/", body)
        assert (status != 200, headers["X-ClickHouse-Exception-Code"]) == (True, code)
    assert _count(server, table) == 0


def test_a_body_that_breaks_off_is_not_stored(server: EngineProcess, table: str) -> None:
    sql = quote(f"INSERT INTO {table} (number) FORMAT TSV")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"POST /?query={sql} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + b"4\r\n1\n2\n\r\n")
        time.sleep(0.3)  # no race: the INSERT waits for the rest in any case
    _wait_until_idle(server)
    assert _count(server, table) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Encoding": "zstd"},
        {"Content_Encoding": "lz4"},
        {"Content_Encoding": "gzip"},
        {"Content_Encoding": "rot13"},
    ],
)
def test_a_body_that_does_not_decompress(
    server: EngineProcess, table: str, headers: dict[str, str]
) -> None:
    sql = quote(f"INSERT INTO {table} (number) FORMAT TSV")
    status, _, body = server.request("POST", f"/?query={sql}", b"1\n2\n", **headers)
    assert (status, _count(server, table)) == (400, 0), body


def test_a_long_body_is_read_in_bounded_memory(server: EngineProcess, table: str) -> None:
    sink = f"{table}_null"
    _post(server, f"CREATE TABLE {sink} (text String) ENGINE = Null")
    before = _high_water(server)
    row = b"x" * 100_000 + b"\n"
    path = f"/?query={quote(f'INSERT INTO {sink} FORMAT TSV')}&max_block_size=100"
    path += "&min_insert_block_size_bytes=1&min_insert_block_size_rows=1"
    path += "&input_format_parallel_parsing=0"
    status, _, body = server.request("POST", path, (row for _ in range(4_000)))
    assert status == 200, body
    assert _high_water(server) - before < 150_000_000  # of 400 MB


def test_queries_and_inserts_run_in_parallel(server: EngineProcess, table: str) -> None:
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: _post(server, "SELECT sleep(1)"), range(8)))
    assert time.monotonic() - begin < 6

    def insert(number: int) -> None:
        rows = b"".join(b'{"number":%d}\n' % (number * 1_000 + row) for row in range(1_000))
        body = f"INSERT INTO {table} FORMAT JSONEachRow\n".encode() + rows
        assert server.request("POST", "/", body)[0] == 200

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(insert, range(32)))
    assert _post(server, f"SELECT uniqExact(number), count() FROM {table}") == b"32000\t32000\n"


def test_a_query_whose_client_has_gone_is_killed(server: EngineProcess) -> None:
    mark = uuid.uuid4().hex
    sql = f"SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1 -- {mark}"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(sql)}\r\n\r\n"
        connection.sendall((head + sql).encode())
        _wait_for(lambda: _running(server, mark) == 1)
    _wait_for(lambda: _running(server, mark) == 0)


def test_a_query_that_takes_too_much_is_refused(server: EngineProcess) -> None:
    sql = b"SELECT groupArray(number) FROM numbers(100000000)"
    assert server.request("POST", "/?max_memory_usage=100000000", sql)[0] == 500
    sql = b"SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"
    assert server.request("POST", "/?max_execution_time=0.5", sql)[0] == 408


def test_a_web_page_cannot_reach_it(server: EngineProcess) -> None:
    for headers in (
        {"Origin": "https://example.org"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Host": "evil.example"},
    ):
        assert server.request("POST", "/", b"SELECT 1", **headers)[0] == 403
    status, _, body = server.request("GET", "/?query=CREATE+DATABASE+by_get")
    assert (status, b"READONLY" in body) == (403, True)
    assert server.request("GET", "/?query=CREATE+DATABASE+by_get&readonly=0")[0] == 403


def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    with running_engine(tmp_path / "data") as server:
        _post(server, "CREATE TABLE t (number Int64) ENGINE = MergeTree ORDER BY number")
        answered: list[int] = []
        stop = threading.Event()

        def write() -> None:
            for number in range(100_000):
                body = f"INSERT INTO t FORMAT TSV\n{number}\n".encode()
                try:
                    if server.request("POST", "/", body)[0] == 200:
                        answered.append(number)
                except OSError:
                    stop.set()
                    return

        for _ in range(3):
            stop.clear()
            before = len(answered)
            writer = threading.Thread(target=write)
            writer.start()
            _wait_for(lambda before=before: len(answered) > before + 50)  # type: ignore[misc]
            assert server.process is not None
            server.process.kill()
            server.process.communicate()
            writer.join()
            server.start()
            stored = _post(server, "SELECT DISTINCT number FROM t FORMAT TSV").split()
            assert set(answered) <= set(map(int, stored))


def test_starts_that_are_refused(server: EngineProcess, tmp_path: Path) -> None:
    assert "in use by another engine" in server.refusal("--port", str(server.port + 1))
    assert "cannot be listened on" in server.refusal("--data", str(tmp_path / "other"))
    message = server.refusal("--data", str(tmp_path / "other"), "--host", "0.0.0.0")
    assert "RUNHISTORY_CLICKHOUSE" in message


def test_a_stop_lets_running_queries_finish(tmp_path: Path) -> None:
    with running_engine(tmp_path / "data") as server, ThreadPoolExecutor(1) as threads:
        running = threads.submit(_post, server, "SELECT sleep(2)")
        _wait_for(lambda: _running(server, "sleep(2)") == 1)
        assert server.stop() == 0
        assert running.result() == b"0\n"


def test_the_client_reports_errors_with_their_codes(server: EngineProcess) -> None:
    with pytest.raises(DatabaseError) as failure:
        server.client().query("SELECT * FROM nothing")
    assert failure.value.code == 60


def _running(server: EngineProcess, mark: str) -> int:
    sql = f"SELECT countIf(query LIKE '%{mark}%' AND query NOT LIKE '%processes%')"
    return int(_post(server, f"{sql} FROM system.processes"))


def _wait_until_idle(server: EngineProcess) -> None:
    _wait_for(lambda: int(_post(server, "SELECT count() FROM system.processes")) == 1)


def _wait_for(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _high_water(server: EngineProcess) -> int:
    assert server.process is not None
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")
