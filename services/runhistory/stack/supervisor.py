"""The supervisor: starts the stack in order, keeps it running, stops it in the reverse order.

It is the only writer of stack.json, and holds stack.lock as long as it lives. Its processes do
not depend on it: killed with -9, it leaves a working stack, which the next `up` ends in good
order before it starts its own (see `leftovers`).
"""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from aiokafka.errors import KafkaError

from runhistory.clickhouse.migrations import migrate
from runhistory.kafka.topics import TopicsInvalid, ensure_topics
from runhistory.stack.child import Child
from runhistory.stack.identity import ProcessIdentity
from runhistory.stack.kafka_broker import archive_of, prepare
from runhistory.stack.kafka_jars import ensure_jars
from runhistory.stack.leftovers import clear_leftovers, kill_marked
from runhistory.stack.log_files import open_log, rotate, tail
from runhistory.stack.ports import check_ports
from runhistory.stack.processes import (
    STACK_VARIABLE,
    Report,
    engine_url,
    gateway_url,
    kafka_broker,
    process_specs,
)
from runhistory.stack.state import StackFiles, StackPhase, StackState

_START_SECONDS: Final = 90.0
_DEATHS_BEFORE_GIVING_UP: Final = 3
_REFUSED_TO_START: Final = "exit code 2"
_BEAT_SECONDS: Final = 0.1
_ROTATION_SECONDS: Final = 30.0


class StartFailed(Exception):
    """A process did not become ready; all others have been stopped again."""


class _StopRequested(Exception):
    """Asked to stop while still starting."""


class Supervisor:
    """One stack's life. The caller holds the stack's lock."""

    def __init__(self, files: StackFiles, *, base_port: int, slots: int, report: Report) -> None:
        self._files, self._base_port, self._slots = files, base_port, slots
        self._tell = report
        self._children: list[Child] = []
        self._phase: StackPhase = "starting"
        self._message = ""
        self._archiving: subprocess.Popen[bytes] | None = None
        self._signals = 0
        self._rotated_at = time.monotonic()

    def run(self) -> None:
        """Start everything, keep it running, and stop it when SIGTERM or SIGINT comes.

        Raises:
            StartFailed: what failed, with the end of its log.
            PortTaken, JarRefused, BrokerFailed: before anything was started.
        """
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        with self._stop_signals():
            try:
                self._start_all()
                self._keep_running()
            except _StopRequested:
                pass
            except BaseException as error:
                self._stop_all()
                self._enter("failed", str(error))
                raise
            self._stop_all()
            self._enter("stopped", "stopped")

    def _start_all(self) -> None:
        self._files.create()
        clear_leftovers(self._files, self._progress)
        self._enter("starting", "starting")
        check_ports(self._base_port)
        jars = ensure_jars(self._jars_progress)
        broker = kafka_broker(self._files, self._base_port)
        prepare(broker, jars)
        specs = process_specs(self._files, base_port=self._base_port, slots=self._slots, jars=jars)
        self._children = [Child(spec) for spec in specs]
        stores, services = self._children[:2], self._children[2:]
        self._start(stores)
        self._progress("creating the topics and the tables")
        self._ensure_topics(broker.bootstrap)
        self._migrate()
        self._start(services)
        self._files.write_config(gateway_url(self._base_port))
        self._enter("ready", f"ready: {gateway_url(self._base_port)}")
        if not archive_of(jars).exists():
            self._archive_classes()

    def _archive_classes(self) -> None:
        """In the background, for later starts. It bears the stack's mark, so it ends with it."""
        with open_log(self._files.log("kafka-archive")) as output:
            self._archiving = subprocess.Popen(
                [sys.executable, "-P", "-m", "runhistory.stack.kafka_archive"],
                cwd=self._files.data,
                env={**os.environ, STACK_VARIABLE: str(self._files.data)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _start(self, children: Sequence[Child]) -> None:
        """Start them together, and return when all are ready."""
        for child in children:
            child.start()
            self._write_state()
        deadline = time.monotonic() + _START_SECONDS
        while waiting := [child for child in children if child.phase != "running"]:
            self._progress("waiting for " + ", ".join(child.spec.name for child in waiting))
            self._beat()
            for child in waiting:
                _refuse_hopeless(child, overdue=time.monotonic() > deadline)

    def _ensure_topics(self, bootstrap: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                return asyncio.run(ensure_topics(bootstrap))
            except TopicsInvalid as error:
                raise StartFailed(str(error)) from error
            except (KafkaError, OSError) as error:
                if time.monotonic() > deadline:
                    raise StartFailed(f"Kafka does not answer: {error!r}") from error
            self._beat()

    def _migrate(self) -> None:
        try:
            migrate(engine_url(self._base_port))
        except Exception as error:
            raise StartFailed(f"ClickHouse's tables could not be made: {error}") from error

    def _keep_running(self) -> None:
        while True:
            self._beat()

    def _beat(self) -> None:
        """Everything that has to be done again and again.

        Raises:
            _StopRequested: a signal has come.
        """
        if self._signals:
            raise _StopRequested
        # A list: every child is looked at, not only those before the first that changed.
        if any([child.poll() for child in self._children if child.phase != "stopped"]):  # noqa: C419
            self._write_state()
        if self._archiving is not None:
            self._archiving.poll()  # or it would stay as a zombie
        if time.monotonic() - self._rotated_at > _ROTATION_SECONDS:
            self._rotated_at = time.monotonic()
            for log in self._logs():
                rotate(log)
        time.sleep(_BEAT_SECONDS)

    def _logs(self) -> list[Path]:
        return [self._files.log("supervisor"), *(child.spec.log for child in self._children)]

    def _stop_all(self) -> None:
        signals = self._signals
        for child in reversed(self._children):
            if child.phase != "stopped":
                self._enter("stopping", f"stopping {child.spec.name}")
                child.stop(in_a_hurry=lambda: self._signals > max(1, signals))
        kill_marked(self._files)

    @contextlib.contextmanager
    def _stop_signals(self) -> Iterator[None]:
        """Count SIGTERM and SIGINT: the first stops, one more stops without waiting."""

        def count(number: int, frame: FrameType | None) -> None:
            self._signals += 1

        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, count) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _jars_progress(self, done: int, total: int) -> None:
        self._progress(f"downloading Kafka, once: {done} of {total} files")
        if self._signals:
            raise _StopRequested

    def _progress(self, message: str) -> None:
        self._enter(self._phase, message)

    def _enter(self, phase: StackPhase, message: str) -> None:
        if (phase, message) != (self._phase, self._message):
            self._phase, self._message = phase, message
            self._write_state()
            self._tell(message)

    def _write_state(self) -> None:
        self._files.write_state(
            StackState(
                phase=self._phase,
                message=self._message,
                url=gateway_url(self._base_port),
                port=self._base_port,
                supervisor=ProcessIdentity.of(os.getpid()),
                processes=tuple(child.state() for child in self._children),
            )
        )


def _refuse_hopeless(child: Child, *, overdue: bool) -> None:
    """Raise StartFailed when waiting longer will not help."""
    refused = child.last_exit == _REFUSED_TO_START
    if not (overdue or refused or child.restarts >= _DEATHS_BEFORE_GIVING_UP):
        return
    why = f"it ended with {child.last_exit}" if child.last_exit else f"it says: {child.problem}"
    raise StartFailed(
        f"{child.spec.name} did not start: {why}.\n"
        f"The end of {child.spec.log}:\n{tail(child.spec.log)}"
    )
