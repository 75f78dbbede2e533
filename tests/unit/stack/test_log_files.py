"""Log files: bounded, and a writer that knows nothing of it goes on."""

from pathlib import Path

from runhistory.stack.log_files import KEPT, open_log, rotate, tail


def test_a_writer_goes_on_in_the_cut_file(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "sink.log"
    with open_log(path) as writer:
        writer.write(b"before\n" * 10)
        writer.flush()

        rotate(path, limit=10)
        writer.write(b"after\n")
        writer.flush()

    assert path.read_bytes() == b"after\n"
    assert (tmp_path / "logs" / "sink.log.1").read_bytes() == b"before\n" * 10


def test_the_oldest_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "sink.log"
    for number in range(KEPT + 2):
        path.write_text(f"content {number}")
        rotate(path, limit=3)

    assert sorted(found.name for found in tmp_path.iterdir()) == [
        "sink.log",
        "sink.log.1",
        "sink.log.2",
        "sink.log.3",
    ]
    assert (tmp_path / "sink.log.1").read_text() == f"content {KEPT + 1}"
    assert (tmp_path / "sink.log.3").read_text() == f"content {KEPT - 1}"


def test_a_small_file_and_no_file_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "small").write_text("a line")

    rotate(tmp_path / "small")
    rotate(tmp_path / "none")

    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    path.write_text("\n".join(f"line {number} é" for number in range(5_000)))

    assert tail(path, lines=2) == "line 4998 é\nline 4999 é"
    assert tail(tmp_path / "none") == ""
