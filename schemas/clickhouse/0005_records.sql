-- Records, what a run logs beside points: one message of run.records (records.logged.v1) is one
-- row of the landing table. A value is JSON as a string; a number that JSON cannot say is
-- {"float":"NaN"}, {"float":"Infinity"} or {"float":"-Infinity"}.

CREATE TABLE IF NOT EXISTS {storage}.records_landing
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
    kinds Array(LowCardinality(String)),
    steps Array(Int64),
    times Array(Int64) COMMENT 'µs since 1970, UTC',
    values Array(String) COMMENT 'JSON',
    files Array(String) COMMENT 'empty: none',
    CONSTRAINT workspace_is_given CHECK workspace != '',
    CONSTRAINT run_id_is_whole CHECK length(run_id) = 32,
    CONSTRAINT attempt_is_given CHECK attempt >= 1,
    CONSTRAINT writer_is_given CHECK writer != '',
    CONSTRAINT columns_are_equal CHECK notEmpty(keys) AND length(kinds) = length(keys)
        AND length(steps) = length(keys) AND length(times) = length(keys)
        AND length(values) = length(keys) AND length(files) = length(keys)
)
ENGINE = Null;

CREATE TABLE IF NOT EXISTS {storage}.records
(
    workspace LowCardinality(String),
    run_id FixedString(16),
    key LowCardinality(String),
    step Int64 CODEC(Delta, ZSTD(1)),
    attempt UInt32 CODEC(ZSTD(1)),
    writer LowCardinality(String),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    `index` UInt32 CODEC(Delta, ZSTD(1)),
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    kind LowCardinality(String),
    value String CODEC(ZSTD(3)),
    file String CODEC(ZSTD(1)),
    precedence UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (workspace, run_id, key, step, attempt, writer, seq, `index`);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.records_from_landing TO {storage}.records AS
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
    kind,
    value,
    file,
    bitNot(_o) AS precedence
FROM (SELECT *, toFixedString(unhex(run_id), 16) AS run FROM {storage}.records_landing)
ARRAY JOIN
    keys AS key,
    kinds AS kind,
    steps AS step,
    times AS microseconds,
    values AS value,
    files AS file,
    arrayEnumerate(keys) AS position;

CREATE OR REPLACE VIEW runhistory.records AS
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    key,
    step,
    kind,
    value,
    nullIf(file, '') AS file,
    time,
    attempt,
    writer,
    seq,
    `index`,
    bitNot(precedence) AS offset,
    storage.run_id AS run_uuid
FROM {storage}.records AS storage FINAL
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs);
