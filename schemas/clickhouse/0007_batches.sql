-- `batches` holds those of every kind, so that of each writer can be told what arrived: batches of
-- records and of console lines too. A writer numbers those of each topic apart.
--
-- A new column of the sorting key can have no default: an empty topic is run.metrics.

ALTER TABLE {storage}.batches
    ADD COLUMN IF NOT EXISTS topic LowCardinality(String),
    MODIFY ORDER BY (workspace, run_id, attempt, writer, seq, content_hash, topic);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.batches_from_logs TO {storage}.batches AS
SELECT
    workspace,
    toFixedString(unhex(run_id), 16) AS run_id,
    attempt,
    writer,
    seq,
    cityHash64(streams, times, lines) AS content_hash,
    toUInt32(length(lines)) AS points,
    fromUnixTimestamp64Milli(_t, 'UTC') AS received,
    _p AS partition,
    _o AS offset,
    bitNot(_o) AS precedence,
    'run.logs' AS topic
FROM {storage}.logs_landing;

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.batches_from_records TO {storage}.batches AS
SELECT
    workspace,
    toFixedString(unhex(run_id), 16) AS run_id,
    attempt,
    writer,
    seq,
    cityHash64(keys, kinds, steps, times, values, files) AS content_hash,
    toUInt32(length(keys)) AS points,
    fromUnixTimestamp64Milli(_t, 'UTC') AS received,
    _p AS partition,
    _o AS offset,
    bitNot(_o) AS precedence,
    'run.records' AS topic
FROM {storage}.records_landing;

CREATE OR REPLACE VIEW runhistory.batches AS
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    if(storage.topic = '', 'run.metrics', toString(storage.topic)) AS topic,
    attempt,
    writer,
    seq,
    content_hash,
    points,
    received,
    partition,
    offset,
    storage.run_id AS run_uuid
FROM {storage}.batches AS storage FINAL
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs);
