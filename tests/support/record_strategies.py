"""Hypothesis strategies for what rows and tables are made of."""

from typing import Any

from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CELLS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | TEXTS
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9)


def tables_of(height: int) -> st.SearchStrategy[dict[str, Any]]:
    """Columns of one length; in a single row bare cells too."""
    column: st.SearchStrategy[Any] = st.lists(CELLS, min_size=height, max_size=height)
    return st.dictionaries(NAMES, column | CELLS if height == 1 else column, min_size=1, max_size=4)


TABLES = st.integers(0, 4).flatmap(tables_of)
