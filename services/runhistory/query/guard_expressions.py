"""Writes the expressions of a user's SQL anew. What is not known here is refused.

This is the allow-list and the generator in one. Every kind of node has one method, which says all
the arguments that it knows; a node or an argument that no method knows ends in a refusal, never in
the text. Operators get brackets, names and strings are quoted, so that ClickHouse has only one way
to read what is written, whatever way it would have read what the user wrote.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Final

from sqlglot import exp
from sqlglot.dialects.clickhouse import ClickHouse

from runhistory.query.guard_checks import (
    check_texts,
    checked_type,
    index,
    refuse_call,
    refused_form,
    unknown_function,
)
from runhistory.query.guard_text import NotAllowed, number, quoted_name, quoted_string
from runhistory.query.guard_words import REFUSED_CLAUSES, UNITS, find_function
from runhistory.query.sql_views import DATABASE

_OPERATORS: Final[dict[type[exp.Expr], str]] = {
    exp.And: "AND", exp.Or: "OR", exp.EQ: "=", exp.NEQ: "!=", exp.GT: ">", exp.GTE: ">=",
    exp.LT: "<", exp.LTE: "<=", exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/",
    exp.Mod: "%", exp.DPipe: "||", exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}  # fmt: skip
_LIKES: Final[dict[type[exp.Expr], str]] = {exp.Like: "LIKE", exp.ILike: "ILIKE"}
_IN_ADVICE: Final = (
    "Behind IN stand values or a query: x IN ('a', 'b') or x IN (SELECT …). For an array write "
    "has(array, x), for a column x = column."
)
_BARE: Final = frozenset({"inf", "nan"})
_DATE_UNITS: Final = frozenset(unit.lower() for unit in UNITS)
_TAKES_UNIT: Final = frozenset({"age", "dateDiff", "date_diff"})
_DATE: Final = re.compile(r"\bDATE\b")

Write = Callable[[Any, Any], str]


class Expressions:
    """Writes expressions. `query` is for what is inside of `(SELECT …)`."""

    _writers: ClassVar[dict[type[exp.Expr], Write]] = {}

    def query(self, node: exp.Expr) -> str:
        """A query without brackets around it."""
        raise NotImplementedError

    def write(self, node: exp.Expr) -> str:
        """The text of an expression.

        Raises:
            NotAllowed: something in it is not known here.
        """
        writer = self._writers.get(type(node))
        if writer is None:
            raise NotAllowed(refused_form(node), node)
        return writer(self, node)

    def listed(self, nodes: Iterable[exp.Expr]) -> str:
        """Several, with commas between."""
        return ", ".join(self.write(node) for node in nodes)

    def only(self, node: exp.Expr, *known: str) -> None:
        """Refuse a node that has more than the arguments that its writer knows."""
        for name, value in node.args.items():
            if value not in (None, False, []) and name not in known:
                word = name.strip("_").replace("_", " ")
                advice = REFUSED_CLAUSES.get(word, "Leave it out.")
                part = value if isinstance(value, exp.Expr) else node
                raise NotAllowed(f"{word.upper()} may not be used here. {advice}", part)

    def _binary(self, node: exp.Binary) -> str:
        self.only(node, "this", "expression", "typed", "safe")
        operator = _OPERATORS[type(node)]
        return f"({self.write(node.this)} {operator} {self.write(node.expression)})"

    def _int_div(self, node: exp.IntDiv) -> str:
        self.only(node, "this", "expression")
        return f"intDiv({self.write(node.this)}, {self.write(node.expression)})"

    def _like(self, node: exp.Like | exp.ILike) -> str:
        self.only(node, "this", "expression", "negate")
        operator = ("NOT " if node.args.get("negate") else "") + _LIKES[type(node)]
        return f"({self.write(node.this)} {operator} {self.write(node.expression)})"

    def _regexp_like(self, node: exp.RegexpLike) -> str:
        self.only(node, "this", "expression")
        return f"match({self.write(node.this)}, {self.write(node.expression)})"

    def _not(self, node: exp.Not) -> str:
        self.only(node, "this")
        return f"(NOT {self.write(node.this)})"

    def _negative(self, node: exp.Neg) -> str:
        self.only(node, "this")
        if isinstance(node.this, exp.Literal) and not node.this.is_string:
            return f"-{number(node.this.this)}"  # -9223372036854775808 is one number
        return f"negate({self.write(node.this)})"

    def _is(self, node: exp.Is) -> str:
        self.only(node, "this", "expression")
        if not isinstance(node.expression, exp.Null):
            raise NotAllowed("Behind IS stands NULL or NOT NULL.", node)
        return f"({self.write(node.this)} IS NULL)"

    def _between(self, node: exp.Between) -> str:
        self.only(node, "this", "low", "high")
        low, high = self.write(node.args["low"]), self.write(node.args["high"])
        return f"({self.write(node.this)} BETWEEN {low} AND {high})"

    def _in(self, node: exp.In) -> str:
        self.only(node, "this", "expressions", "query", "field", "is_global")
        if node.args.get("is_global"):
            raise NotAllowed("GLOBAL may not be used here. Leave it out.", node)
        if node.args.get("field") is not None:
            raise NotAllowed(_IN_ADVICE, node)
        query = node.args.get("query")
        if query is not None:
            return f"({self.write(node.this)} IN {self.write(query)})"
        for value in node.expressions:
            # ClickHouse reads `x IN (name)` as a table of that name, brackets or not.
            if isinstance(value.unnest(), (exp.Column, exp.Identifier, exp.Alias, exp.Star)):
                raise NotAllowed(_IN_ADVICE, value)
        return f"({self.write(node.this)} IN ({self.listed(node.expressions)}))"

    def _exists(self, node: exp.Exists) -> str:
        self.only(node, "this")
        return f"EXISTS({self.query(node.this)})"

    def _subquery(self, node: exp.Subquery) -> str:
        self.only(node, "this")
        return f"({self.query(node)})"

    def _paren(self, node: exp.Paren) -> str:
        self.only(node, "this")
        return f"({self.write(node.this)})"

    def _alias(self, node: exp.Alias) -> str:
        self.only(node, "this", "alias")
        return f"{self.write(node.this)} AS {self.name(node.args['alias'])}"

    def name(self, node: Any) -> str:
        """An identifier, quoted."""
        if not isinstance(node, exp.Identifier):
            raise NotAllowed("A plain name belongs here.", node)
        try:
            return quoted_name(node.this)
        except NotAllowed as refusal:
            raise NotAllowed(str(refusal), node) from None

    def _column(self, node: exp.Column) -> str:
        self.only(node, "this", "table", "db", "catalog")
        *outer, last = (
            node.args[part] for part in ("catalog", "db", "table", "this") if node.args.get(part)
        )
        if [one.name for one in outer[:1]] == [DATABASE] and len(outer) > 1:
            outer = outer[1:]  # runhistory.runs.status: the view is known by its own name here
        names = [self.name(one) for one in outer]
        refuse_call(*outer, last)
        if isinstance(last, exp.Literal):  # pair.1
            return f"tupleElement({'.'.join(names)}, {index(last)})"
        if isinstance(last, exp.Star):
            return ".".join(names) + "." + self._star(last)
        if not outer and not last.args.get("quoted") and last.name.lower() in _BARE:
            return str(last.name.lower())
        return ".".join([*names, self.name(last)])

    def _dot(self, node: exp.Dot) -> str:
        self.only(node, "this", "expression")
        element = node.expression
        if isinstance(element, exp.Identifier):
            return f"tupleElement({self.write(node.this)}, {quoted_string(element.name)})"
        return f"tupleElement({self.write(node.this)}, {index(element)})"

    def _star(self, node: exp.Star) -> str:
        self.only(node, "except_")
        without = node.args.get("except_") or ()
        if not all(isinstance(one, exp.Column) and len(one.parts) == 1 for one in without):
            raise NotAllowed("Behind EXCEPT stand columns: * EXCEPT (a, b).", node)
        names = ", ".join(self.name(one.this) for one in without)
        return f"* EXCEPT ({names})" if names else "*"

    def _literal(self, node: exp.Literal) -> str:
        return quoted_string(node.this) if node.is_string else number(node.this)

    def _raw_string(self, node: exp.RawString) -> str:
        return quoted_string(node.this)

    def _boolean(self, node: exp.Boolean) -> str:
        return "true" if node.this else "false"

    def _null(self, node: exp.Null) -> str:
        return "NULL"

    def _interval(self, node: exp.Interval) -> str:
        self.only(node, "this", "unit")
        unit = (
            str(node.args["unit"].name).upper().removesuffix("S") if node.args.get("unit") else ""
        )
        if unit not in UNITS or node.this is None:
            raise NotAllowed("An interval is a number and a unit: INTERVAL 7 DAY.", node)
        plain = isinstance(node.this, exp.Literal)
        amount = number(node.this.this) if plain else self.write(node.this)
        return f"toInterval{unit.capitalize()}({amount})"

    def _case(self, node: exp.Case) -> str:
        self.only(node, "this", "ifs", "default")
        words = ["CASE", self.write(node.this)] if node.this else ["CASE"]
        for branch in node.args["ifs"]:
            words += ["WHEN", self.write(branch.this), "THEN", self.write(branch.args["true"])]
        default = node.args.get("default")
        words += ["ELSE", self.write(default)] if default else []
        return f"({' '.join(words)} END)"

    def _if(self, node: exp.If) -> str:
        self.only(node, "this", "true", "false")
        return f"if({self.listed(node.args[part] for part in ('this', 'true', 'false'))})"

    def _cast(self, node: exp.Cast) -> str:
        self.only(node, "this", "to")
        wanted = _DATE.sub("Date", node.args["to"].sql(dialect=ClickHouse))
        return f"CAST({self.write(node.this)}, {quoted_string(checked_type(wanted, node))})"

    def _cast_to_text(self, node: exp.CastToStrType) -> str:
        self.only(node, "this", "to")
        wanted = node.args["to"]
        if not isinstance(wanted, exp.Literal) or not wanted.is_string:
            raise NotAllowed("CAST takes a type: CAST(x AS Float64).", node)
        return f"CAST({self.write(node.this)}, {quoted_string(checked_type(wanted.this, node))})"

    def _array(self, node: exp.Array) -> str:
        self.only(node, "expressions")
        return f"[{self.listed(node.expressions)}]"

    def _tuple(self, node: exp.Tuple) -> str:
        self.only(node, "expressions")
        return f"tuple({self.listed(node.expressions)})"

    def _map(self, node: exp.VarMap) -> str:
        self.only(node, "keys", "values")
        keys, values = node.args["keys"].expressions, node.args["values"].expressions
        if not keys or len(keys) != len(values):
            raise NotAllowed("Parameters are no part of SQL here. Write the value itself.", node)
        return f"map({self.listed(one for pair in zip(keys, values, strict=True) for one in pair)})"

    def _bracket(self, node: exp.Bracket) -> str:
        self.only(node, "this", "expressions")
        if len(node.expressions) != 1:
            raise NotAllowed("One index belongs between the brackets: a[1].", node)
        return f"arrayElement({self.write(node.this)}, {self.write(node.expressions[0])})"

    def _lambda(self, node: exp.Lambda) -> str:
        self.only(node, "this", "expressions")
        names = ", ".join(self.name(one) for one in node.expressions)
        return f"({names}) -> {self.write(node.this)}"

    def _identifier(self, node: exp.Identifier) -> str:
        return self.name(node)  # a lambda's own

    def _function(self, node: exp.Anonymous | exp.AnonymousAggFunc | exp.ParameterizedAgg) -> str:
        self.only(node, "this", "expressions", "params")
        name = find_function(node.this) if isinstance(node.this, str) else None
        if name is None:
            raise NotAllowed(unknown_function(node.name), node, node.name)
        check_texts(name, node.expressions)
        arguments = f"{name}({self._arguments(name, node.expressions)})"
        params = node.args.get("params")
        return f"{arguments}({self._arguments(name, params)})" if params else arguments

    def _arguments(self, name: str, nodes: Sequence[exp.Expr]) -> str:
        if len(nodes) == 1 and isinstance(nodes[0], exp.Star) and name.startswith("count"):
            self.only(nodes[0])
            return "*"
        if len(nodes) == 1 and isinstance(nodes[0], exp.Distinct):
            self.only(nodes[0], "expressions")
            return f"DISTINCT {self.listed(nodes[0].expressions)}"
        if nodes and name in _TAKES_UNIT and nodes[0].name.lower() in _DATE_UNITS:
            return ", ".join([quoted_string(nodes[0].name.lower()), *map(self.write, nodes[1:])])
        return self.listed(nodes)

    def _nulls(self, node: exp.IgnoreNulls | exp.RespectNulls) -> str:
        self.only(node, "this")
        word = "IGNORE" if isinstance(node, exp.IgnoreNulls) else "RESPECT"
        return f"{self.write(node.this)} {word} NULLS"

    def _filter(self, node: exp.Filter) -> str:
        self.only(node, "this", "expression")
        return f"{self.write(node.this)} FILTER (WHERE {self.write(node.expression.this)})"


_E = Expressions
_WRITERS: Final[dict[type[exp.Expr], Write]] = {
    **dict.fromkeys(_OPERATORS, _E._binary),
    **dict.fromkeys(_LIKES, _E._like),
    **dict.fromkeys((exp.Anonymous, exp.AnonymousAggFunc, exp.ParameterizedAgg), _E._function),
    **dict.fromkeys((exp.IgnoreNulls, exp.RespectNulls), _E._nulls),
    exp.IntDiv: _E._int_div,
    exp.RegexpLike: _E._regexp_like,
    exp.Not: _E._not,
    exp.Neg: _E._negative,
    exp.Is: _E._is,
    exp.Between: _E._between,
    exp.In: _E._in,
    exp.Exists: _E._exists,
    exp.Subquery: _E._subquery,
    exp.Paren: _E._paren,
    exp.Alias: _E._alias,
    exp.Column: _E._column,
    exp.Dot: _E._dot,
    exp.Star: _E._star,
    exp.Literal: _E._literal,
    exp.RawString: _E._raw_string,
    exp.Boolean: _E._boolean,
    exp.Null: _E._null,
    exp.Interval: _E._interval,
    exp.Case: _E._case,
    exp.If: _E._if,
    exp.Cast: _E._cast,
    exp.CastToStrType: _E._cast_to_text,
    exp.Array: _E._array,
    exp.Tuple: _E._tuple,
    exp.VarMap: _E._map,
    exp.Bracket: _E._bracket,
    exp.Lambda: _E._lambda,
    exp.Identifier: _E._identifier,
    exp.Filter: _E._filter,
}
Expressions._writers.update(_WRITERS)
