-- Curves of runs that were resumed, in the way that users see them by default: an attempt hides
-- earlier attempts of the same key from its own first step on. Said the other way round, a step
-- shows the newest attempt that has begun by then, which is a running maximum.
--
-- The windows are parted by workspace, run and key, so a filter on these reads only what it names.

CREATE OR REPLACE VIEW runhistory.latest_points AS
SELECT workspace, run_id, key, step, value, time, attempt, writer, seq, `index`, offset, run_uuid
FROM
(
    SELECT
        *,
        max(attempt) OVER (
            PARTITION BY workspace, run_uuid, key ORDER BY step
            RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS newest
    FROM runhistory.points
)
WHERE attempt = newest;

-- A bucket of an attempt is shown whole, hidden whole, or (at most one of each attempt) a later
-- attempt begins within it: what is shown of that one is made of its points.
CREATE OR REPLACE VIEW runhistory.latest_rollup AS
WITH hiding AS
(
    SELECT
        workspace,
        storage.run_id AS run_uuid,
        key,
        attempt,
        bucket,
        min(storage.value_min) AS value_min,
        max(storage.value_max) AS value_max,
        min(storage.first_step) AS first_step,
        max(storage.last) AS last,
        -- toNullable: of no later attempt the minimum would be 0
        min(toNullable(min(storage.first_step))) OVER (
            PARTITION BY workspace, storage.run_id, key ORDER BY attempt DESC
            RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS hidden_from
    FROM {storage}.rollup AS storage
    WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs)
    GROUP BY workspace, storage.run_id, key, attempt, bucket
)
SELECT
    workspace,
    lower(hex(shown.run_uuid)) AS run_id,
    key,
    bucket,
    if(min(value_min) > max(value_max), NULL, min(value_min)) AS min,
    if(min(value_min) > max(value_max), NULL, max(value_max)) AS max,
    reinterpretAsFloat64(max(shown.last).bits) AS last,
    max(shown.last).time AS last_time,
    min(shown.first_step) AS first_step,
    max(shown.last).step AS last_step,
    shown.run_uuid AS run_uuid
FROM
(
    SELECT workspace, run_uuid, key, bucket, value_min, value_max, first_step, last
    FROM hiding
    WHERE hidden_from IS NULL OR last.step < hidden_from
    UNION ALL
    SELECT
        point.workspace AS workspace,
        point.run_uuid AS run_uuid,
        point.key AS key,
        border.bucket AS bucket,
        if(isFinite(point.value), point.value, inf) AS value_min,
        if(isFinite(point.value), point.value, -inf) AS value_max,
        point.step AS first_step,
        CAST(
            (point.step, point.time, point.seq, point.`index` + 1, reinterpretAsUInt64(point.value)),
            'Tuple(step Int64, time DateTime64(6, \'UTC\'), seq UInt64, position UInt32, bits UInt64)'
        ) AS last
    FROM runhistory.points AS point
    INNER JOIN (SELECT * FROM hiding WHERE first_step < hidden_from AND hidden_from <= last.step) AS border
    ON border.workspace = point.workspace AND border.run_uuid = point.run_uuid AND border.key = point.key
        AND border.attempt = point.attempt
        AND border.bucket = intDiv(point.step, 1000) - (point.step < 0 AND point.step % 1000 != 0)
    WHERE point.step < border.hidden_from
) AS shown
GROUP BY workspace, shown.run_uuid, key, bucket;

CREATE OR REPLACE VIEW runhistory.latest_series AS
SELECT
    workspace,
    lower(hex(shown.run_uuid)) AS run_id,
    key,
    min(shown.min) AS min,
    max(shown.max) AS max,
    argMax(shown.last, shown.bucket) AS last,
    argMax(shown.last_time, shown.bucket) AS last_time,
    min(shown.first_step) AS first_step,
    max(shown.last_step) AS last_step,
    shown.run_uuid AS run_uuid
FROM runhistory.latest_rollup AS shown
GROUP BY workspace, shown.run_uuid, key;
