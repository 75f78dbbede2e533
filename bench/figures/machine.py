"""What the machine was like meanwhile, without which no figure of a shared one can be read."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

LOOP: int = 200_000


@dataclass
class MachineLog:
    """Samples from before and after each repetition."""

    loops_per_s: list[float] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    busy_percent: list[float] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note the speed of one core before, and load and use of all cores over the block."""
        self.loops_per_s.append(loop_rate())
        before = _cpu_ticks()
        try:
            yield
        finally:
            busy, total = (after - was for after, was in zip(_cpu_ticks(), before, strict=True))
            self.busy_percent.append(100 * busy / max(1, total))
            self.load.append(os.getloadavg()[0])


def loop_rate() -> float:
    """Millions of rounds a second of a fixed loop on one core: what Python is worth here, now."""
    best = 0.0
    for _ in range(3):
        began, total = time.perf_counter(), 0
        for number in range(LOOP):
            total += number
        best = max(best, LOOP / (time.perf_counter() - began))
    return best / 1e6


def _cpu_ticks() -> tuple[int, int]:
    """Clock ticks of all cores since boot: busy, and all."""
    line = Path("/proc/stat").read_text("ascii").splitlines()[0]
    ticks = [int(part) for part in line.split()[1:9]]
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, sum(ticks)
