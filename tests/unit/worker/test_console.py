"""Console batches on their way: numbered once, sent in order, there after a crash."""

import asyncio
import errno
import os
from pathlib import Path

import msgspec
import pytest

from runhistory.events.cloudevents import Record
from runhistory.events.log_batch import LogBatch, LogLinesWritten, check
from runhistory.worker import console
from runhistory.worker.console import Console, Spool, send_spooled
from runhistory.worker.lines import Line


class Broker:
    """In the place of a publisher: keeps what arrives, once it is let through."""

    def __init__(self, *, up: bool = True) -> None:
        self.values: list[bytes] = []
        self.up = asyncio.Event()
        if up:
            self.up.set()

    async def publish(self, topic: str, record: Record) -> None:
        await self.up.wait()
        assert topic == "run.logs"
        self.values.append(record.value)

    @property
    def batches(self) -> list[LogLinesWritten]:
        return [msgspec.json.decode(value, type=LogLinesWritten) for value in self.values]

    @property
    def lines(self) -> list[str]:
        return [line for batch in self.batches for line in batch.lines]


def open_console(folder: Path, broker: Broker) -> Console:
    return Console(
        folder,
        broker,  # type: ignore[arg-type]
        workspace="default",
        run_id="0" * 32,
        attempt=1,
        writer="console-c",
    )


async def test_every_line_arrives_in_order_and_is_in_the_file(tmp_path: Path) -> None:
    broker = Broker()
    opened = open_console(tmp_path, broker)
    texts = [f"line {number} ünï" for number in range(12_000)]
    for start in range(0, len(texts), 777):
        await opened.write("stdout", [Line(text) for text in texts[start : start + 777]])
    await opened.close()
    assert broker.lines == texts
    assert [batch.seq for batch in broker.batches] == list(range(len(broker.batches)))
    assert opened.file.read_text("utf-8").splitlines() == texts


async def test_what_is_sent_is_what_the_contract_says(tmp_path: Path) -> None:
    broker = Broker()
    opened = open_console(tmp_path, broker)
    opened.system("x" * 40_000 + "\n\udcff")
    await opened.close()
    for value in broker.values:
        batch = msgspec.json.decode(value)
        check(msgspec.json.encode({name: batch[name] for name in LogBatch.__struct_fields__}))
    assert "".join(broker.lines) == "x" * 40_000 + "?"


async def test_a_line_arrives_without_another_one(tmp_path: Path) -> None:
    broker = Broker()
    opened = open_console(tmp_path, broker)
    await opened.write("stdout", [Line("alone")])
    async with asyncio.timeout(5):
        while not broker.values:
            await asyncio.sleep(0.01)
    await opened.close()


async def test_with_the_broker_away_a_script_writes_on_until_much_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "BACKLOG_BYTES", 100_000)
    broker = Broker(up=False)
    opened = open_console(tmp_path, broker)
    await asyncio.wait_for(opened.write("stdout", [Line("x" * 1_000)] * 50), 5)
    blocked = asyncio.create_task(opened.write("stdout", [Line("y" * 10_000)] * 60))
    done, _ = await asyncio.wait({blocked}, timeout=0.5)
    assert not done
    broker.up.set()
    await asyncio.wait_for(blocked, 5)
    await opened.close()
    assert len(broker.lines) == 110


async def test_a_later_life_sends_what_was_not_sent_and_no_more(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for seq in range(4):
        spool.append(seq, b"%d" % seq)
    first = spool.next()
    assert first is not None
    spool.mark_sent(first[2])
    spool.close()
    with (tmp_path / "console.spool").open("ab") as file:
        file.write(b"\x04\x00torn")

    broker, again = Broker(), Spool(tmp_path)
    await send_spooled(again, broker, run_id="0" * 32, writer="w")  # type: ignore[arg-type]
    assert broker.values == [b"1", b"2", b"3"]
    await send_spooled(again, broker, run_id="0" * 32, writer="w")  # type: ignore[arg-type]
    assert len(broker.values) == 3
    again.close()


async def test_of_a_progress_bar_few_states_are_shown_and_the_last(tmp_path: Path) -> None:
    broker = Broker()
    opened = open_console(tmp_path, broker)
    for percent in range(1_000):
        await opened.write("stderr", [Line(f"{percent}", overwritten=True)])
        await asyncio.sleep(0)
    await opened.write("stderr", [Line("1000")])
    await opened.close()
    assert len(broker.lines) <= 3
    assert broker.lines[-1] == "1000"


class Disk:
    """In the place of `os.pwrite`: while it is full it takes half of what it gets, then nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self._write = os.pwrite
        monkeypatch.setattr(os, "pwrite", self.write)

    def write(self, file: int, data: bytes | memoryview, position: int) -> int:
        if not self.is_full:
            return self._write(file, data, position)
        half = memoryview(data)[: len(memoryview(data)) // 2]
        if half:
            self._write(file, half, position)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_what_a_full_disk_did_not_take_comes_once_it_has_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, broker = Disk(monkeypatch), Broker()
    opened = open_console(tmp_path, broker)
    texts = [f"line {number}" for number in range(12_000)]
    await opened.write("stdout", [Line(text) for text in texts[:6_000]])
    disk.is_full = True
    await opened.write("stdout", [Line(text) for text in texts[6_000:11_000]])
    await asyncio.sleep(3 * console.GATHER_SECONDS)
    disk.is_full = False
    await opened.write("stdout", [Line(text) for text in texts[11_000:]])
    async with asyncio.timeout(10):
        while len(broker.lines) < len(texts):
            await asyncio.sleep(0.01)
    await opened.close()
    assert broker.lines == texts
    assert [batch.seq for batch in broker.batches] == list(range(len(broker.batches)))
    assert opened.file.read_text("utf-8").splitlines() == texts


async def test_a_disk_that_stays_full_keeps_no_line_from_the_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, broker = Disk(monkeypatch), Broker()
    opened = open_console(tmp_path, broker)
    disk.is_full = True
    await opened.write("stdout", [Line(f"{number}") for number in range(5_000)])
    await asyncio.wait_for(opened.close(), 10)
    assert broker.lines == [f"{number}" for number in range(5_000)]


@pytest.mark.parametrize("room_at_the_end", [True, False])
async def test_what_is_too_much_for_memory_while_the_disk_is_full_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room_at_the_end: bool
) -> None:
    monkeypatch.setattr(console, "UNSPOOLED_BYTES", 1_000_000)
    disk, broker = Disk(monkeypatch), Broker()
    opened = open_console(tmp_path, broker)
    disk.is_full = True
    await opened.write("stdout", [Line("x" * 1_000)] * 5_000)
    disk.is_full = not room_at_the_end
    await asyncio.wait_for(opened.close(), 10)
    *kept, last = broker.lines
    assert 900 < len(kept) < 2_000
    assert last.startswith(f"{5_000 - len(kept)} lines are missing")
