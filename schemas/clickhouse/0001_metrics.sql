-- Metric points: one message of run.metrics (metrics.logged.v1) is one row of the landing table,
-- which keeps nothing and hands it to the materialized views.
--
-- The sink may insert the same message twice, so every target gives the same answer with and
-- without a repetition: it replaces by the identity of the fact, where the first in the log wins
-- (precedence = the inverted offset, and ReplacingMergeTree keeps the highest), or it keeps only
-- min and max. Never a sum or a count.

CREATE TABLE IF NOT EXISTS {storage}.metrics_landing
(
    _p UInt32 COMMENT 'Kafka partition',
    _o UInt64 COMMENT 'Kafka offset',
    _t Int64 COMMENT 'Kafka time, ms since 1970',
    workspace LowCardinality(String),
    run_id String COMMENT '32 hex digits',
    attempt UInt32,
    writer LowCardinality(String),
    seq UInt64,
    keys Array(LowCardinality(String)),
    key_index Array(UInt32) COMMENT 'counts from 1',
    steps Array(Int64),
    values Array(Float64),
    times Array(Int64) COMMENT 'µs since 1970, UTC',
    -- A name that is missing would read as an empty value: the message is refused instead.
    CONSTRAINT workspace_is_given CHECK workspace != '',
    CONSTRAINT run_id_is_whole CHECK length(run_id) = 32,
    CONSTRAINT attempt_is_given CHECK attempt >= 1,
    CONSTRAINT writer_is_given CHECK writer != '',
    CONSTRAINT columns_are_equal CHECK notEmpty(steps) AND length(key_index) = length(steps)
        AND length(values) = length(steps) AND length(times) = length(steps),
    CONSTRAINT keys_are_known CHECK arrayMin(key_index) >= 1
        AND arrayMax(key_index) <= length(keys)
)
ENGINE = Null;

CREATE TABLE IF NOT EXISTS {storage}.points
(
    workspace LowCardinality(String),
    run_id FixedString(16),
    key LowCardinality(String),
    step Int64 CODEC(DoubleDelta, ZSTD(1)),
    attempt UInt32 CODEC(ZSTD(1)),
    writer LowCardinality(String),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    `index` UInt32 CODEC(Delta, ZSTD(1)),
    time DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    value Float64 CODEC(Gorilla, ZSTD(1)),
    precedence UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (workspace, run_id, key, step, attempt, writer, seq, `index`);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.points_from_landing TO {storage}.points AS
SELECT
    workspace,
    run AS run_id,
    key,
    step,
    attempt,
    writer,
    seq,
    toUInt32(position - 1) AS `index`,
    fromUnixTimestamp64Micro(microseconds, 'UTC') AS time,
    value,
    bitNot(_o) AS precedence
FROM (SELECT *, toFixedString(unhex(run_id), 16) AS run FROM {storage}.metrics_landing)
ARRAY JOIN
    arrayMap(i -> keys[i], key_index) AS key,
    steps AS step,
    values AS value,
    times AS microseconds,
    arrayEnumerate(steps) AS position;

-- For each fixed run of 1,000 steps. min and max are of finite values; without one they are
-- inf and -inf. `last` orders by step, then by time, and is a total order (the value's bits, since
-- NaN has no place among floats), so that rows may come in any order.
CREATE TABLE IF NOT EXISTS {storage}.rollup
(
    workspace LowCardinality(String),
    run_id FixedString(16),
    key LowCardinality(String),
    attempt UInt32,
    bucket Int64 COMMENT 'floor(step / 1000)',
    value_min SimpleAggregateFunction(min, Float64),
    value_max SimpleAggregateFunction(max, Float64),
    first_step SimpleAggregateFunction(min, Int64),
    last SimpleAggregateFunction(max, Tuple(step Int64, time DateTime64(6, 'UTC'), seq UInt64, position UInt32, bits UInt64))
)
ENGINE = AggregatingMergeTree
ORDER BY (workspace, run_id, key, attempt, bucket);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.rollup_from_landing TO {storage}.rollup AS
SELECT
    workspace,
    run AS run_id,
    key,
    attempt,
    -- intDiv rounds towards zero; step - step % 1000 would overflow near -2^63
    intDiv(step, 1000) - (step < 0 AND step % 1000 != 0) AS bucket,
    min(if(isFinite(value), value, inf)) AS value_min,
    max(if(isFinite(value), value, -inf)) AS value_max,
    min(step) AS first_step,
    max((step, fromUnixTimestamp64Micro(microseconds, 'UTC'), seq, position, reinterpretAsUInt64(value))) AS last
FROM (SELECT *, toFixedString(unhex(run_id), 16) AS run FROM {storage}.metrics_landing)
ARRAY JOIN
    arrayMap(i -> keys[i], key_index) AS key,
    steps AS step,
    values AS value,
    times AS microseconds,
    arrayEnumerate(steps) AS position
GROUP BY workspace, run, key, attempt, bucket;

-- A writer numbers its batches 0, 1, 2, …: a hole is a loss, and two hashes under one number are
-- two contents, of which the first is shown.
CREATE TABLE IF NOT EXISTS {storage}.batches
(
    workspace LowCardinality(String),
    run_id FixedString(16),
    attempt UInt32,
    writer LowCardinality(String),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    content_hash UInt64,
    points UInt32,
    received DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    partition UInt32,
    offset UInt64 CODEC(Delta, ZSTD(1)),
    precedence UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (workspace, run_id, attempt, writer, seq, content_hash);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.batches_from_landing TO {storage}.batches AS
SELECT
    workspace,
    toFixedString(unhex(run_id), 16) AS run_id,
    attempt,
    writer,
    seq,
    cityHash64(keys, key_index, steps, values, times) AS content_hash,
    length(steps) AS points,
    fromUnixTimestamp64Milli(_t, 'UTC') AS received,
    _p AS partition,
    _o AS offset,
    bitNot(_o) AS precedence
FROM {storage}.metrics_landing;
