"""Fill a running stack's ClickHouse with many runs: `python -m bench.many_runs URL [RUNS]`.

What the lifecycle would say of each run, and a batch of its points, goes straight into the landing
tables, and the engine makes it up by itself, so 100,000 runs take some seconds. Everything follows
from a run's number. Kafka knows nothing of them: they are for reads alone.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from runhistory.clickhouse.client import open_client
from runhistory.clickhouse.storages import FIRST_STORAGE
from runhistory.domain.ids import experiment_id

RUNS: Final = 100_000
EXPERIMENTS: Final = 20
KEYS: Final = 10
POINTS: Final = 10
AT_ONCE: Final = 20_000
NO_PARTITION: Final = 1_000
"""There is none of this number, so nobody takes these rows for what the log has."""

END: Final = "2026-11-01 00:00:00"
"""When the newest was created: before everything that a stack of today makes."""

# One each minute. The id is a UUIDv7 of that time.
_RUN: Final = """
    toDateTime64({end:String}, 6, 'UTC') AS last_created,
    last_created - toIntervalMinute({runs:UInt64} - number) AS created,
    lower(concat(leftPad(hex(toUnixTimestamp64Milli(created)), 12, '0'), '7', substring(
        hex(SHA256(concat({workspace:String}, toString(number)))), 1, 19))) AS run_id,
    (text -> cityHash64(number, text)) AS chance
"""

_EVENTS: Final = f"""
INSERT INTO {FIRST_STORAGE}.events_landing (_p, _o, _t, id, type, source, subject, time, data)
WITH {_RUN},
    {{experiment_ids:Array(String)}}[number % {EXPERIMENTS} + 1] AS experiment_id,
    toJSONString(map(
        'type', 'interactive',
        'experiment', concat('experiment-', leftPad(toString(number % {EXPERIMENTS}), 2, '0')),
        'created_by', ['ada', 'grace', 'alan'][chance('by') % 3 + 1])) AS words,
    toJSONString(map('team', ['vision', 'text', 'audio'][chance('team') % 3 + 1])) AS tags,
    toJSONString(map(
        'lr', ['0.1', '0.01', '0.001'][chance('lr') % 3 + 1],
        'optimizer', ['adam', 'sgd'][chance('optimizer') % 2 + 1],
        'seed', toString(number))) AS params,
    concat(trim(TRAILING '}}' FROM words), ',"tags":', tags, ',"params":', params, '}}') AS content,
    toJSONString(map(
        'content_sha256', lower(hex(SHA256(content))),
        'display_name', concat('many_', toString(number)))) AS named,
    chance('end') % 10 = 0 AS has_failed,
    concat('{{"content":', content, ',', substring(named, 2)) AS said_first,
    '{{"error":{{"code":"UserError","message":"out of memory"}}}}' AS said_of_failures,
    ['created', 'started', if(has_failed, 'failed', 'completed')][version] AS what,
    ['NotStarted', 'Running', if(has_failed, 'Failed', 'Completed')][version] AS status,
    [said_first, '{{}}', if(has_failed, said_of_failures, '{{}}')][version] AS said,
    created + toIntervalSecond([0, 1, 2 + chance('seconds') % 3598][version]) AS at,
    concat(replaceOne(toString(at), ' ', 'T'), 'Z') AS time_said
SELECT
    {NO_PARTITION}, number * 4 + version, toUnixTimestamp64Milli(last_created),
    concat(run_id, ':', toString(version)), concat('run.', what, '.v1'), 'bench', run_id, time_said,
    concat(
        '{{"workspace":', toJSONString({{workspace:String}}), ',"run_id":"', run_id,
        '","version":', toString(version), ',"attempt":', toString(version > 1),
        ',"command_id":"many-', toString(number), '-', toString(version),
        '","time":"', time_said, '","status":"', status, '","experiment_id":"', experiment_id, '"',
        if(said = '{{}}', '}}', concat(',', substring(said, 2))))
FROM numbers({{runs:UInt64}}) ARRAY JOIN [1, 2, 3] AS version
"""  # noqa: S608 - this module's words

_POINTS: Final = f"""
INSERT INTO {FIRST_STORAGE}.metrics_landing
    (_p, _o, _t, workspace, run_id, attempt, writer, seq, keys, key_index, steps, values, times)
WITH {_RUN},
    range({KEYS * POINTS}) AS places,
    arrayMap(place -> toInt64(place % {POINTS}), places) AS steps
SELECT
    {NO_PARTITION}, number, toUnixTimestamp64Milli(last_created),
    {{workspace:String}}, run_id, 1, 'bench', 0,
    arrayMap(key -> if(key = 0, 'loss', concat('metric-', toString(key))), range({KEYS})),
    arrayMap(place -> intDiv(place, {POINTS}) + 1, places),
    steps,
    arrayMap(place -> cityHash64(number, place) / exp2(64), places),
    arrayMap(step -> toUnixTimestamp64Micro(created) + (2 + step) * 1000000, steps)
FROM numbers({{runs:UInt64}})
"""  # noqa: S608 - this module's words


def fill(url: str, runs: int = RUNS, workspace: str = "default") -> None:
    """Insert so many runs, each with three events, params, a tag and KEYS metrics."""
    names = [f"experiment-{number:02}" for number in range(EXPERIMENTS)]
    parameters = {
        "workspace": workspace,
        "runs": runs,
        "end": END,
        "experiment_ids": [experiment_id(workspace, name) for name in names],
    }
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_insert, url, one, parameters) for one in (_EVENTS, _POINTS)]:
            done.result()


def _insert(url: str, statement: str, parameters: dict[str, Any]) -> None:
    client = open_client(url, max_block_size=AT_ONCE, min_insert_block_size_rows=AT_ONCE)
    client.command(statement, parameters=parameters)
    client.close()


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else RUNS)
