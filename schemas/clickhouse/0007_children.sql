-- Children by their parent. The parent is said once, by the event that created the run: whatever
-- rows of a run are not merged yet, exactly those with the parent's id tell of a child.

ALTER TABLE {storage}.runs ADD INDEX IF NOT EXISTS parents parent_run_id TYPE bloom_filter(0.001) GRANULARITY 1;

CREATE OR REPLACE VIEW runhistory.children AS
SELECT DISTINCT workspace, parent_run_id, lower(hex(storage.run_id)) AS run_id, storage.run_id AS run_uuid
FROM {storage}.runs AS storage
WHERE parent_run_id != '' AND storage.run_id NOT IN (SELECT run_id FROM {storage}.deleted_runs);
