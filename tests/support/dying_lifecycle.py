"""`python -m tests.support.dying_lifecycle <step>`: a lifecycle killed at a step of a transaction.

The steps, in their order: `poll` (commands are read), `begin`, `events` (the broker has the first
of them), `before offsets` (it has all events and replies, and not the offsets), `offsets`,
`before commit`, `half commit` (the wish to commit is on its way) and `commit` (it is done, and
nobody was told). All before `half commit` are invisible to readers.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from runhistory.kafka import clients
from runhistory.lifecycle import service
from runhistory.lifecycle.processor import Processor
from runhistory.runtime.service import run_service

UNDONE = ("poll", "begin", "events", "before offsets", "offsets", "before commit")
STEPS = (*UNDONE, "half commit", "commit")
STEP = sys.argv[1] if len(sys.argv) > 1 else ""


def _die_at(step: str) -> None:
    if step == STEP:
        os.kill(os.getpid(), signal.SIGKILL)


class DyingProducer(AIOKafkaProducer):  # type: ignore[misc]  # it has no types
    async def begin_transaction(self) -> None:
        await super().begin_transaction()
        _die_at("begin")

    async def send(self, topic: str, *arguments: Any, **more: Any) -> "asyncio.Future[Any]":
        sent: asyncio.Future[Any] = await super().send(topic, *arguments, **more)
        if topic == "run.events":
            sent.add_done_callback(lambda _: _die_at("events"))
        return sent

    async def send_offsets_to_transaction(self, *arguments: Any) -> None:
        if STEP == "before offsets":
            await self.flush()
            _die_at("before offsets")
        await super().send_offsets_to_transaction(*arguments)
        _die_at("offsets")

    async def commit_transaction(self) -> None:
        _die_at("before commit")
        if STEP == "half commit":
            asyncio.get_running_loop().call_later(0.002, _die_at, STEP)
        await super().commit_transaction()
        _die_at("half commit")
        _die_at("commit")


class DyingProcessor(Processor):
    async def process(self, records: Sequence[Any]) -> None:
        _die_at("poll")
        await super().process(records)


if __name__ == "__main__":
    assert STEP in STEPS
    clients.AIOKafkaProducer = DyingProducer  # type: ignore[misc]
    service.Processor = DyingProcessor  # type: ignore[misc]
    run_service("lifecycle", service.main)
