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

-- One row is what one batch says of one key, its points as arrays in the batch's order: so sorting,
-- merging and looking for repetitions are paid for each key of a batch, not for each point.
CREATE TABLE IF NOT EXISTS {storage}.points
(
    workspace LowCardinality(String),
    run_id FixedString(16),
    key LowCardinality(String),
    attempt UInt32 CODEC(ZSTD(1)),
    writer LowCardinality(String),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    steps Array(Int64) CODEC(DoubleDelta, ZSTD(1)),
    times Array(DateTime64(6, 'UTC')) CODEC(DoubleDelta, ZSTD(1)),
    `values` Array(Float64) CODEC(Gorilla, ZSTD(1)),
    indexes Array(UInt32) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'places in the batch, from 0',
    precedence UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (workspace, run_id, key, attempt, writer, seq)
-- A row may hold one point or thousands: what is read at least, to find one key, is bounded in bytes.
SETTINGS index_granularity_bytes = 262144;

-- The points are put in order of (key, place in the batch), as one number, and cut where the key
-- changes; a key that stands twice in `keys` is one key. Every step but the sort is linear, and the
-- sort too where a batch has its keys in order. ClickHouse plans a view anew for each INSERT, which
-- for a small one is most of the work: so there are as few expressions as possible, and all that
-- belongs to a point goes through them as one tuple.
CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.points_from_landing TO {storage}.points AS
SELECT
    workspace,
    toFixedString(unhex(run_id), 16) AS run_id,
    arrayDistinct(keys)[own.1[1]] AS key,
    attempt,
    writer,
    seq,
    own.2 AS steps,
    own.3 AS times,
    own.4 AS `values`,
    own.5 AS indexes,
    bitNot(_o) AS precedence
FROM
(
    SELECT
        workspace, run_id, attempt, writer, seq, keys, _o,
        arrayMap(
            place -> (
                toUInt32(bitShiftRight(place, 32)),
                steps[toUInt32(place)],
                fromUnixTimestamp64Micro(times[toUInt32(place)], 'UTC'),
                `values`[toUInt32(place)],
                toUInt32(toUInt32(place) - 1)
            ),
            arraySort(arrayMap(
                (key, position) -> bitOr(bitShiftLeft(toUInt64(arrayEnumerateDense(keys)[key]), 32), position),
                key_index, arrayEnumerate(key_index)
            ))
        ) AS points
    FROM {storage}.metrics_landing
)
ARRAY JOIN arraySplit((point, difference) -> difference != 0, points, arrayDifference(points.1)) AS own;

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

-- The points of a batch and key are cut where the bucket changes; a bucket may be cut more than once.
CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.rollup_from_points TO {storage}.rollup AS
SELECT
    workspace,
    run_id,
    key,
    attempt,
    own.1[1] AS bucket,
    arrayMin(value -> if(isFinite(value), value, inf), own.2) AS value_min,
    arrayMax(value -> if(isFinite(value), value, -inf), own.2) AS value_max,
    arrayMin(own.3.1) AS first_step,
    arrayMax(own.3) AS last
FROM
(
    SELECT
        workspace, run_id, key, attempt,
        arrayMap(
            (step, time, value, `index`) -> (
                -- intDiv rounds towards zero; step - step % 1000 would overflow near -2^63
                intDiv(step, 1000) - (step < 0 AND step % 1000 != 0),
                value,
                (step, time, seq, toUInt32(`index` + 1), reinterpretAsUInt64(value))
            ),
            steps, times, `values`, indexes
        ) AS points
    FROM {storage}.points
)
ARRAY JOIN arraySplit((point, difference) -> difference != 0, points, arrayDifference(points.1)) AS own;

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
