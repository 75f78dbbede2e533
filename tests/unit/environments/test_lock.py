"""Locks: what is read from their text is what stands there, and hashes that are named narrow."""

from pathlib import Path

import pytest

from runhistory.environments.installed import installed_lock
from runhistory.environments.lock import InvalidLock, Lock, parse_lock, resolved_lock
from tests.support.wheels import install_files

A, B = "a" * 64, "b" * 64
OUTPUT = f"""\
-e ./lib
./other
idna==3.10 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
Some.Pack_age[extra]==1.0 \\
    --hash=sha256:{B}
tool @ git+https://example.org/tool@0123abc
"""


def test_a_resolvers_output_is_read_whole() -> None:
    lock = resolved_lock(OUTPUT, ("--find-links ./wheels", "idna", "-r more.txt", "-e ./lib"))
    assert parse_lock(lock.text) == lock
    assert (lock.kind, lock.options) == ("resolved", ("--find-links ./wheels",))
    assert lock.versions == {
        "-e ./lib": "",
        "./other": "",
        "idna": "3.10",
        "some-pack-age": "1.0",
        "tool": "git+https://example.org/tool@0123abc",
    }
    assert [package.hashes for package in lock.packages] == [(), (), (A, B), (B,), ()]
    assert not lock.is_hashed


def test_hashes_that_the_requirements_name_are_the_only_ones() -> None:
    lock = resolved_lock(OUTPUT, (f"idna==3.10 --hash=sha256:{B}", "tool"))
    assert {p.name: p.hashes for p in lock.packages}["idna"] == (B,)


def test_a_distribution_with_other_hashes_than_named_is_refused() -> None:
    with pytest.raises(InvalidLock, match=r"idna only with SHA-256 hashes .* version 3\.10"):
        resolved_lock(OUTPUT, (f"idna==3.10 --hash=sha256:{'c' * 64}",))


def test_any_other_text_is_no_lock() -> None:
    with pytest.raises(InvalidLock):
        parse_lock("idna==3.10\n")


def interpreter(folder: Path, **options: str) -> Lock:
    install_files(folder, "demo", "1.0", {"demo.py": "x = 1\n"}, **options)
    return installed_lock([str(folder)])


def test_what_is_installed_is_named_with_a_digest_of_its_files(tmp_path: Path) -> None:
    lock = interpreter(tmp_path)
    (package,) = lock.packages
    assert (lock.kind, package.name, package.version) == ("interpreter", "demo", "1.0")
    assert package.contents is not None
    assert parse_lock(lock.text).packages == lock.packages


def test_what_an_installer_adds_makes_no_difference(tmp_path: Path) -> None:
    one = interpreter(tmp_path / "one", installer="pip")
    two = interpreter(tmp_path / "two", installer="uv", bytecode="yes")
    assert one.sha256 == two.sha256


def test_other_files_under_the_same_version_make_a_difference(tmp_path: Path) -> None:
    one = interpreter(tmp_path / "one")
    install_files(tmp_path / "two", "demo", "1.0", {"demo.py": "x = 2\n"})
    assert one.sha256 != installed_lock([str(tmp_path / "two")]).sha256


def test_a_folders_package_is_told_as_such(tmp_path: Path) -> None:
    lock = interpreter(tmp_path, url='{"url": "file:///home/me/demo", "dir_info": {}}')
    assert [package.is_folder for package in lock.packages] == [True]
    assert "/home/me" not in lock.text


def test_a_commit_is_named_and_a_token_is_not(tmp_path: Path) -> None:
    said = '{"url": "https://token@host/demo", "vcs_info": {"vcs": "git", "commit_id": "0123abc"}}'
    lock = interpreter(tmp_path, url=said)
    assert lock.versions == {"demo": "git+https://host/demo@0123abc"}


def test_a_package_that_is_added_is_seen(tmp_path: Path) -> None:
    before = interpreter(tmp_path)
    install_files(tmp_path, "second", "2.0", {"second.py": ""})
    assert installed_lock([str(tmp_path)]).versions == {"demo": "1.0", "second": "2.0"}
    assert before.versions == {"demo": "1.0"}


def test_this_interpreter_names_what_it_has() -> None:
    lock = installed_lock()
    assert {"msgspec", "pytest", "runhistory"} <= set(lock.versions)
    assert parse_lock(lock.text).packages == lock.packages
