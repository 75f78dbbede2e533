-- What users read: one view for each thing, without repetitions, described in docs/clickhouse.md.
-- `run_id` is 32 hex digits; a filter on `run_uuid`, its 16 bytes, reads only the run's own rows:
-- WHERE workspace = '…' AND run_uuid = unhex('…').
--
-- What replaces is read with FINAL. What aggregates is grouped instead: FINAL reads an element of
-- a tuple as a column of its own and does not aggregate it (seen in 26.9: some row's, not the
-- newest).
--
-- A run that is deleted is in none of them but `deleted_runs`, from the moment that its deletion
-- is visible: its rows are erased a little later, and some may come in later still.

CREATE DATABASE IF NOT EXISTS runhistory;

CREATE OR REPLACE VIEW runhistory.deleted_runs AS
SELECT workspace, lower(hex(storage.run_id)) AS run_id, time, storage.run_id AS run_uuid
FROM {storage}.deleted_runs AS storage FINAL;

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
FROM {storage}.points AS storage FINAL
ARRAY JOIN steps AS step, `values` AS value, times AS time, indexes AS `index`
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs);

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
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs)
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
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs)
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
FROM {storage}.batches AS storage FINAL
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs);

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
FROM {storage}.log_lines AS storage FINAL
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs);

-- The log as it is, deleted runs included: for services that fold it. No user's SQL reads it.
CREATE OR REPLACE VIEW runhistory.event_log AS
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

CREATE OR REPLACE VIEW runhistory.events AS
SELECT *
FROM runhistory.event_log
WHERE run_uuid NOT IN (SELECT run_id FROM {storage}.deleted_runs);

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
    max(storage.display_name).text AS display_name,
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
    max(storage.description).text AS description,
    max(storage.created_by) AS created_by,
    nullIf(max(storage.parent_run_id), '') AS parent_run_id,
    nullIf(max(storage.reproduces), '') AS reproduces,
    max(storage.archived).is = 1 AS archived,
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
    nullIf(max(storage.environment).json, '') AS environment,
    storage.run_id AS run_uuid
FROM {storage}.runs AS storage
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs)
GROUP BY workspace, storage.run_id;

-- What was noticed about a run that deserves attention, such as a GPU without work.
CREATE OR REPLACE VIEW runhistory.warnings AS
SELECT
    workspace,
    lower(hex(run_uuid)) AS run_id,
    version,
    time,
    attempt,
    JSONExtractString(data, 'code') AS code,
    JSONExtractString(data, 'message') AS message,
    run_uuid
FROM
(
    SELECT workspace, run_id AS run_uuid, version, time, attempt, data
    FROM {storage}.events FINAL
    WHERE type = 'run.warned.v1' AND run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs)
);

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
    WHERE status != '' AND run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs)
)
WHERE status != before;

CREATE OR REPLACE VIEW runhistory.tags AS
SELECT workspace, lower(hex(storage.run_id)) AS run_id, name, value, version, storage.run_id AS run_uuid
FROM {storage}.pairs AS storage FINAL
WHERE kind = 'tag' AND NOT removed AND storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs);

CREATE OR REPLACE VIEW runhistory.properties AS
SELECT workspace, lower(hex(storage.run_id)) AS run_id, name, value, version, storage.run_id AS run_uuid
FROM {storage}.pairs AS storage FINAL
WHERE kind = 'property' AND NOT removed AND storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs);

CREATE OR REPLACE VIEW runhistory.params AS
SELECT workspace, lower(hex(storage.run_id)) AS run_id, name, value, version, storage.run_id AS run_uuid
FROM {storage}.pairs AS storage FINAL
WHERE kind = 'param' AND NOT removed AND storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs);

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
FROM {storage}.files AS storage FINAL
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs);

CREATE OR REPLACE VIEW runhistory.deleted_experiments AS
SELECT
    workspace,
    lower(hex(storage.experiment_id)) AS experiment_id,
    max(storage.name) AS name,
    max(storage.deleted).time AS time
FROM {storage}.experiments AS storage
GROUP BY workspace, storage.experiment_id
HAVING max(storage.last_word).type = 'experiment.deleted.v1';

-- One that is deleted is gone, unless a run that came later created it anew.
CREATE OR REPLACE VIEW runhistory.experiments AS
SELECT
    experiment.workspace AS workspace,
    lower(hex(experiment.experiment_id)) AS experiment_id,
    max(experiment.name) AS name,
    if(max(experiment.description).version > max(experiment.deleted).version, max(experiment.description).text, '') AS description,
    CAST(arrayMap(tag -> (tag.1, tag.2), arrayFilter(tag -> tag.3 > max(experiment.deleted).version, any(tagged.tags))), 'Map(String, String)') AS tags,
    max(experiment.archived).version > max(experiment.deleted).version AND max(experiment.archived).is = 1 AS archived,
    multiIf(
        max(experiment.deleted).version = 0, min(experiment.created),
        max(experiment.created_anew).version > max(experiment.deleted).version, max(experiment.created_anew).time,
        any(by_status.first_created)) AS created,
    max(experiment.last_activity) AS last_activity,
    any(by_status.runs) AS runs
FROM {storage}.experiments AS experiment
LEFT JOIN
(
    SELECT
        workspace,
        experiment_id,
        CAST((groupArray(status), groupArray(count)), 'Map(String, UInt64)') AS runs,
        min(first_created) AS first_created
    FROM
    (
        SELECT workspace, experiment_id, status, count() AS count, min(created) AS first_created
        FROM
        (
            SELECT
                workspace,
                max(storage.experiment_id) AS experiment_id,
                max(storage.state).status AS status,
                max(storage.created) AS created
            FROM {storage}.runs AS storage
            WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs)
            GROUP BY workspace, storage.run_id
        )
        GROUP BY workspace, experiment_id, status
    )
    GROUP BY workspace, experiment_id
) AS by_status
ON by_status.workspace = experiment.workspace AND by_status.experiment_id = lower(hex(experiment.experiment_id))
LEFT JOIN
(
    SELECT workspace, run_id AS experiment_id, groupArray((toString(name), value, version)) AS tags
    FROM {storage}.pairs FINAL
    WHERE kind = 'experiment_tag' AND NOT removed
    GROUP BY workspace, run_id
) AS tagged
ON tagged.workspace = experiment.workspace AND tagged.experiment_id = experiment.experiment_id
GROUP BY workspace, experiment.experiment_id
HAVING max(experiment.last_word).type != 'experiment.deleted.v1' OR notEmpty(any(by_status.runs));
