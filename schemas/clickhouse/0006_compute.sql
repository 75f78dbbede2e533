-- Compute targets, from the events about them on run.events, and their nodes, from compute.events:
-- one message of which (node.started.v1, node.ready.v1, …) is one row of the landing table.

CREATE TABLE IF NOT EXISTS {storage}.compute_targets
(
    workspace LowCardinality(String),
    target_id FixedString(16),
    name String,
    min_nodes UInt32,
    max_nodes UInt32,
    idle_seconds UInt32,
    slots UInt32,
    is_deleted Bool,
    time DateTime64(6, 'UTC'),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (workspace, target_id);

-- What a pool leaves out has its default (NodePool in domain/values.py).
CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.compute_targets_from_landing TO {storage}.compute_targets AS
SELECT
    JSONExtractString(data, 'workspace') AS workspace,
    toFixedString(unhex(JSONExtractString(data, 'run_id')), 16) AS target_id,
    JSONExtractString(data, 'name') AS name,
    toUInt32(JSONExtractUInt(pool, 'min_nodes')) AS min_nodes,
    toUInt32(if(JSONHas(pool, 'max_nodes'), JSONExtractUInt(pool, 'max_nodes'), 1)) AS max_nodes,
    toUInt32(if(JSONHas(pool, 'idle_seconds'), JSONExtractUInt(pool, 'idle_seconds'), 120)) AS idle_seconds,
    toUInt32(if(JSONHas(pool, 'slots'), JSONExtractUInt(pool, 'slots'), 1)) AS slots,
    type = 'compute_target.deleted.v1' AS is_deleted,
    parseDateTime64BestEffort(time, 6, 'UTC') AS time,
    JSONExtractUInt(data, 'version') AS version
FROM
(
    SELECT type, time, data, JSONExtractRaw(data, 'pool') AS pool
    FROM {storage}.events_landing
    WHERE type LIKE 'compute_target.%'
);

CREATE TABLE IF NOT EXISTS {storage}.nodes_landing
(
    _p UInt32 COMMENT 'Kafka partition',
    _o UInt64 COMMENT 'Kafka offset',
    _t Int64 COMMENT 'Kafka time, ms since 1970',
    type LowCardinality(String),
    workspace LowCardinality(String),
    target_id String COMMENT '32 hex digits',
    compute_target String,
    node String,
    worker_id String,
    life UInt32,
    slots UInt32,
    time String COMMENT 'RFC 3339',
    message String,
    CONSTRAINT workspace_is_given CHECK workspace != '',
    CONSTRAINT target_id_is_whole CHECK length(target_id) = 32,
    CONSTRAINT node_is_given CHECK node != ''
)
ENGINE = Null;

-- Of one node the newest life counts, and of that the last that can be said.
CREATE TABLE IF NOT EXISTS {storage}.nodes
(
    workspace LowCardinality(String),
    target_id FixedString(16),
    node String,
    compute_target String,
    worker_id String,
    life UInt32,
    status LowCardinality(String),
    slots UInt32,
    time DateTime64(6, 'UTC'),
    message String,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (workspace, target_id, node);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.nodes_from_landing TO {storage}.nodes AS
SELECT
    workspace,
    toFixedString(unhex(target_id), 16) AS target_id,
    node,
    compute_target,
    worker_id,
    life,
    multiIf(type = 'node.started.v1', 'Starting', type = 'node.ready.v1', 'Ready', type = 'node.lost.v1', 'Lost', 'Released') AS status,
    slots,
    parseDateTime64BestEffort(time, 6, 'UTC') AS time,
    message,
    toUInt64(life) * 4 + multiIf(type = 'node.started.v1', 1, type = 'node.ready.v1', 2, 3) AS version
FROM {storage}.nodes_landing;

-- The targets that were declared; `local` is there without that.
CREATE OR REPLACE VIEW runhistory.compute_targets AS
SELECT
    workspace,
    name,
    min_nodes,
    max_nodes,
    idle_seconds,
    slots,
    time AS updated,
    lower(hex(storage.target_id)) AS target_id
FROM {storage}.compute_targets AS storage FINAL
WHERE NOT is_deleted;

-- Every node that there was, as it is now: Starting, Ready, Released or Lost.
CREATE OR REPLACE VIEW runhistory.nodes AS
SELECT
    workspace,
    compute_target,
    node,
    status,
    time AS since,
    worker_id,
    slots,
    life,
    message,
    lower(hex(storage.target_id)) AS target_id
FROM {storage}.nodes AS storage FINAL;
