-- The same views, read faster; and points as they lie.
--
-- The maximum of tuples is compared element by element, each in a box of its own: 0.6 µs a row. So an
-- element of the newest version is asked for by that version (but `exit`: its code may be NULL, which
-- argMax passes over), and `last` is compared as one number: the step (64 bits), the time (54), the
-- number of the batch (54), the place in it (20) and the value's bits (64), as long as the events'
-- schemas allow. 100,000 runs by a metric's last value: 96 -> 38 ms; not archived: 73 -> 34 ms.

CREATE OR REPLACE VIEW runhistory.runs AS
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    argMax(storage.display_name.text, storage.display_name.version) AS display_name,
    max(storage.experiment) AS experiment,
    max(storage.experiment_id) AS experiment_id,
    max(storage.type) AS type,
    argMax(storage.state.status, storage.state.version) AS status,
    argMax(storage.state.attempt, storage.state.version) AS attempt,
    max(storage.state.version) AS version,
    max(storage.created) AS created,
    nullIf(argMax(storage.started.time, storage.started.version), toDateTime64(0, 6, 'UTC')) AS started,
    nullIf(argMax(storage.ended.time, storage.ended.version), toDateTime64(0, 6, 'UTC')) AS ended,
    argMax(storage.state.time, storage.state.version) AS updated,
    argMax(storage.description.text, storage.description.version) AS description,
    max(storage.created_by) AS created_by,
    nullIf(max(storage.parent_run_id), '') AS parent_run_id,
    nullIf(max(storage.reproduces), '') AS reproduces,
    argMax(storage.archived.is, storage.archived.version) = 1 AS archived,
    nullIf(max(storage.compute_target), '') AS compute_target,
    nullIf(max(storage.snapshot_id), '') AS snapshot_id,
    nullIf(max(storage.spec), '') AS spec,
    nullIf(argMax(storage.claim.worker_id, storage.claim.version), '') AS worker_id,
    argMax(storage.claim.node, storage.claim.version) AS node,
    argMax(storage.claim.gpus, storage.claim.version) AS gpus,
    max(storage.exit).code AS exit_code,
    nullIf(max(storage.exit).signal, '') AS signal,
    nullIf(argMax(storage.error.code, storage.error.version), '') AS error_code,
    argMax(storage.error.message, storage.error.version) AS error_message,
    argMax(storage.error.details, storage.error.version) AS error_details,
    argMax(storage.cancel.reason, storage.cancel.version) AS cancel_reason,
    nullIf(argMax(storage.environment.json, storage.environment.version), '') AS environment,
    storage.run_id AS run_uuid
FROM {storage}.runs AS storage
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs)
GROUP BY workspace, storage.run_id;

CREATE OR REPLACE VIEW runhistory.rollup AS
WITH
    bitOr(bitShiftLeft(bitXor(toUInt256(reinterpretAsUInt64(storage.last.step)), toUInt256(9223372036854775808)), 192),
        bitOr(bitShiftLeft(toUInt256(toUnixTimestamp64Micro(storage.last.time)), 138),
        bitOr(bitShiftLeft(toUInt256(storage.last.seq), 84),
        bitOr(bitShiftLeft(toUInt256(storage.last.position), 64), toUInt256(storage.last.bits))))) AS place,
    max(place) AS newest
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    key,
    attempt,
    bucket,
    if(min(value_min) > max(value_max), NULL, min(value_min)) AS min,
    if(min(value_min) > max(value_max), NULL, max(value_max)) AS max,
    reinterpretAsFloat64(toUInt64(newest)) AS last,
    fromUnixTimestamp64Micro(toInt64(bitAnd(bitShiftRight(newest, 138), toUInt256(18014398509481983))), 'UTC') AS last_time,
    min(storage.first_step) AS first_step,
    max(storage.last.step) AS last_step,
    storage.run_id AS run_uuid
FROM {storage}.rollup AS storage
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs)
GROUP BY workspace, storage.run_id, key, attempt, bucket;

CREATE OR REPLACE VIEW runhistory.series AS
WITH
    bitOr(bitShiftLeft(bitXor(toUInt256(reinterpretAsUInt64(storage.last.step)), toUInt256(9223372036854775808)), 192),
        bitOr(bitShiftLeft(toUInt256(toUnixTimestamp64Micro(storage.last.time)), 138),
        bitOr(bitShiftLeft(toUInt256(storage.last.seq), 84),
        bitOr(bitShiftLeft(toUInt256(storage.last.position), 64), toUInt256(storage.last.bits))))) AS place,
    max(place) AS newest
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    key,
    attempt,
    if(min(value_min) > max(value_max), NULL, min(value_min)) AS min,
    if(min(value_min) > max(value_max), NULL, max(value_max)) AS max,
    reinterpretAsFloat64(toUInt64(newest)) AS last,
    fromUnixTimestamp64Micro(toInt64(bitAnd(bitShiftRight(newest, 138), toUInt256(18014398509481983))), 'UTC') AS last_time,
    min(storage.first_step) AS first_step,
    max(storage.last.step) AS last_step,
    storage.run_id AS run_uuid
FROM {storage}.rollup AS storage
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs)
GROUP BY workspace, storage.run_id, key, attempt;

-- A row is what one batch says of one key, its points as arrays. What can be told of a batch as a
-- whole need not be asked of each of its points; `points` unfolds them.
CREATE OR REPLACE VIEW runhistory.point_batches AS
SELECT
    workspace,
    lower(hex(storage.run_id)) AS run_id,
    key,
    attempt,
    writer,
    seq,
    steps,
    `values`,
    times,
    indexes,
    bitNot(precedence) AS offset,
    storage.run_id AS run_uuid
FROM {storage}.points AS storage FINAL
WHERE storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs);
