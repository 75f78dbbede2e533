"""What differs between two runs, from what was read of them."""

import hashlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runhistory.environments.lock import Lock, parse_lock
from runhistory.sdk.code_diff import LARGE, FileChange, compare_code
from runhistory.sdk.run_diff import Change, Side, changes, compare
from runhistory.snapshots.manifest import Directory, File, Link, Manifest

A, B = "a" * 64, "b" * 64
Tree = dict[str, bytes]


def manifest(tree: Tree, *others: Link | Directory, mode: int = 0o644) -> Manifest:
    files = [File(path, mode, len(data), _digest(data)) for path, data in tree.items()]
    return Manifest.of([*files, *others])


def code(old: Tree, new: Tree) -> tuple[FileChange, ...]:
    blobs = {_digest(data): data for data in [*old.values(), *new.values()]}
    return compare_code(manifest(old), manifest(new), blobs.__getitem__, blobs.__getitem__)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_changed_text_file_is_a_unified_diff() -> None:
    (file,) = code({"a.py": b"x = 1\ny = 2\n"}, {"a.py": b"x = 1\ny = 3\n"})
    assert (file.path, file.kind, file.reason) == ("a.py", "changed", "")
    assert file.lines == (
        "--- a/a.py",
        "+++ b/a.py",
        "@@ -1,2 +1,2 @@",
        " x = 1",
        "-y = 2",
        "+y = 3",
    )


def test_added_and_removed_files_are_whole() -> None:
    removed, added = code({"a.py": b"x\n"}, {"b.py": b"y\n"})
    assert (removed.kind, removed.lines[1:]) == (
        "removed",
        ("+++ /dev/null", "@@ -1 +0,0 @@", "-x"),
    )
    assert (added.kind, added.lines[0], added.lines[-1]) == ("added", "--- /dev/null", "+y")


def test_binary_and_large_files_are_named_only() -> None:
    old = {"model.bin": b"\0\1", "latin.txt": "ä".encode("latin-1"), "big.txt": b"a"}
    new = {"model.bin": b"\0\1\2", "latin.txt": b"ae", "big.txt": b"a" * (LARGE + 1)}
    found = {file.path: (file.kind, file.reason, file.lines) for file in code(old, new)}
    assert found == {
        "model.bin": ("changed", "binary, 2 bytes -> 3 bytes", ()),
        "latin.txt": ("changed", "binary, 1 bytes -> 2 bytes", ()),
        "big.txt": ("changed", f"large, 1 bytes -> {LARGE + 1:,} bytes", ()),
    }


def test_modes_and_links_are_told_and_folders_are_not() -> None:
    old = manifest({"run.sh": b"x"}, Link("data", "here"), Directory("empty", 0o755))
    new = manifest({"run.sh": b"x"}, Link("data", "there"), mode=0o755)
    found = {file.path: file.reason for file in compare_code(old, new, _none, _none)}
    assert found == {
        "run.sh": "mode 644 -> 755",
        "data": "a link to here -> there",
    }


def _none(_: str) -> bytes:
    raise AssertionError("nothing has to be read")


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.binary(max_size=20)))
def test_one_tree_has_no_difference_to_itself(tree: Tree) -> None:
    assert code(tree, tree) == ()


texts = st.dictionaries(st.sampled_from("abc"), st.text(max_size=2))


@given(texts, texts)
def test_changes_lead_from_the_old_to_the_new(old: dict[str, str], new: dict[str, str]) -> None:
    result = dict(old)
    for change in changes(old, new):
        assert old.get(change.name) == change.old != change.new
        if change.new is None:
            del result[change.name]
        else:
            result[change.name] = change.new
    assert result == new


def lock(*lines: str, kind: str = "resolved") -> Lock:
    return parse_lock("".join(f"{line}\n" for line in (f"# runhistory lock 1: {kind}", *lines)))


def side(lock: Lock | None = None, **details: Any) -> Side:
    base = {"run_id": "0" * 32, "params": {}, "tags": {}, "properties": {}}
    return Side(details={**base, **details}, manifest=None, lock=lock)


def test_packages_that_differ_in_version_or_only_in_content() -> None:
    old = lock(
        f"a==1 --hash=sha256:{A}",
        f"b==1 --hash=sha256:{A}",
        f"same==1 --hash=sha256:{A}",
        "gone==3",
    )
    new = lock(
        f"a==2 --hash=sha256:{B}", f"b==1 --hash=sha256:{B}", f"same==1 --hash=sha256:{A}", "new==4"
    )
    assert compare(side(old), side(new)).packages == (
        Change("a", "1", "2"),
        Change("b", "1 (other hashes)", "1"),
        Change("gone", "3", None),
        Change("new", None, "4"),
    )


def test_what_is_called_and_where_is_compared() -> None:
    spec = {"script": "train.py", "arguments": ["--name", "a b"], "compute_target": "local"}
    one = side(spec=spec, environment={"python_version": "3.11.7"}, params={"lr": "0.1"})
    two = side(
        spec={**spec, "arguments": ["--name", "c"], "environment": {"variables": {"SEED": "1"}}},
        environment={"python_version": "3.12.1"},
        params={"lr": "0.2"},
    )
    found = compare(one, two)
    assert found.call == (Change("arguments", "--name 'a b'", "--name c"),)
    assert found.environment == (
        Change("python version", "3.11.7", "3.12.1"),
        Change("variable SEED", None, "1"),
    )
    assert found.params == (Change("lr", "0.1", "0.2"),)
    assert not found.is_empty


def test_results_and_tags_do_not_make_a_run_another() -> None:
    found = compare(side(lock("a==1"), tags={"a": "1"}), side(lock("a==1"), tags={"a": "2"}))
    assert found.tags
    assert found.is_empty


def test_unrecorded_packages_are_said_to_be_unknown() -> None:
    assert "none on record" in compare(side(), side(lock("a==1"))).unknown[0]
