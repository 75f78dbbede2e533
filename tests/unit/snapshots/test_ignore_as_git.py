"""What `scan` takes is what git takes: both are asked about the same generated trees."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runhistory.snapshots import Directory, scan
from runhistory.snapshots.tree import DEFAULT_PATTERNS

# Few letters and many wildcards, so that patterns and names meet often.
NAMES = st.text("ab-.!# \\[]é*?1A", min_size=1, max_size=4).filter(lambda name: name.strip("."))
PATHS = st.lists(
    st.one_of(NAMES, st.sampled_from(["a", "b", "a.py", "outputs", "logs", ".venv"])),
    min_size=1,
    max_size=4,
).map("/".join)
TREES = st.lists(PATHS, min_size=1, max_size=12)

PIECES = st.sampled_from(
    "a|b|*|**|?|/|/**/|.|-|!|#|.py|é| |\t|\r|\\|\\a|\\/|[|]|[ab]|[!a]|[^b]|[a-b]|[b-a]|[é]"
    "|[]-]|[a\\]]|[\\-a]|[a-\\b]|[!]a]|[[:alpha:]]|[[:digit:][:upper:]]|[[:nope:]]|[[:x]".split("|")
)
PATTERNS = st.builds(
    lambda negated, pieces, end: ("!" if negated else "") + "".join(pieces) + end,
    st.booleans(),
    st.lists(PIECES, min_size=0, max_size=5),
    st.sampled_from(["", "", "/", " ", "\\ "]),
)
FILES = st.lists(PATTERNS, max_size=6)


def make_tree(root: Path, paths: list[str]) -> None:
    """A file for each path; where one is below another file, the one that came first stays."""
    for path in paths:
        target = root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.write_bytes(b"")
        except (FileExistsError, NotADirectoryError):
            continue


def taken_by_git(root: Path, patterns: bytes) -> set[str]:
    """The untracked files that `git ls-files -o` shows with these patterns and no others."""
    with TemporaryDirectory() as elsewhere:
        excludes = Path(elsewhere, "excludes")
        excludes.write_bytes(patterns)
        git = ["git", "-c", "core.excludesFile=/dev/null", f"--git-dir={elsewhere}/git"]
        subprocess.run(["git", "init", "-q", "--bare", f"{elsewhere}/git"], check=True)
        listed = subprocess.run(
            [*git, f"--work-tree={root}", "ls-files", "-o", "-z", f"--exclude-from={excludes}"],
            check=True,
            capture_output=True,
            cwd=root,
        )
    return {path for path in listed.stdout.decode().split("\0") if path}


def taken(root: Path) -> set[str]:
    return {e.path for e in scan(root).manifest.entries if not isinstance(e, Directory)}


@settings(max_examples=200, deadline=None)
@given(TREES, FILES)
@example(["a.py", "src/b.py", "src/c.txt"], ["*", "!*/", "!*.py"])
@example(["a/x", "a/keep"], ["a/", "!a/keep"])
@example(["a/x", "a/keep"], ["a/*", "!a/keep"])
@example(["ab", "a/x/b", "aq/b", "aq/x/b"], ["a**/b"])
@example(["outputs/a", "src/outputs/a", ".venv/a", "x/.venv/b"], ["!outputs", "!x/.venv"])
@example(["1x", "x1", "]", "é", "a\\"], ["[[:digit:]]*", "[\\]]", "?", "a\\"])
def test_the_snapshot_holds_what_git_would_hold(paths: list[str], patterns: list[str]) -> None:
    with TemporaryDirectory() as directory:
        root = Path(directory)
        make_tree(root, paths)
        content = "\n".join(patterns).encode()
        (root / ".amlignore").write_bytes(content)
        assert taken(root) == taken_by_git(root, DEFAULT_PATTERNS + content)


@settings(max_examples=100, deadline=None)
@given(FILES, TREES)
def test_git_check_ignore_says_the_same(patterns: list[str], paths: list[str]) -> None:
    with TemporaryDirectory() as directory:
        root = Path(directory)
        make_tree(root, paths)
        (root / ".gitignore").write_bytes(DEFAULT_PATTERNS + "\n".join(patterns).encode())
        present = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        said = subprocess.run(
            ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "-z", "--stdin"],
            input="\0".join(present).encode(),
            capture_output=True,
            cwd=root,
        )
        ignored = {path for path in said.stdout.decode().split("\0") if path}
        assert taken(root) == set(present) - ignored


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path: Path, end: str) -> None:
    make_tree(tmp_path, ["a", "b", "c"])
    (tmp_path / ".amlignore").write_bytes(("\ufeff" + end.join(["a", "b"])).encode())
    assert taken(tmp_path) == {".amlignore", "c"}
