-- Console lines: one message of run.logs (logs.written.v1) is one row of the landing table.

CREATE TABLE IF NOT EXISTS {storage}.logs_landing
(
    _p UInt32 COMMENT 'Kafka partition',
    _o UInt64 COMMENT 'Kafka offset',
    _t Int64 COMMENT 'Kafka time, ms since 1970',
    workspace LowCardinality(String),
    run_id String COMMENT '32 hex digits',
    attempt UInt32,
    writer LowCardinality(String),
    seq UInt64,
    streams Array(LowCardinality(String)),
    times Array(Int64) COMMENT 'µs since 1970, UTC',
    lines Array(String),
    CONSTRAINT workspace_is_given CHECK workspace != '',
    CONSTRAINT run_id_is_whole CHECK length(run_id) = 32,
    CONSTRAINT attempt_is_given CHECK attempt >= 1,
    CONSTRAINT writer_is_given CHECK writer != '',
    CONSTRAINT columns_are_equal CHECK notEmpty(lines) AND length(streams) = length(lines)
        AND length(times) = length(lines)
)
ENGINE = Null;

CREATE TABLE IF NOT EXISTS {storage}.log_lines
(
    workspace LowCardinality(String),
    run_id FixedString(16),
    attempt UInt32 CODEC(ZSTD(1)),
    writer LowCardinality(String),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    `index` UInt32 CODEC(Delta, ZSTD(1)),
    stream LowCardinality(String),
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    line String CODEC(ZSTD(3)),
    partition UInt32 CODEC(ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1)),
    precedence UInt64 CODEC(Delta, ZSTD(1)),
    INDEX offsets offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (workspace, run_id, attempt, writer, seq, `index`);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.log_lines_from_landing TO {storage}.log_lines AS
SELECT
    workspace,
    run AS run_id,
    attempt,
    writer,
    seq,
    toUInt32(position - 1) AS `index`,
    stream,
    fromUnixTimestamp64Micro(microseconds, 'UTC') AS time,
    line,
    _p AS partition,
    _o AS offset,
    bitNot(_o) AS precedence
FROM (SELECT *, toFixedString(unhex(run_id), 16) AS run FROM {storage}.logs_landing)
ARRAY JOIN
    streams AS stream,
    times AS microseconds,
    lines AS line,
    arrayEnumerate(lines) AS position;
