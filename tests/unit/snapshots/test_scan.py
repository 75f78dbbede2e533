"""What is in a snapshot beside the patterns: the defaults, modes, links, and what is refused."""

import os
import socket
from pathlib import Path

import pytest

from runhistory.snapshots import Directory, File, Link, UnfitTree, scan, tree


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


def paths(root: Path) -> list[str]:
    return [entry.path for entry in scan(root).manifest.entries]


def test_what_is_out_without_any_ignore_file(tmp_path: Path) -> None:
    write(tmp_path, "train.py", ".git/HEAD", "lib/.git", ".runhistory/config.json", ".venv/a")
    write(
        tmp_path, "outputs/model", "logs/a", "lib/.runhistory/b", "lib/outputs/kept", "lib/.venv/c"
    )
    assert paths(tmp_path) == ["lib", "lib/outputs", "lib/outputs/kept", "train.py"]
    assert scan(tmp_path).ignore_file is None


def test_a_negated_pattern_brings_the_defaults_back_but_never_git(tmp_path: Path) -> None:
    write(tmp_path, ".git/HEAD", ".runhistory/x", ".venv/a", "outputs/start.npz", "logs/old")
    (tmp_path / ".amlignore").write_text("!.venv\n!/outputs\n!logs\n!.git\n!.runhistory\n")
    assert [p for p in paths(tmp_path) if "/" in p] == [".venv/a", "logs/old", "outputs/start.npz"]


def test_amlignore_is_used_instead_of_gitignore_even_when_empty(tmp_path: Path) -> None:
    write(tmp_path, "secret", "data")
    (tmp_path / ".gitignore").write_text("secret\n")
    assert "secret" not in paths(tmp_path)
    assert scan(tmp_path).ignore_file == ".gitignore"
    (tmp_path / ".amlignore").write_text("")
    assert "secret" in paths(tmp_path)


def test_ignore_files_of_parents_and_subfolders_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, "code/a", "code/sub/b")
    (tmp_path / ".gitignore").write_text("*\n")
    (tmp_path / "code/sub/.gitignore").write_text("b\n")
    assert paths(tmp_path / "code") == ["a", "sub", "sub/.gitignore", "sub/b"]


def test_modes_links_and_empty_folders_are_entries(tmp_path: Path) -> None:
    write(tmp_path, "run.sh", "lib/a")
    (tmp_path / "run.sh").chmod(0o750)
    (tmp_path / "empty").mkdir(mode=0o711)
    (tmp_path / "lib/up").symlink_to("../run.sh")
    (tmp_path / "here").symlink_to("lib")
    entries = {entry.path: entry for entry in scan(tmp_path).manifest.entries}
    assert entries["empty"] == Directory("empty", 0o711)
    assert entries["here"] == Link("here", "lib")
    assert entries["lib/up"] == Link("lib/up", "../run.sh")
    script = entries["run.sh"]
    assert isinstance(script, File)
    assert (script.mode, script.size) == (0o750, len("run.sh"))


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "..", "sub/../../x", "missing/../../x", "a/../.."]
)
def test_a_link_out_of_the_folder_is_refused_by_name(tmp_path: Path, target: str) -> None:
    root = tmp_path / "code"
    write(root, "train.py", "sub/x")
    (root / "evil").symlink_to(target)
    with pytest.raises(UnfitTree, match=r"'evil' -> .* leads out of the snapshot.*\.amlignore"):
        scan(root)
    (root / ".amlignore").write_text("evil\n")
    assert "evil" not in paths(root)


def test_a_link_that_leaves_through_another_link_is_refused(tmp_path: Path) -> None:
    # Each alone looks harmless: a/here is the root, so a/here/../x lies beside the root.
    root = tmp_path / "code"
    write(root, "a/x")
    (root / "a/here").symlink_to("..")
    (root / "out").symlink_to("a/here/../x")
    with pytest.raises(UnfitTree, match="'out' -> "):
        scan(root)


def test_of_two_links_the_one_that_leaves_is_blamed(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("/etc")
    with pytest.raises(UnfitTree, match="'b' -> '/etc'"):
        scan(tmp_path)


def test_a_link_to_itself_leads_nowhere_and_may_stay(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone").symlink_to("not/there")
    assert paths(tmp_path) == ["gone", "loop"]


def test_pipes_and_sockets_are_left_out_with_a_word(tmp_path: Path) -> None:
    write(tmp_path, "train.py")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        found = scan(tmp_path)
    assert [entry.path for entry in found.manifest.entries] == ["train.py"]
    assert found.skipped == (
        "pipe was left out: it is a pipe.",
        "s was left out: it is a socket.",
    )


def test_a_name_that_is_no_utf8_is_refused_unless_excluded(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).write_text("")
    with pytest.raises(UnfitTree, match=r"caf\\xe9.* is no UTF-8"):
        scan(tmp_path)
    (tmp_path / ".amlignore").write_text("caf*\n")
    assert paths(tmp_path) == [".amlignore"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, "train.py", "z.tmp")

    def delete(_: int) -> None:
        (tmp_path / "z.tmp").unlink(missing_ok=True)
        (tmp_path / "train.py").unlink(missing_ok=True)

    with pytest.raises(UnfitTree, match=r"'(z\.tmp|train\.py)' cannot be read \(No such file"):
        scan(tmp_path, progress=delete)


def test_an_ignore_file_that_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("")
    (tmp_path / ".amlignore").symlink_to("rules")
    with pytest.raises(UnfitTree, match=r"\.amlignore cannot be read"):
        scan(tmp_path)


def test_a_file_that_keeps_changing_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, "train.py", "growing.log")

    def grow(_: int) -> None:
        with (tmp_path / "growing.log").open("a") as file:
            file.write("another line\n")

    with pytest.raises(UnfitTree, match=r"'growing\.log' changes while it is read"):
        scan(tmp_path, progress=grow)


def test_a_file_that_changed_once_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, "train.py")
    changes = ["saved by the editor"]

    def save(_: int) -> None:
        if changes:
            (tmp_path / "train.py").write_text(changes.pop())

    found = scan(tmp_path, progress=save)
    assert found.snapshot_id == scan(tmp_path).snapshot_id
    assert found.manifest.size == len("saved by the editor")


def test_too_large_a_folder_names_what_is_large(tmp_path: Path) -> None:
    write(tmp_path, "train.py", *(f"many/{i}" for i in range(5)))
    (tmp_path / "data.bin").write_bytes(b"x" * 5_000)
    with pytest.raises(UnfitTree, match=r"Largest: many \(6 entries"):
        scan(tmp_path, max_files=4)
    with pytest.raises(UnfitTree, match=r"Largest: data\.bin .*\.amlignore"):
        scan(tmp_path, max_bytes=1_000)


def test_no_folder_is_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(UnfitTree, match="is no folder"):
        scan(tmp_path / "missing")


def test_progress_counts_every_byte(tmp_path: Path) -> None:
    write(tmp_path, "a", "lib/bb")
    counted: list[int] = []
    found = tree.scan(tmp_path, progress=counted.append)
    assert sum(counted) == found.manifest.size == len("a") + len("lib/bb")
