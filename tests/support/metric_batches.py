"""Metric batches as clients may spell them: every way of writing the same JSON, and wrong ones."""

import json

from hypothesis import strategies as st

GOOD = {
    "writer": '"rank0"',
    "seq": "0",
    "keys": '["loss"]',
    "key_index": "[1]",
    "steps": "[7]",
    "values": "[0.5]",
    "times": "[1700000000000000]",
}


def spell(fields: dict[str, str]) -> bytes:
    """The body that writes each field of GOOD, or the given spelling of it."""
    members = {**GOOD, **fields}
    text = "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"
    return text.encode()


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(
        "0 -0 -0.0 0e0 1e3 1E+3 1E400 -1E400 1e-400 5e-324 2.4703282292062327e-324 0.1 "
        "0.30000000000000004 2.2250738585072011e-308 1.7976931348623157e308 "
        "1.7976931348623159e308 9007199254740993 18446744073709551616".split()
    ),
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
VALUES = NUMBERS | st.sampled_from(['"NaN"', '"Infinity"', '"-Infinity"', r'"\u004eaN"', "null"])
INTEGERS = st.one_of(
    st.integers(-(2**63) - 2, 2**63 + 1).map(str),
    st.sampled_from(["-0", "1e3", "1.0", "-9223372036854775808", "9223372036854775807"]),
)
BLANKS = st.sampled_from(["", "", "", " ", "\t", "\n", " \r\n "])


@st.composite
def strings(draw: st.DrawFn, text: str) -> str:
    """`text` as a JSON string, each character raw or in one of its escaped spellings."""
    return '"' + "".join(draw(_spellings(character)) for character in text) + '"'


def _spellings(character: str) -> st.SearchStrategy[str]:
    escaped = "".join(
        f"\\u{unit:04x}" for unit in memoryview(character.encode("utf-16-le")).cast("H")
    )
    return st.sampled_from([json.dumps(character, ensure_ascii=False)[1:-1], escaped])


KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6) | st.sampled_from(
    ["keys", "steps", 'say "hi"', "a\\", 'back\\"slash', "loss/ß/損失/😀", "\u2028", "writer"]
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A whole batch, right or nearly so, in a random spelling, order and with random blanks."""
    points = draw(st.integers(1, 5))
    keys = draw(st.lists(KEYS, min_size=1, max_size=3))

    def array(element: st.SearchStrategy[str]) -> str:
        blank = draw(BLANKS)
        return f"[{blank}" + f",{blank}".join(draw(element) for _ in range(points)) + f"{blank}]"

    members = [
        ("writer", draw(strings("rank0"))),
        ("seq", str(draw(st.integers(0, 2**53)))),
        ("keys", "[" + ", ".join(draw(strings(key)) for key in keys) + "]"),
        ("key_index", array(st.integers(1, len(keys)).map(str))),
        ("steps", array(INTEGERS | st.integers(0, 9).map(str))),
        ("values", array(VALUES)),
        ("times", array(st.integers(0, 9_000_000_000_000_000).map(str))),
    ]
    members = draw(st.permutations(members))
    spelled = [f"{draw(strings(name))}{draw(BLANKS)}:{value}" for name, value in members]
    if draw(st.integers(0, 9)) == 0:
        spelled.append(draw(st.sampled_from(spelled)))
    return (draw(BLANKS) + "{" + draw(BLANKS) + ",".join(spelled) + "}" + draw(BLANKS)).encode()
