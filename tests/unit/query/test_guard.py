"""The guard: what it refuses, and that it writes what it lets through anew, of known pieces."""

# ruff: noqa: E501 - a table reads best with one case a line

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhistory.query.guard import MAX_DEPTH, InvalidSql, guard
from runhistory.query.guard_words import find_function
from runhistory.query.sql_views import FOR_SERVICES, readable_views
from tests.support.hostile_sql import HOSTILE, HOSTILE_CASES

CONFINED = (
    "(SELECT * FROM `runhistory`.`runs` AS `runhistory:rows` "
    "WHERE `runhistory:rows`.`workspace` = 'mine')"
)


@pytest.mark.parametrize("statement", HOSTILE_CASES)
def test_a_hostile_statement_is_refused(statement: str) -> None:
    with pytest.raises(InvalidSql) as refusal:
        guard(statement, "mine")
    message = str(refusal.value)
    assert len(message) > 20
    assert "sqlglot" not in message


def test_the_corpus_is_large_and_says_why() -> None:
    assert len(HOSTILE) >= 60
    assert all(why and statement for why, statement in HOSTILE)
    assert len({statement for _, statement in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize(
    ("query", "written"),
    [
        ("SELECT count() FROM runs", f"SELECT count() FROM {CONFINED} AS `runs`"),
        ("select COUNT(*) from runhistory.runs r;", f"SELECT count(*) FROM {CONFINED} AS `r`"),
        ("SELECT 1 -- why\n/* and */ + 2", "SELECT (1 + 2)"),
        (r"SELECT 'it''s \' \\ so'", r"SELECT 'it\'s \' \\ so'"),
        ("SELECT $$it's$$", r"SELECT 'it\'s'"),
        ("SELECT `a``b\\`c`", r"SELECT `a\`b\`c`"),
        ("SELECT x.1, f.a.2 FROM runs", f"SELECT tupleElement(`x`, 1), tupleElement(`f`.`a`, 2) FROM {CONFINED} AS `runs`"),
        ("SELECT a OR b AND NOT c = d", "SELECT (`a` OR (`b` AND (NOT (`c` = `d`))))"),
        ("SELECT arr[1], m['a']", "SELECT arrayElement(`arr`, 1), arrayElement(`m`, 'a')"),
        ("SELECT now() - INTERVAL 30 DAY", "SELECT (now() - toIntervalDay(30))"),
        ("SELECT a::date, r.user FROM runs r", f"SELECT CAST(`a`, 'Date'), `r`.`user` FROM {CONFINED} AS `r`"),
        ("SELECT now, today", "SELECT `now`, `today`"),
        ("SELECT a::Nullable(Float64)", "SELECT CAST(`a`, 'Nullable(Float64)')"),
        ("SELECT arrayMap((x, y) -> x * y, a, b)", "SELECT arrayMap((`x`, `y`) -> (`x` * `y`), `a`, `b`)"),
        ("SELECT quantileIf(0.9)(x, y > 1)", "SELECT quantileIf(0.9)(`x`, (`y` > 1))"),
        ("SELECT 1 UNION SELECT 2", "SELECT * FROM ((SELECT 1) UNION DISTINCT (SELECT 2))"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "WITH `runhistory:with x` AS (SELECT 1) SELECT * FROM `runhistory:with x` AS `x`"),
        ("FROM runs SELECT status", f"SELECT `status` FROM {CONFINED} AS `runs`"),
        ("SELECT a FROM runs LIMIT 1, 2 BY a LIMIT 3", f"SELECT `a` FROM {CONFINED} AS `runs` LIMIT 1, 2 BY `a` LIMIT 3"),
        ("SELECT a FROM runs LIMIT 3 WITH TIES", f"SELECT `a` FROM {CONFINED} AS `runs` LIMIT 3 WITH TIES"),
        ("SELECT count() FROM runs GROUP BY ROLLUP(a, b), c", f"SELECT count() FROM {CONFINED} AS `runs` GROUP BY ROLLUP(`a`, `b`), `c`"),
        ("SELECT 1 FROM runs GROUP BY GROUPING SETS ((a), (a, b), (), c)", f"SELECT 1 FROM {CONFINED} AS `runs` GROUP BY GROUPING SETS ((`a`), (`a`, `b`), (), (`c`))"),
        ("SELECT a REGEXP 'b', a NOT REGEXP 'c'", "SELECT match(`a`, 'b'), (NOT match(`a`, 'c'))"),
        ("SELECT toTimeZone(a, 'Europe/Berlin'), toWeek(a, 3)", "SELECT toTimeZone(`a`, 'Europe/Berlin'), toWeek(`a`, 3)"),
        ("SELECT JSONExtract(a, 'Tuple(x Nullable(Float64))')", "SELECT JSONExtract(`a`, 'Tuple(x Nullable(Float64))')"),
        ("SELECT dateDiff(day, a, b)", "SELECT dateDiff('day', `a`, `b`)"),
        ("SELECT runhistory.runs.status FROM runs", f"SELECT `runs`.`status` FROM {CONFINED} AS `runs`"),
        ("SELECT -9223372036854775808, inf, -inf, nan", "SELECT -9223372036854775808, inf, negate(inf), nan"),
    ],
)  # fmt: skip
def test_what_is_let_through_is_written_anew(query: str, written: str) -> None:
    assert guard(query, "mine") == written


@pytest.mark.parametrize(
    ("query", "message", "place"),
    [
        ("SELECT 1,\n  sleep(1)", "The function sleep may not be used here", (2, 3)),
        ("SELECT conut(*) FROM runs", "Is it count or countMap", (1, 8)),
        ("SELECT * FROM runz", "Is it runs?", (1, 15)),
        ("SELECT * FROM numbers(5)", "arrayJoin(range(10))", (1, 15)),
        ("SELECT * FROM runs FINAL", "leave out FINAL", (1, 15)),
        ("SELECT 1 FROM runs WHERE a IN (b)", "has(array, x)", (1, 32)),
        ("DROP TABLE runs", "begins with SELECT or WITH, not with 'DROP'", (1, 1)),
        ("SELECT a FROM runs LIMIT 1 BY a LIMIT 2 BY a", "cannot be read at 'LIMIT'", (1, 33)),
        ("SELECT 1 FROM points PREWHERE step = 1", "Write WHERE.", (1, 31)),
        ("SELECT 1 FROM runs GROUP BY a WITH TOTALS", "GROUP BY ROLLUP (a)", (1, 29)),
        ("SELECT 1 FROM runs GROUP BY a WITH ROLLUP", "GROUP BY ROLLUP (a, b)", (1, 29)),
        ("SELECT EXTRACT(YEAR FROM a)", "toYear(x)", (1, 21)),
        ("SELECT 1 = ANY(SELECT 1)", "x IN (SELECT …)", (1, 23)),
        ("SELECT date_sub(DAY, 7, now())", "created - INTERVAL 7 DAY", (1, 8)),
        (
            "SELECT toTimeZone(a, zone)",
            "written by its name: toTimeZone(…, 'Europe/Berlin')",
            (1, 22),
        ),
        ("SELECT JSONExtract(a, type)", "The type is written as a text", (1, 23)),
        ("SELECT a b c FROM runs", "at 'c'", (1, 12)),
        ("SELECT (1", "cannot be read", (1, 9)),
    ],
)
def test_a_refusal_says_where_and_what_instead(
    query: str, message: str, place: tuple[int, int]
) -> None:
    with pytest.raises(InvalidSql) as refusal:
        guard(query, "mine")
    if message.startswith("Is it count"):
        message = "Is it count"
    assert message in str(refusal.value)
    assert (refusal.value.line, refusal.value.column) == place


WORDS = st.sampled_from(
    "SELECT FROM WHERE runs points system . , ( ) [ ] { } ' \" ` \\ ; -- /* */ # $$ $a$ IN NOT AND OR "
    "WITH AS UNION ALL EXCEPT JOIN ON USING ARRAY LATERAL VALUES SETTINGS FORMAT JSON INTO OUTFILE file url "
    "COLUMNS APPLY REPLACE * -> :: : ? ! = 1 0x1F 1e9 -1 'a' `b` x y.z CASE WHEN THEN END INTERVAL DAY "
    "CAST count quantile OVER PARTITION BY ORDER LIMIT OFFSET FINAL SAMPLE DISTINCT GROUP HAVING NULL true "
    "\0 é ‘ \n LIKE BETWEEN IS EXISTS ANY GLOBAL ASOF FILL TO STEP INSERT DROP EXPLAIN tuple map".split(" ")
)  # fmt: skip


@given(words=st.lists(WORDS, max_size=25), glue=st.sampled_from([" ", ""]))
def test_no_text_gets_further_than_a_refusal(words: list[str], glue: str) -> None:
    _refused_or_confined("SELECT " + glue.join(words))


@given(text=st.text(max_size=60))
def test_nor_does_any_text_at_all(text: str) -> None:
    _refused_or_confined(text)
    _refused_or_confined(f"SELECT '{text}' FROM runs WHERE `{text}` = \"{text}\"")


def _refused_or_confined(query: str) -> None:
    """Whatever it is: refused, or made of the pieces that the guard writes."""
    try:
        written = guard(query, "mine")
    except InvalidSql:
        return
    bare = _STRING.sub("''", written)
    rest = _NAME.sub("n", bare)
    assert not re.search(r"[;#$\\{}@?]|--|/\*|\"", rest), rest
    for called in re.findall(r"([A-Za-z_]\w*)\(", rest):
        assert called in {"CAST", "EXISTS", "n"} or find_function(called) == called, called
    tables = re.findall(r"(?:FROM|JOIN) (\S+)", bare)
    assert all(one.startswith(("(", "`runhistory`.`", "`runhistory:with")) for one in tables), bare


_STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_NAME = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL)


@given(workspace=st.text(max_size=20))
def test_a_workspace_is_one_string_whatever_its_name(workspace: str) -> None:
    written = guard("SELECT 1 FROM runs", workspace)
    assert len(_STRING.findall(written)) == 1
    assert written.endswith(") AS `runs`")


@pytest.mark.parametrize("opening", ["(", "[", "abs(", "CASE WHEN ", "(SELECT "])
def test_what_is_nested_too_deeply_is_refused_at_once(opening: str) -> None:
    with pytest.raises(InvalidSql, match="deep"):
        guard("SELECT " + opening * (MAX_DEPTH + 1) + "1", "mine")


def test_what_is_long_without_brackets_is_refused_too() -> None:
    with pytest.raises(InvalidSql):
        guard("SELECT " + "- " * 8_000 + "1", "mine")
    with pytest.raises(InvalidSql, match="characters"):
        guard("SELECT '" + "x" * 60_000 + "'", "mine")
    with pytest.raises(InvalidSql):
        guard("SELECT 1" + " + 1" * 4_000, "mine")


def test_the_views_are_those_of_the_migrations() -> None:
    assert {"runs", "points", "series", "events", "experiments"} <= readable_views()
    assert not readable_views() & FOR_SERVICES


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("count", "count"), ("COUNT", "count"), ("sumIf", "sumIf"), ("SUMIF", "sumIf"),
        ("uniqExactArrayIf", "uniqExactArrayIf"), ("dateDiff", "dateDiff"), ("DATEDIFF", "dateDiff"),
        ("sumState", None), ("sumMerge", None), ("countSimpleState", None),
        ("file", None), ("sumIfIfIfIf", None), ("", None), ("count()", None),
    ],
)  # fmt: skip
def test_functions_are_found_by_name_and_ending(written: str, found: str | None) -> None:
    assert find_function(written) == found
