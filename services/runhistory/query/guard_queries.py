"""Writes the queries of a user's SQL anew, with every view confined to one workspace.

Wherever a view stands, a subquery is written that reads the workspace's rows of it and nothing
else. What is not known here is refused, as in `guard_expressions`.
"""

from difflib import get_close_matches
from typing import Any, ClassVar, Final

from sqlglot import exp

from runhistory.query.guard_expressions import Expressions, Write
from runhistory.query.guard_text import RESERVED, NotAllowed, own_name, quoted_string
from runhistory.query.sql_views import DATABASE, readable_views

_SET_OPERATORS: Final[dict[type[exp.Expr], str]] = {
    exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT",
}  # fmt: skip
_JOIN_WORDS: Final = frozenset(
    {"", "INNER", "LEFT", "RIGHT", "FULL", "OUTER", "CROSS", "ANY", "ALL", "SEMI", "ANTI", "ASOF"}
)
_SIDES: Final = frozenset({"PRECEDING", "FOLLOWING"})
_ROWS: Final = own_name(RESERVED + "rows")


class Queries(Expressions):
    """Writes queries for one workspace."""

    _writers: ClassVar[dict[type[exp.Expr], Write]] = {**Expressions._writers}

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace
        self._named: list[str] = []  # the WITH queries that can be seen from here

    def query(self, node: exp.Expr) -> str:
        """A SELECT, several with UNION and the like between them, or either in brackets."""
        match node:
            case exp.Subquery():
                self.only(node, "this")
                return self.query(node.this)
            case exp.Select():
                return self._select(node)
            case exp.Union() | exp.Intersect() | exp.Except():
                return self._set_operation(node)
            case _:
                raise NotAllowed("One SELECT is asked here: a query that reads.", node)

    def _select(self, node: exp.Select) -> str:
        self.only(
            node, "with_", "expressions", "distinct", "from_", "joins", "where", "group", "having",
            "qualify", "windows", "order", "limit_by", "limit", "offset",
        )  # fmt: skip
        if not node.expressions:
            raise NotAllowed("Behind SELECT stand columns.", node)
        before = len(self._named)
        parts = [self._with(node), "SELECT", self._distinct(node), self.listed(node.expressions)]
        parts += [self._from(node), *(self._join(one) for one in node.args.get("joins") or ())]
        parts += [self._condition(node, "where"), self._group(node)]
        parts += [self._condition(node, "having"), self._windows(node)]
        parts += [self._condition(node, "qualify"), self._order(node), self._limit_by(node)]
        parts += [self._limit(node)]
        del self._named[before:]
        return " ".join(part for part in parts if part)

    def _set_operation(self, node: exp.Union | exp.Intersect | exp.Except) -> str:
        self.only(node, "with_", "this", "expression", "distinct", "order", "limit", "offset")
        before = len(self._named)
        begin = self._with(node)
        distinct = node.args.get("distinct")
        word = _SET_OPERATORS[type(node)]
        if isinstance(node, exp.Union):
            word += " DISTINCT" if distinct else " ALL"
        elif distinct:
            word += " DISTINCT"
        both = f"({self.query(node.this)}) {word} ({self.query(node.expression)})"
        parts = [begin, "SELECT * FROM", f"({both})", self._order(node), self._limit(node)]
        del self._named[before:]
        return " ".join(part for part in parts if part)

    def _with(self, node: exp.Expr) -> str:
        clause = node.args.get("with_")
        if clause is None:
            return ""
        self.only(clause, "expressions")
        return "WITH " + ", ".join(self._with_one(one) for one in clause.expressions)

    def _with_one(self, node: exp.Expr) -> str:
        self.only(node, "this", "alias", "scalar")
        alias = node.args["alias"]
        self.only(alias, "this")
        name = self.name(alias.this)
        if node.args.get("scalar"):
            return f"{self.write(node.this)} AS {name}"
        if alias.name in readable_views() or alias.name == DATABASE:
            raise NotAllowed(
                f"{alias.name} is taken. Give the query behind WITH another name.", alias.this
            )
        text = f"{self._internal(alias.name)} AS ({self.query(node.this)})"
        self._named.append(alias.name)  # not before: it does not see itself
        return text

    def _internal(self, name: str) -> str:
        """What a WITH query is called: nothing that could be a table."""
        return own_name(f"{RESERVED}with {name}")

    def _distinct(self, node: exp.Select) -> str:
        clause = node.args.get("distinct")
        if clause is None:
            return ""
        self.only(clause, "on")
        on = clause.args.get("on")
        return f"DISTINCT ON ({self.listed(on.expressions)})" if on else "DISTINCT"

    def _from(self, node: exp.Select) -> str:
        clause = node.args.get("from_")
        if clause is None:
            return ""
        self.only(clause, "this")
        return f"FROM {self._source(clause.this)}"

    def _source(self, node: exp.Expr) -> str:
        match node:
            case exp.Table():
                return self._table(node)
            case exp.Subquery():
                self.only(node, "this", "alias")
                alias = node.args.get("alias")
                named = f" AS {self._table_alias(alias)}" if alias else ""
                return f"({self.query(node.this)}){named}"
            case exp.Final():
                raise NotAllowed("The views show no row twice: leave out FINAL.", node)
            case _:
                raise NotAllowed("Behind FROM and JOIN stands a view or a query.", node)

    def _table(self, node: exp.Table) -> str:
        self.only(node, "this", "db", "catalog", "alias")
        if not isinstance(node.this, exp.Identifier):
            if not isinstance(node.this, exp.Func):
                raise NotAllowed("Behind FROM and JOIN stands a view or a query.", node)
            name = node.this.name
            raise NotAllowed(
                f"A table function ({name}) may not be used here. Read a view; for a sequence of "
                "numbers write arrayJoin(range(10)).",
                node.this,
                name,
            )
        database, table = node.args.get("db"), node.this.name
        alias = node.args.get("alias")
        shown = self._table_alias(alias) if alias else self.name(node.this)
        if node.args.get("catalog") is not None:
            raise NotAllowed(_unknown_table(node), node.this)
        if database is None and table in self._named:
            return f"{self._internal(table)} AS {shown}"
        if (database is not None and database.name != DATABASE) or table not in readable_views():
            raise NotAllowed(_unknown_table(node), node.this)
        return (
            f"(SELECT * FROM {own_name(DATABASE)}.{own_name(table)} AS {_ROWS} "  # noqa: S608
            f"WHERE {_ROWS}.`workspace` = {quoted_string(self._workspace)}) AS {shown}"
        )

    def _table_alias(self, node: exp.Expr) -> str:
        self.only(node, "this")
        return self.name(node.this)

    def _join(self, node: exp.Join) -> str:
        self.only(node, "this", "expressions", "side", "kind", "on", "using")
        words = [str(node.args.get(part) or "").upper() for part in ("side", "kind")]
        if words[1] == "ARRAY":
            return self._array_join(node, words[0])
        if not _JOIN_WORDS.issuperset(" ".join(words).split()) or node.expressions:
            kind = " ".join(filter(None, words))
            raise NotAllowed(f"A JOIN of this kind ({kind}) may not be used.", node)
        text = " ".join([*filter(None, words), "JOIN", self._source(node.this)])
        if on := node.args.get("on"):
            return f"{text} ON {self.write(on)}"
        using = node.args.get("using")
        return f"{text} USING ({', '.join(map(self.name, using))})" if using else text

    def _array_join(self, node: exp.Join, side: str) -> str:
        self.only(node, "this", "expressions", "side", "kind")
        if side not in ("", "LEFT"):
            raise NotAllowed("An ARRAY JOIN is plain or LEFT.", node)
        return f"{side} ARRAY JOIN {self.listed([node.this, *node.expressions])}".strip()

    def _condition(self, node: exp.Expr, part: str) -> str:
        clause = node.args.get(part)
        return f"{part.upper()} {self.write(clause.this)}" if clause else ""

    def _group(self, node: exp.Select) -> str:
        clause = node.args.get("group")
        if clause is None:
            return ""
        self.only(clause, "expressions", "all", "rollup", "cube")
        for word in ("rollup", "cube"):
            if clause.args.get(word):
                raise NotAllowed(f"Write GROUP BY {word.upper()} (a, b).", clause)
        if clause.args.get("all"):
            return "GROUP BY ALL"
        return f"GROUP BY {', '.join(map(self._grouped, clause.expressions))}"

    def _grouped(self, node: exp.Expr) -> str:
        """A key, or several sets of keys: ROLLUP (…), CUBE (…), GROUPING SETS ((…), …)."""
        match node:
            case exp.Rollup() | exp.Cube():
                self.only(node, "expressions")
                return f"{type(node).__name__.upper()}({self.listed(node.expressions)})"
            case exp.GroupingSets():
                self.only(node, "expressions")
                return f"GROUPING SETS ({', '.join(map(self._grouping_set, node.expressions))})"
            case _:
                return self.write(node)

    def _grouping_set(self, node: exp.Expr) -> str:
        match node:
            case exp.Tuple():
                return f"({self.listed(node.expressions)})"
            case exp.Paren():
                return self.write(node)
            case _:
                return f"({self.write(node)})"

    def _windows(self, node: exp.Select) -> str:
        found = [
            f"{self.name(one.this)} AS ({self._frame(one)})"
            for one in node.args.get("windows") or ()
        ]
        return f"WINDOW {', '.join(found)}" if found else ""

    def _window(self, node: exp.Window) -> str:
        alias = node.args.get("alias")
        over = self.name(alias) if alias else f"({self._frame(node)})"
        return f"{self.write(node.this)} OVER {over}"

    def _frame(self, node: exp.Window) -> str:
        self.only(node, "this", "partition_by", "order", "spec", "over")
        partition = node.args.get("partition_by")
        parts = [f"PARTITION BY {self.listed(partition)}"] if partition else []
        parts.append(self._order(node))
        if spec := node.args.get("spec"):
            self.only(spec, "kind", "start", "start_side", "end", "end_side")
            kind = str(spec.args.get("kind")).upper()
            if kind not in ("ROWS", "RANGE"):
                raise NotAllowed("A frame is ROWS BETWEEN … or RANGE BETWEEN ….", node)
            start, end = self._bound(spec, "start"), self._bound(spec, "end")
            parts.append(f"{kind} BETWEEN {start} AND {end}")
        return " ".join(part for part in parts if part)

    def _bound(self, spec: exp.WindowSpec, end: str) -> str:
        value, side = spec.args.get(end), spec.args.get(f"{end}_side")
        if value is None or value == "CURRENT ROW":
            return "CURRENT ROW"
        if side not in _SIDES:
            raise NotAllowed("A frame ends at so many rows PRECEDING or FOLLOWING.", spec)
        text = self.write(value) if isinstance(value, exp.Expr) else "UNBOUNDED"
        return f"{text} {side}"

    def _order(self, node: exp.Expr) -> str:
        clause = node.args.get("order")
        if clause is None:
            return ""
        self.only(clause, "expressions")
        alone = len(clause.expressions) == 1 and _is_all(clause.expressions[0].this)
        return f"ORDER BY {', '.join(self._ordered(one, alone) for one in clause.expressions)}"

    def _ordered(self, node: exp.Ordered, by_all: bool) -> str:
        self.only(node, "this", "desc", "nulls_first", "with_fill")
        text = "ALL" if by_all else self.write(node.this)
        text += " DESC" if node.args.get("desc") else ""
        text += " NULLS FIRST" if node.args.get("nulls_first") else ""  # they are last otherwise
        if fill := node.args.get("with_fill"):
            self.only(fill, "from_", "to", "step")
            parts = (("FROM", "from_"), ("TO", "to"), ("STEP", "step"))
            text += " WITH FILL" + "".join(
                f" {word} {self.write(fill.args[part])}"
                for word, part in parts
                if fill.args.get(part)
            )
        return text

    def _limit_by(self, node: exp.Expr) -> str:
        limit = node.args.get("limit_by")
        if limit is None:
            return ""
        self.only(limit, "expression", "expressions", "offset")
        offset = limit.args.get("offset")
        begin = f"{self.write(offset)}, " if offset else ""
        return f"LIMIT {begin}{self.write(limit.expression)} BY {self.listed(limit.expressions)}"

    def _limit(self, node: exp.Expr) -> str:
        text, limit, offset = "", node.args.get("limit"), node.args.get("offset")
        if limit is not None:
            if not isinstance(limit, exp.Limit):
                raise NotAllowed("Write LIMIT 10 and OFFSET 20.", limit)
            self.only(limit, "expression", "limit_options")
            text = f"LIMIT {self.write(limit.expression)}"
        if offset is not None:
            self.only(offset, "expression")
            text += f" OFFSET {self.write(offset.expression)}"
        if limit is not None and (options := limit.args.get("limit_options")):
            self.only(options, "with_ties")
            text += " WITH TIES"
        return text

    _writers[exp.Window] = _window


def _is_all(node: exp.Expr) -> bool:
    """ORDER BY ALL, which is no column."""
    if not isinstance(node, exp.Column) or len(node.parts) != 1:
        return False
    return node.name.upper() == "ALL" and not node.this.args.get("quoted")


def _unknown_table(node: exp.Table) -> str:
    written = ".".join(part.name for part in node.parts)
    near: Any = get_close_matches(node.name, sorted(readable_views()), n=1, cutoff=0.7)
    advice = f" Is it {near[0]}?" if near else ""
    views = ", ".join(sorted(readable_views()))
    return f"There is no view {written} here.{advice} The views are {views}."
