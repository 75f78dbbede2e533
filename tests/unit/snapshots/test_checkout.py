"""What is scanned comes back as it was, and what is damaged never appears."""

import io
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runhistory.snapshots import (
    CheckoutFailed,
    File,
    InvalidManifest,
    Link,
    Manifest,
    checkout,
    scan,
)

NAMES = st.text("aé -\n\"'\\", min_size=1, max_size=3)
FOLDERS: st.SearchStrategy[object] = st.recursive(
    st.one_of(
        st.tuples(st.binary(max_size=8), st.sampled_from([0o644, 0o755, 0o600, 0o444])),
        st.sampled_from(["a", "../a", "a/../é", "nowhere"]),
    ),
    lambda children: st.dictionaries(NAMES, children, max_size=4),
    max_leaves=10,
)


def build(path: Path, content: object) -> None:
    match content:
        case dict():
            path.mkdir(exist_ok=True)
            for name, child in content.items():
                build(path / name, child)
        case (data, mode):
            path.write_bytes(data)
            path.chmod(mode)
        case str() as target:
            path.symlink_to(target)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(NAMES, FOLDERS, max_size=5))
def test_scan_checkout_scan_gives_the_same_id(content: dict[str, object]) -> None:
    with TemporaryDirectory() as directory:
        there, back = Path(directory, "there"), Path(directory, "back")
        there.mkdir()
        build(there / "code", {"code": content})  # a level down, so that `../a` stays inside
        tree = scan(there)
        manifest = Manifest.decode(tree.manifest.encode())
        checkout(manifest, tree.open_blob, back)
        assert scan(back).snapshot_id == tree.snapshot_id


def one_file(data: bytes) -> Manifest:
    return Manifest.of([File("train.py", 0o755, len(data), sha256(data).hexdigest())])


def pieces(*data: bytes) -> Callable[[str], Iterator[bytes]]:
    return lambda _: iter(data)


def test_bytes_come_in_pieces_and_the_mode_is_set(tmp_path: Path) -> None:
    checkout(one_file(b"print(1)"), pieces(b"pri", b"", b"nt(1)"), tmp_path / "new" / "code")
    script = tmp_path / "new/code/train.py"
    assert script.read_bytes() == b"print(1)"
    assert script.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("data", [b"print(2)", b"print(1)\n", b"print(1", b""])
def test_wrong_bytes_leave_nothing_behind(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(CheckoutFailed, match=r"train\.py"):
        checkout(one_file(b"print(1)"), pieces(data), tmp_path / "code")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_never_ends_is_not_read_to_its_end(tmp_path: Path) -> None:
    def endless(_: str) -> Iterator[bytes]:
        while True:
            yield b"x" * 1_000

    with pytest.raises(CheckoutFailed):
        checkout(one_file(b"print(1)"), endless, tmp_path / "code")


def test_an_error_of_the_store_comes_through_and_leaves_nothing(tmp_path: Path) -> None:
    def broken(_: str) -> Iterator[bytes]:
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        checkout(one_file(b"print(1)"), broken, tmp_path / "code")
    assert list(tmp_path.iterdir()) == []


def test_each_blob_is_asked_for_once(tmp_path: Path) -> None:
    digest = sha256(b"same").hexdigest()
    asked: list[str] = []

    def open_blob(sha: str) -> io.BytesIO:
        asked.append(sha)
        return io.BytesIO(b"same")

    checkout(
        Manifest.of([File(name, 0o644, 4, digest) for name in ("a", "b", "c")]),
        open_blob,
        tmp_path / "code",
    )
    assert asked == [digest]
    assert [(tmp_path / "code" / name).read_bytes() for name in "abc"] == [b"same"] * 3


def test_an_empty_folder_is_filled_and_stays_itself(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir(mode=0o700)
    before = code.stat()
    with pytest.raises(CheckoutFailed):
        checkout(one_file(b"1"), pieces(b"2"), code)
    assert list(code.iterdir()) == []
    checkout(one_file(b"1"), pieces(b"1"), code)
    assert [child.name for child in code.iterdir()] == ["train.py"]
    assert (code.stat().st_ino, code.stat().st_mode) == (before.st_ino, before.st_mode)


def test_a_full_folder_is_left_alone(tmp_path: Path) -> None:
    checkout(one_file(b"1"), pieces(b"1"), tmp_path / "code")
    with pytest.raises(CheckoutFailed, match="not an empty folder"):
        checkout(one_file(b"2"), pieces(b"2"), tmp_path / "code")
    assert (tmp_path / "code/train.py").read_bytes() == b"1"


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "code").symlink_to("elsewhere")
    with pytest.raises(CheckoutFailed):
        checkout(one_file(b"1"), pieces(b"1"), tmp_path / "code")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_manifest_put_together_by_hand_is_checked_too(tmp_path: Path) -> None:
    digest = sha256(b"1").hexdigest()
    hostile = Manifest(1, (Link("a", str(tmp_path)), File("a/owned", 0o644, 1, digest)))
    with pytest.raises(InvalidManifest):
        checkout(hostile, pieces(b"1"), tmp_path / "code")
    assert list(tmp_path.iterdir()) == []
