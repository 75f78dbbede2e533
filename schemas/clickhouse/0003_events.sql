-- Events: one message of run.events is one row of the landing table; `data` is its JSON.
-- Analysing a view is most of what a small INSERT costs, and grows with how often a tuple stands in
-- it, times that tuple's length: so each view parses `data` in a subquery, into few short tuples.
--
-- An event's `version` (1, 2, 3, … within its run) orders the facts about a run, so the newest
-- of each is max((version, fact)): in any order of arrival, and however often it arrives.

CREATE TABLE IF NOT EXISTS {storage}.events_landing
(
    _p UInt32 COMMENT 'Kafka partition',
    _o UInt64 COMMENT 'Kafka offset',
    _t Int64 COMMENT 'Kafka time, ms since 1970',
    id String,
    type LowCardinality(String),
    source LowCardinality(String),
    subject String,
    time String COMMENT 'RFC 3339, when it was decided',
    data String COMMENT 'JSON',
    CONSTRAINT id_is_given CHECK id != '',
    CONSTRAINT type_is_given CHECK type != '',
    CONSTRAINT data_name_the_run CHECK length(JSONExtractString(data, 'run_id')) = 32
        AND JSONExtractString(data, 'workspace') != '' AND JSONExtractUInt(data, 'version') > 0
)
ENGINE = Null;

CREATE TABLE IF NOT EXISTS {storage}.events
(
    workspace LowCardinality(String),
    run_id FixedString(16),
    version UInt64 CODEC(Delta, ZSTD(1)),
    partition UInt32,
    offset UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    type LowCardinality(String),
    source LowCardinality(String),
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    received DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    command_id String CODEC(ZSTD(1)),
    status LowCardinality(String) COMMENT 'of the run after the event; empty for experiments',
    attempt UInt32,
    data String CODEC(ZSTD(3)),
    precedence UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (workspace, run_id, version);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.events_from_landing TO {storage}.events AS
SELECT
    event.workspace AS workspace,
    toFixedString(unhex(event.run_id), 16) AS run_id,
    event.version AS version,
    _p AS partition,
    _o AS offset,
    id,
    type,
    source,
    decided AS time,
    fromUnixTimestamp64Milli(_t, 'UTC') AS received,
    event.command_id AS command_id,
    event.status AS status,
    event.attempt AS attempt,
    data,
    bitNot(_o) AS precedence
FROM
(
    SELECT
        * EXCEPT (time, subject),
        parseDateTime64BestEffort(time, 6, 'UTC') AS decided,
        JSONExtract(data, 'Tuple(workspace String, run_id String, version UInt64, command_id String, status String, attempt UInt32)') AS event
    FROM {storage}.events_landing
);

-- Deleted runs: their rows are erased from all other tables but `events` (the log's copy), and
-- what comes late stays hidden, because every view leaves out the runs that stand here.
CREATE TABLE IF NOT EXISTS {storage}.deleted_runs
(
    workspace LowCardinality(String),
    run_id FixedString(16),
    time DateTime64(6, 'UTC') COMMENT 'when the deletion was decided'
)
ENGINE = ReplacingMergeTree
ORDER BY (workspace, run_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.deleted_runs_from_landing TO {storage}.deleted_runs AS
SELECT
    JSONExtractString(data, 'workspace') AS workspace,
    toFixedString(unhex(JSONExtractString(data, 'run_id')), 16) AS run_id,
    parseDateTime64BestEffort(time, 6, 'UTC') AS time
FROM {storage}.events_landing
WHERE type = 'run.deleted.v1';

-- Deleted runs whose rows were erased and whose blobs were let go: written by the sink's eraser.
CREATE TABLE IF NOT EXISTS {storage}.erasures
(
    workspace LowCardinality(String),
    run_id FixedString(16),
    time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (workspace, run_id);

CREATE TABLE IF NOT EXISTS {storage}.runs
(
    workspace LowCardinality(String),
    run_id FixedString(16),
    -- said once: the empty value of all other events never wins
    experiment_id SimpleAggregateFunction(max, String),
    experiment SimpleAggregateFunction(max, String),
    type SimpleAggregateFunction(max, String),
    created_by SimpleAggregateFunction(max, String),
    parent_run_id SimpleAggregateFunction(max, String),
    reproduces SimpleAggregateFunction(max, String),
    compute_target SimpleAggregateFunction(max, String),
    snapshot_id SimpleAggregateFunction(max, String),
    spec SimpleAggregateFunction(max, String) COMMENT 'JSON; empty for an interactive run',
    created SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    -- the newest version's
    state SimpleAggregateFunction(max, Tuple(version UInt64, status String, attempt UInt32, time DateTime64(6, 'UTC'))),
    display_name SimpleAggregateFunction(max, Tuple(version UInt64, text String)),
    description SimpleAggregateFunction(max, Tuple(version UInt64, text String)),
    archived SimpleAggregateFunction(max, Tuple(version UInt64, is UInt8)),
    started SimpleAggregateFunction(max, Tuple(version UInt64, time DateTime64(6, 'UTC'))),
    ended SimpleAggregateFunction(max, Tuple(version UInt64, time DateTime64(6, 'UTC'))),
    claim SimpleAggregateFunction(max, Tuple(version UInt64, worker_id String, node String, gpus Array(String))),
    exit SimpleAggregateFunction(max, Tuple(version UInt64, code Nullable(Int64), signal String)),
    error SimpleAggregateFunction(max, Tuple(version UInt64, code String, message String, details String)),
    cancel SimpleAggregateFunction(max, Tuple(version UInt64, reason String)),
    environment SimpleAggregateFunction(max, Tuple(version UInt64, json String)) COMMENT 'what the script really runs in'
)
ENGINE = AggregatingMergeTree
ORDER BY (workspace, run_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.runs_from_landing TO {storage}.runs AS
SELECT
    workspace,
    toFixedString(unhex(id), 16) AS run_id,
    experiment_id,
    experiment,
    kind AS type,
    created_by,
    parent_run_id,
    reproduces,
    compute_target,
    if(event_type = 'run.snapshot_taken.v1', taken, submitted) AS snapshot_id,
    if(raw_spec = 'null', '', raw_spec) AS spec,
    if(event_type = 'run.created.v1', decided, never) AS created,
    (version, status, attempt, decided) AS state,
    (if(isNull(name), 0, version), ifNull(name, '')) AS display_name,
    if(event_type = 'run.created.v1', (version, first_text), (if(isNull(text), 0, version), ifNull(text, ''))) AS description,
    (if(event_type IN ('run.archived.v1', 'run.reactivated.v1'), version, 0), event_type = 'run.archived.v1') AS archived,
    -- a claim begins a new attempt: what the attempt before it came to is over
    (if(event_type IN ('run.started.v1', 'run.claimed.v1'), version, 0), if(event_type = 'run.started.v1', decided, never)) AS started,
    (if(is_end, version, 0), if(is_end, decided, never)) AS ended,
    -- before a worker claims it, a node may be started for it: then that is where it will be
    (if(event_type IN ('run.provisioning.v1', 'run.claimed.v1'), version, 0), worker_id, node, gpus) AS claim,
    (if(event_type IN ('run.exited.v1', 'run.claimed.v1'), version, 0), exit_code, signal) AS exit,
    (if(event_type IN ('run.failed.v1', 'run.claimed.v1'), version, 0), code, message, details) AS error,
    (if(event_type = 'run.cancel_requested.v1', version, 0), reason) AS cancel,
    (if(event_type = 'run.environment_recorded.v1', version, 0), raw_environment) AS environment
FROM
(
    SELECT
        event_type,
        event_type IN ('run.completed.v1', 'run.failed.v1', 'run.canceled.v1') AS is_end,
        decided,
        toDateTime64(0, 6, 'UTC') AS never,
        raw_spec,
        raw_environment,
        event.1 AS workspace, event.2 AS id, event.3 AS version, event.4 AS status, event.5 AS attempt,
        event.6 AS experiment_id, event.7 AS name, event.8 AS text, event.9 AS taken, event.10 AS reason,
        claimed.1 AS worker_id, claimed.2 AS node, claimed.3 AS gpus, exited.1 AS exit_code, exited.2 AS signal,
        failed.1 AS code, failed.2 AS message, failed.3 AS details,
        content.1 AS kind, content.2 AS experiment, content.3 AS first_text, content.4 AS created_by,
        content.5 AS parent_run_id, content.6 AS reproduces, asked.1 AS compute_target, asked.2 AS submitted
    FROM
    (
        SELECT
            type AS event_type,
            parseDateTime64BestEffort(time, 6, 'UTC') AS decided,
            JSONExtractRaw(data, 'content', 'spec') AS raw_spec,
            JSONExtractRaw(data, 'environment') AS raw_environment,
            JSONExtract(data, 'Tuple(workspace String, run_id String, version UInt64, status String, attempt UInt32, experiment_id String, display_name Nullable(String), description Nullable(String), snapshot_id String, reason String)') AS event,
            JSONExtract(data, 'Tuple(worker_id String, node String, gpus Array(String))') AS claimed,
            JSONExtract(data, 'Tuple(exit_code Nullable(Int64), signal String)') AS exited,
            JSONExtract(data, 'error', 'Tuple(code String, message String, details String)') AS failed,
            JSONExtract(data, 'content', 'Tuple(type String, experiment String, description String, created_by String, parent_run_id String, reproduces String)') AS content,
            JSONExtract(data, 'content', 'spec', 'Tuple(compute_target String, snapshot_id String)') AS asked
        FROM {storage}.events_landing
        WHERE type LIKE 'run.%'
    )
);

-- What is said in names and values: tags, properties and params of runs, tags of experiments. The
-- newest version of each name wins; within one event a name stands once.
CREATE TABLE IF NOT EXISTS {storage}.pairs
(
    workspace LowCardinality(String),
    kind Enum8('tag' = 1, 'property' = 2, 'param' = 3, 'experiment_tag' = 4),
    run_id FixedString(16) COMMENT 'or the id of an experiment',
    name LowCardinality(String),
    value String,
    removed UInt8,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (workspace, kind, run_id, name);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.pairs_from_landing TO {storage}.pairs AS
SELECT
    event.workspace AS workspace,
    pair.1 AS kind,
    toFixedString(unhex(event.run_id), 16) AS run_id,
    pair.2.1 AS name,
    pair.2.2 AS value,
    pair.3 AS removed,
    event.version AS version
FROM
(
    SELECT
        JSONExtract(data, 'Tuple(workspace String, run_id String, version UInt64, names Array(String))') AS event,
        if(type LIKE 'experiment.%', 'experiment_tag', 'tag') AS tag,
        if(type = 'run.created.v1', JSONExtractRaw(data, 'content'), data) AS said,
        arrayConcat(
            arrayMap(pair -> (tag, pair, 0), JSONExtractKeysAndValues(said, 'tags', 'String')),
            arrayMap(name -> (tag, (name, ''), 1), event.names),
            arrayMap(pair -> ('property', pair, 0), JSONExtractKeysAndValues(said, 'properties', 'String')),
            arrayMap(pair -> ('param', pair, 0), JSONExtractKeysAndValues(said, 'params', 'String'))
        ) AS pairs
    FROM {storage}.events_landing
    WHERE type IN (
        'run.created.v1', 'run.tags_set.v1', 'run.tags_removed.v1', 'run.properties_added.v1', 'run.params_added.v1',
        'experiment.created.v1', 'experiment.tags_set.v1', 'experiment.tags_removed.v1'
    )
)
ARRAY JOIN pairs AS pair;

CREATE TABLE IF NOT EXISTS {storage}.files
(
    workspace LowCardinality(String),
    run_id FixedString(16),
    attempt UInt32,
    name String,
    sha256 FixedString(32),
    size UInt64,
    content_type LowCardinality(String),
    time DateTime64(6, 'UTC'),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (workspace, run_id, attempt, name);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.files_from_landing TO {storage}.files AS
SELECT
    JSONExtractString(data, 'workspace') AS workspace,
    toFixedString(unhex(JSONExtractString(data, 'run_id')), 16) AS run_id,
    toUInt32(JSONExtractUInt(data, 'files_attempt')) AS attempt,
    file.name AS name,
    toFixedString(unhex(file.sha256), 32) AS sha256,
    file.size AS size,
    file.content_type AS content_type,
    parseDateTime64BestEffort(time, 6, 'UTC') AS time,
    JSONExtractUInt(data, 'version') * 65536 + position AS version
FROM {storage}.events_landing
ARRAY JOIN
    JSONExtract(data, 'files', 'Array(Tuple(name String, sha256 String, size UInt64, content_type String))') AS file,
    arrayEnumerate(JSONExtractArrayRaw(data, 'files')) AS position
WHERE type = 'run.files_added.v1';

-- What was said about an experiment by name, and that its runs speak of it. `version` counts its
-- own events: what was said before it was deleted does not hold for one that was created anew.
CREATE TABLE IF NOT EXISTS {storage}.experiments
(
    workspace LowCardinality(String),
    experiment_id FixedString(16),
    name SimpleAggregateFunction(max, String),
    description SimpleAggregateFunction(max, Tuple(version UInt64, text String)),
    archived SimpleAggregateFunction(max, Tuple(version UInt64, is UInt8)),
    last_word SimpleAggregateFunction(max, Tuple(version UInt64, type String)),
    deleted SimpleAggregateFunction(max, Tuple(version UInt64, time DateTime64(6, 'UTC'))),
    created SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    created_anew SimpleAggregateFunction(max, Tuple(version UInt64, time DateTime64(6, 'UTC'))),
    last_activity SimpleAggregateFunction(max, DateTime64(6, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (workspace, experiment_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS {storage}.experiments_from_landing TO {storage}.experiments AS
SELECT
    event.workspace AS workspace,
    toFixedString(unhex(if(by_name, event.run_id, event.experiment_id)), 16) AS experiment_id,
    if(by_name, event.name, event.content.experiment) AS name,
    (if(event_type IN ('experiment.created.v1', 'experiment.described.v1'), event.version, 0), if(by_name, event.description, '')) AS description,
    (if(event_type IN ('experiment.archived.v1', 'experiment.reactivated.v1'), event.version, 0), event_type = 'experiment.archived.v1') AS archived,
    (if(by_name, event.version, 0), if(by_name, event_type, '')) AS last_word,
    (if(event_type = 'experiment.deleted.v1', event.version, 0), if(event_type = 'experiment.deleted.v1', decided, never)) AS deleted,
    decided AS created,
    (if(event_type = 'experiment.created.v1', event.version, 0), if(event_type = 'experiment.created.v1', decided, never)) AS created_anew,
    decided AS last_activity
FROM
(
    SELECT
        type AS event_type,
        type LIKE 'experiment.%' AS by_name,
        parseDateTime64BestEffort(time, 6, 'UTC') AS decided,
        toDateTime64(0, 6, 'UTC') AS never,
        JSONExtract(data, 'Tuple(workspace String, run_id String, version UInt64, experiment_id String, name String, description String, content Tuple(experiment String))') AS event
    FROM {storage}.events_landing
    WHERE type LIKE 'experiment.%' OR type LIKE 'run.%'
)
WHERE by_name OR length(event.experiment_id) = 32;
