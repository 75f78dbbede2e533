"""sqlglot's ClickHouse dialect, but with every function left as it was written.

sqlglot knows hundreds of functions as classes of their own and would give them other names and
arguments on the way back. Here a call stays its name and its arguments, so that one look at the
name is enough. Only CAST, which has a grammar of its own, keeps its class.
"""

from collections.abc import Sequence
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.parsers.clickhouse import ClickHouseParser
from sqlglot.tokenizer_core import TokenType


class VerbatimParser(ClickHouseParser):
    """Knows no function; and LIMIT … BY, which is `limit_by`, from the LIMIT that may follow it."""

    FUNCTIONS: ClassVar = {}
    FUNCTION_PARSERS: ClassVar = {"CAST": ClickHouseParser.FUNCTION_PARSERS["CAST"]}
    NO_PAREN_FUNCTIONS: ClassVar = {}
    QUERY_MODIFIER_PARSERS: ClassVar = {
        **ClickHouseParser.QUERY_MODIFIER_PARSERS,
        TokenType.LIMIT: lambda parser: parser._parse_either_limit(),
    }

    def _parse_either_limit(self) -> tuple[str, exp.Expr | None]:
        limit = self._parse_limit()
        return ("limit_by" if limit is not None and limit.expressions else "limit"), limit

    @classmethod
    def _resolve_clickhouse_agg(cls, name: str) -> tuple[str, Sequence[str]] | None:
        """Any function may have parameters, as `quantile(0.5)(x)` has."""
        return name, ()


class VerbatimClickHouse(ClickHouse):
    """Parses ClickHouse's SELECT. Its trees are for the guard, never for sqlglot's generator."""

    INDEX_OFFSET = 0  # an array's index stays as it was written
    SET_OP_DISTINCT_BY_DEFAULT: dict[type[exp.Expr], bool | None] = {
        **ClickHouse.SET_OP_DISTINCT_BY_DEFAULT,
        exp.Union: True,  # UNION alone, as in the standard
    }
    Parser = VerbatimParser
