"""Which files a run keeps."""

import os
from pathlib import Path

import pytest

from runhistory.objects.store import ObjectStore
from runhistory.worker.keep import Found, Skipped, find_files, keep_files


@pytest.fixture
def work(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    for folder in ("outputs/deep", "logs"):
        (root / folder).mkdir(parents=True)
    (root / "outputs/model.bin").write_bytes(b"weights")
    (root / "outputs/deep/a.txt").write_text("a")
    (root / "logs/run.log").write_text("log")
    (root / "train.py").write_text("code")
    (tmp_path / "secret").write_text("secret")
    return root


def names(root: Path) -> list[str]:
    return [one.name for one in find_files(root) if isinstance(one, Found)]


def skipped(root: Path) -> dict[str, str]:
    return {one.name: one.reason for one in find_files(root) if isinstance(one, Skipped)}


def test_outputs_and_logs_are_kept_and_nothing_else(work: Path) -> None:
    assert names(work) == ["outputs/model.bin", "outputs/deep/a.txt", "logs/run.log"]


def test_a_link_inside_is_kept_as_a_file(work: Path) -> None:
    (work / "outputs/last.bin").symlink_to("model.bin")
    assert "outputs/last.bin" in names(work)


@pytest.mark.parametrize("target", ["../../secret", "/etc/passwd", "..", "nowhere", "loop"])
def test_links_elsewhere_are_left_out_and_named(work: Path, target: str) -> None:
    (work / "outputs/loop").symlink_to(target)
    assert "outputs/loop" not in names(work)
    assert "link" in skipped(work)["outputs/loop"]


def test_a_link_in_place_of_the_folder_is_not_followed(work: Path, tmp_path: Path) -> None:
    (work / "logs/run.log").unlink()
    (work / "logs").rmdir()
    (work / "logs").symlink_to(tmp_path)
    assert "secret" not in " ".join(names(work))
    assert "logs" in skipped(work)


def test_pipes_and_unfit_names_are_left_out_and_named(work: Path) -> None:
    os.mkfifo(work / "outputs/pipe")
    (work / "outputs/two\nlines").write_text("")
    (work / os.fsdecode(b"outputs/\xff")).write_text("")
    assert names(work) == ["outputs/model.bin", "outputs/deep/a.txt", "logs/run.log"]
    assert len(skipped(work)) == 3


async def test_bytes_are_in_the_store_under_their_digest(work: Path) -> None:
    store, told = ObjectStore.open("memory://"), []
    (work / "outputs/out").symlink_to("/etc/passwd")
    files = await keep_files(store, "default", work, told.append)
    model = next(file for file in files if file.name == "outputs/model.bin")
    assert await store.read("default", model.sha256) == b"weights"
    assert (model.size, len(files)) == (7, 3)
    assert "outputs/out" in told[0]


async def test_nothing_to_keep_is_nothing(tmp_path: Path) -> None:
    assert await keep_files(ObjectStore.open("memory://"), "default", tmp_path, print) == []
