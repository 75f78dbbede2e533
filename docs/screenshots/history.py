"""Experiments of some weeks, written where the sink would: a day of training takes no time here."""

import hashlib
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from bench.many_runs import NO_PARTITION

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.ids import experiment_id

WORKSPACE: Final = "default"
STEPS: Final = 400
DRAWN: Final = 6
_NOW: Final = datetime.now(UTC)  # one moment for all, so that a run keeps its id
Row = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """One run: what it was called, how it was set, and how it went."""

    experiment: str
    name: str
    hours_ago: float
    minutes: float
    params: dict[str, str]
    floor: float
    speed: float
    end: str = "completed"
    tags: dict[str, str] = field(default_factory=dict)
    author: str = "ada"

    @property
    def created(self) -> datetime:
        return _NOW - timedelta(hours=self.hours_ago)

    @property
    def run_id(self) -> str:
        """A UUIDv7 of that hour."""
        milliseconds = int(self.created.timestamp() // 60 * 60_000)
        return f"{milliseconds:012x}7{random.Random(self.name).getrandbits(76):019x}"


def fill_history(url: str) -> list[str]:
    """Insert all of it; the ids of the best runs of the sweep."""
    stories = [*_sweep(), *_translation(), *_segmentation(), *_speech()]
    client, offset = open_client(url), 0
    for story in stories:
        events = [_placed(row, offset + number) for number, row in enumerate(_events(story))]
        offset += len(events)
        for table, rows in (("events_landing", events), ("metrics_landing", [_points(story)])):
            block = b"\n".join(map(orjson.dumps, rows))
            client.raw_insert(f"{FIRST_STORAGE}.{table}", insert_block=block, fmt="JSONEachRow")
    client.close()
    best = sorted(_sweep(), key=lambda story: story.floor)
    return [story.run_id for story in best if story.end == "completed"][:DRAWN]


def _sweep() -> Iterator[Story]:
    """A grid of rates and widths: too fast fails, too small learns little."""
    chance = random.Random(1)
    for number in range(36):
        rate, width = ("0.003", "0.01", "0.03", "0.1")[number % 4], (64, 128, 256)[number // 4 % 3]
        floor = {"0.003": 0.31, "0.01": 0.14, "0.03": 0.11, "0.1": 0.42}[rate] + 12 / width**1.2
        end = "failed" if rate == "0.1" and number % 3 == 0 else "completed"
        yield Story(
            "digits-sweep",
            f"rate-{rate}-width-{width}-{number // 12 + 1}",
            hours_ago=30 - number * 0.6,
            minutes=8 + width / 24 + chance.random(),
            params={"learning_rate": rate, "hidden": str(width), "seed": str(number // 12 + 1)},
            floor=floor + 0.02 * chance.random(),
            speed=float(rate) ** 0.4 * 9,
            end=end,
            tags={"team": "vision"},
        )


def _translation() -> Iterator[Story]:
    for number, size in enumerate(("small", "base", "large")):
        yield Story(
            "translate-de-en",
            f"{size}-transformer",
            hours_ago=70 - 9 * number,
            minutes=180 + 90 * number,
            params={"model": size, "learning_rate": "3e-4", "warmup": "4000"},
            floor=1.9 - 0.35 * number,
            speed=3.0,
            end="canceled" if size == "small" else "completed",
            tags={"team": "text", "candidate": "yes"} if size == "large" else {"team": "text"},
            author="grace",
        )


def _segmentation() -> Iterator[Story]:
    for number in range(7):
        yield Story(
            "street-segmentation",
            f"unet-fold-{number + 1}",
            hours_ago=120 - 6 * number,
            minutes=75 + 3 * number,
            params={"fold": str(number + 1), "batch_size": "16", "augment": "flip,crop"},
            floor=0.22 + 0.01 * (number * 5 % 7),
            speed=2.2,
            tags={"team": "vision", "data": "streets-v3"},
            author="alan",
        )


def _speech() -> Iterator[Story]:
    for number in range(4):
        yield Story(
            "wake-word",
            f"conv-{(8, 16, 32, 64)[number]}-channels",
            hours_ago=300 - 3 * number,
            minutes=22 + number,
            params={"channels": str((8, 16, 32, 64)[number]), "window_ms": "400"},
            floor=0.5 / (number + 1.5),
            speed=4.0,
            end="failed" if number == 3 else "completed",
            tags={"team": "audio"},
            author="grace",
        )


def _events(story: Story) -> Iterator[Row]:
    content = {
        "type": "interactive",
        "experiment": story.experiment,
        "created_by": story.author,
        "tags": story.tags,
        "params": story.params,
    }
    digest = hashlib.sha256(orjson.dumps(content)).hexdigest()
    created = {"content": content, "content_sha256": digest, "display_name": story.name}
    message = "CUDA out of memory. Tried to allocate 2.00 GiB"
    wrong = {"error": {"code": "UserError", "message": message}} if story.end == "failed" else {}
    told: list[tuple[str, str, float, Row]] = [
        ("created", "NotStarted", 0, created),
        ("started", "Running", 2, {}),
        (story.end, story.end.capitalize(), story.minutes * 60, wrong),
    ]
    for version, (what, status, second, said) in enumerate(told, start=1):
        time = (story.created + timedelta(seconds=second)).isoformat()
        data = {
            "workspace": WORKSPACE,
            "run_id": story.run_id,
            "version": version,
            "command_id": f"story-{story.run_id[:12]}-{version}",
            "time": time,
            "status": status,
            "attempt": int(version > 1),
            "experiment_id": experiment_id(WORKSPACE, story.experiment),
            **said,
        }
        yield {
            "id": f"{story.run_id}:{version}",
            "type": f"run.{what}.v1",
            "source": "screenshots",
            "subject": story.run_id,
            "time": time,
            "data": orjson.dumps(data).decode(),
        }


def _points(story: Story) -> Row:
    """Its curves: a loss that falls to its floor, noisy, and an accuracy that answers it."""
    chance = random.Random(story.name)
    steps = STEPS if story.end == "completed" else STEPS // 3
    losses, accuracies = [], []
    for step in range(steps):
        done = step / STEPS
        loss = story.floor + 2.1 * math.exp(-story.speed * done * 3)
        losses.append(loss * (1 + 0.07 * chance.gauss(0, 1)))
        accuracies.append(1 - 0.22 * loss * (1 + 0.03 * chance.gauss(0, 1)))
    begin, pace = story.created.timestamp() + 2, story.minutes * 60 / STEPS
    times = [int((begin + step * pace) * 1e6) for step in range(steps)]
    return _placed(
        {
            "workspace": WORKSPACE,
            "run_id": story.run_id,
            "attempt": 1,
            "writer": "screenshots",
            "seq": 0,
            "keys": ["loss", "val/accuracy"],
            "key_index": [1] * steps + [2] * steps,
            "steps": [*range(steps), *range(steps)],
            "values": losses + accuracies,
            "times": times + times,
        },
        int(story.run_id[:12], 16) % 1_000_000,
    )


def _placed(row: Row, offset: int) -> Row:
    """In a partition that Kafka has not."""
    now = int(datetime.now(UTC).timestamp() * 1_000)
    return {"_p": NO_PARTITION, "_o": offset, "_t": now, **row}
