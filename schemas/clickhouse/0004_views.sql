-- What users read: one view for each thing, without repetitions, described in docs/clickhouse.md.
-- `run_id` is 32 hex digits; a filter on `run_uuid`, its 16 bytes, reads only the run's own rows:
-- WHERE workspace = '…' AND run_uuid = unhex('…').
--
-- What replaces is read with FINAL. What aggregates is grouped instead: FINAL reads an element of
-- a tuple as a column of its own and does not aggregate it (seen in 26.9: some row's, not the
-- newest).

CREATE DATABASE IF NOT EXISTS runhistory;

CREATE OR REPLACE VIEW runhistory.points AS
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    key,
    step,
    value,
    time,
    attempt,
    writer,
    seq,
    `index`,
    bitNot(precedence) AS offset,
    storage.run_id AS run_uuid
FROM {storage}.points AS storage FINAL;

-- value_min > value_max says: no finite value.
CREATE OR REPLACE VIEW runhistory.rollup AS
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    key,
    attempt,
    bucket,
    if(min(value_min) > max(value_max), NULL, min(value_min)) AS min,
    if(min(value_min) > max(value_max), NULL, max(value_max)) AS max,
    reinterpretAsFloat64(max(storage.last).bits) AS last,
    max(storage.last).time AS last_time,
    min(storage.first_step) AS first_step,
    max(storage.last).step AS last_step,
    storage.run_id AS run_uuid
FROM {storage}.rollup AS storage
GROUP BY workspace, storage.run_id, key, attempt, bucket;

CREATE OR REPLACE VIEW runhistory.series AS
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    key,
    attempt,
    if(min(value_min) > max(value_max), NULL, min(value_min)) AS min,
    if(min(value_min) > max(value_max), NULL, max(value_max)) AS max,
    reinterpretAsFloat64(max(storage.last).bits) AS last,
    max(storage.last).time AS last_time,
    min(storage.first_step) AS first_step,
    max(storage.last).step AS last_step,
    storage.run_id AS run_uuid
FROM {storage}.rollup AS storage
GROUP BY workspace, storage.run_id, key, attempt;

CREATE OR REPLACE VIEW runhistory.batches AS
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    attempt,
    writer,
    seq,
    content_hash,
    points,
    received,
    partition,
    offset,
    storage.run_id AS run_uuid
FROM {storage}.batches AS storage FINAL;

CREATE OR REPLACE VIEW runhistory.log_lines AS
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    attempt,
    writer,
    seq,
    `index`,
    stream,
    time,
    line,
    partition,
    offset,
    storage.run_id AS run_uuid
FROM {storage}.log_lines AS storage FINAL;

CREATE OR REPLACE VIEW runhistory.events AS
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    version,
    type,
    time,
    status,
    attempt,
    id,
    command_id,
    source,
    partition,
    offset,
    received,
    data,
    storage.run_id AS run_uuid
FROM {storage}.events AS storage FINAL;

-- How far run.events has been read. max feels no repetition, so it needs no FINAL, which would
-- have to read the whole table in order.
CREATE OR REPLACE VIEW runhistory.event_offsets AS
SELECT partition, max(offset) + 1 AS next_offset
FROM {storage}.events
GROUP BY partition;

CREATE OR REPLACE VIEW runhistory.runs AS
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    max(storage.display_name) AS display_name,
    max(storage.experiment) AS experiment,
    max(storage.experiment_id) AS experiment_id,
    max(storage.type) AS type,
    max(storage.state).status AS status,
    max(storage.state).attempt AS attempt,
    max(storage.state).version AS version,
    max(storage.created) AS created,
    nullIf(max(storage.started).time, toDateTime64(0, 6, 'UTC')) AS started,
    nullIf(max(storage.ended).time, toDateTime64(0, 6, 'UTC')) AS ended,
    max(storage.state).time AS updated,
    max(storage.description) AS description,
    max(storage.created_by) AS created_by,
    nullIf(max(storage.parent_run_id), '') AS parent_run_id,
    nullIf(max(storage.compute_target), '') AS compute_target,
    nullIf(max(storage.snapshot_id), '') AS snapshot_id,
    nullIf(max(storage.spec), '') AS spec,
    nullIf(max(storage.claim).worker_id, '') AS worker_id,
    max(storage.claim).node AS node,
    max(storage.claim).gpus AS gpus,
    max(storage.exit).code AS exit_code,
    nullIf(max(storage.exit).signal, '') AS signal,
    nullIf(max(storage.error).code, '') AS error_code,
    max(storage.error).message AS error_message,
    max(storage.error).details AS error_details,
    max(storage.cancel).reason AS cancel_reason,
    storage.run_id AS run_uuid
FROM {storage}.runs AS storage
GROUP BY workspace, storage.run_id;

-- The timeline: the events that brought another status.
CREATE OR REPLACE VIEW runhistory.run_statuses AS
SELECT
    workspace,
    lower(hex(run_uuid)) AS run_id,
    version,
    status,
    time AS since,
    attempt,
    run_uuid
FROM
(
    SELECT
        workspace,
        run_id AS run_uuid,
        version,
        status,
        time,
        attempt,
        lagInFrame(status) OVER (PARTITION BY workspace, run_id ORDER BY version) AS before
    FROM {storage}.events FINAL
    WHERE status != ''
)
WHERE status != before;

CREATE OR REPLACE VIEW runhistory.tags AS
SELECT workspace, lower(hex(storage.run_id)) AS run_id, name, value, version, storage.run_id AS run_uuid
FROM {storage}.tags AS storage FINAL;

CREATE OR REPLACE VIEW runhistory.properties AS
SELECT workspace, lower(hex(storage.run_id)) AS run_id, name, value, version, storage.run_id AS run_uuid
FROM {storage}.properties AS storage FINAL;

CREATE OR REPLACE VIEW runhistory.params AS
SELECT workspace, lower(hex(storage.run_id)) AS run_id, name, value, version, storage.run_id AS run_uuid
FROM {storage}.params AS storage FINAL;

CREATE OR REPLACE VIEW runhistory.files AS
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    attempt,
    name,
    lower(hex(storage.sha256)) AS sha256,
    size,
    content_type,
    time,
    storage.run_id AS run_uuid
FROM {storage}.files AS storage FINAL;

CREATE OR REPLACE VIEW runhistory.experiments AS
SELECT
    experiment.workspace AS workspace,
    lower(hex(experiment.experiment_id)) AS experiment_id,
    max(experiment.name) AS name,
    max(experiment.description) AS description,
    CAST(max(experiment.tags), 'Map(String, String)') AS tags,
    min(experiment.created) AS created,
    max(experiment.last_activity) AS last_activity,
    any(by_status.runs) AS runs
FROM {storage}.experiments AS experiment
LEFT JOIN
(
    SELECT workspace, experiment_id, CAST((groupArray(status), groupArray(count)), 'Map(String, UInt64)') AS runs
    FROM
    (
        SELECT workspace, experiment_id, status, count() AS count
        FROM
        (
            SELECT workspace, max(storage.experiment_id) AS experiment_id, max(storage.state).status AS status
            FROM {storage}.runs AS storage
            GROUP BY workspace, storage.run_id
        )
        GROUP BY workspace, experiment_id, status
    )
    GROUP BY workspace, experiment_id
) AS by_status
ON by_status.workspace = experiment.workspace AND by_status.experiment_id = lower(hex(experiment.experiment_id))
GROUP BY workspace, experiment.experiment_id;
