-- Up to when the raw points of a workspace have expired (RUNHISTORY_POINTS_DAYS of the sink): of
-- batches that Kafka took in before that, `points` has none, and a rebuild brings none back. The
-- rollup, and `series` with it, keep what was made of them.

CREATE TABLE IF NOT EXISTS {storage}.expiries
(
    workspace LowCardinality(String),
    before DateTime64(3, 'UTC') COMMENT 'by the time of Kafka'
)
ENGINE = ReplacingMergeTree(before)
ORDER BY workspace;

CREATE OR REPLACE VIEW runhistory.expiries AS
SELECT workspace, before
FROM {storage}.expiries FINAL;
