"""Every Prometheus metric of the program, declared here and nowhere else."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

# Lifecycle: one count for each command decided, by what came of it.
LIFECYCLE_COMMANDS: Final = Counter(
    "runhistory_lifecycle_commands_total",
    "Commands decided, by outcome (accepted, unchanged, refused, malformed).",
    ["outcome"],
)
# Lifecycle: from the first record read to the transaction's commit.
LIFECYCLE_TRANSACTION_SECONDS: Final = Histogram(
    "runhistory_lifecycle_transaction_seconds",
    "Time to decide one batch of commands and commit its transaction.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
)
# Lifecycle: transactions that had to be given up (fenced, broker away).
LIFECYCLE_ABORTS: Final = Counter(
    "runhistory_lifecycle_aborts_total", "Transactions given up, by reason.", ["reason"]
)

# Sink: what has been stored and committed. Bytes are the records' values; points are counted
# while splicing (an upper bound for a writer that formats its JSON unlike ours).
SINK_RECORDS: Final = Counter(
    "runhistory_sink_records_total", "Records stored and committed.", ["topic"]
)
SINK_BYTES: Final = Counter(
    "runhistory_sink_bytes_total", "Bytes of the records stored and committed.", ["topic"]
)
SINK_POINTS: Final = Counter(
    "runhistory_sink_points_total", "Metric points in the records stored and committed."
)
# Sink: one observation for each INSERT that ClickHouse accepted.
SINK_INSERT_SECONDS: Final = Histogram(
    "runhistory_sink_insert_seconds",
    "Time of one INSERT into a landing table and all of its targets.",
    ["table"],
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60),
)
SINK_INSERT_RECORDS: Final = Histogram(
    "runhistory_sink_insert_records",
    "Records in one INSERT.",
    ["table"],
    buckets=(1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000),
)
# Sink: what ClickHouse makes of the records of one INSERT.
SINK_INSERT_ROWS: Final = Histogram(
    "runhistory_sink_insert_rows",
    "Rows (points, lines, records, events) of one INSERT.",
    ["table"],
    buckets=(1, 10, 100, 1_000, 10_000, 30_000, 100_000, 300_000, 1_000_000),
)
# Sink: from Kafka's time of a batch's oldest record to the commit that covers it.
SINK_VISIBLE_SECONDS: Final = Histogram(
    "runhistory_sink_visible_seconds",
    "Age of a batch's oldest record when it had become visible.",
    buckets=(0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 30, 300),
)
# Sink: how far behind it is, measured every few seconds.
SINK_LAG: Final = Gauge(
    "runhistory_sink_lag_records", "Records not yet stored.", ["topic", "partition"]
)
SINK_WATERMARK_AGE: Final = Gauge(
    "runhistory_sink_watermark_age_seconds",
    "Age of the oldest record that has been read and is not stored yet; 0 without one.",
)
# Sink: trouble.
ERASED_RUNS: Final = Counter("runhistory_erased_runs_total", "Deleted runs whose rows were erased.")
EXPIRY_FAILURES: Final = Counter(
    "runhistory_expiry_failures_total", "Looks for expired points that failed; they are repeated."
)
ERASURE_FAILURES: Final = Counter(
    "runhistory_erasure_failures_total", "Looks for deleted runs that failed; they are repeated."
)
PURGED_OBJECTS: Final = Counter(
    "runhistory_purged_objects_total", "Objects that were deleted for good.", ["kind"]
)
SINK_FAILURES: Final = Counter(
    "runhistory_sink_failures_total", "Attempts to store a batch that failed and are repeated."
)
SINK_SUPERSEDED: Final = Counter(
    "runhistory_sink_superseded_total", "Batches forgotten because the group rebalanced."
)
SINK_DEAD_LETTERS: Final = Counter(
    "runhistory_sink_dead_letters_total", "Records buried in a dead-letter topic.", ["topic"]
)

# Gateway: one count for each request, by the route's template (never a raw path).
GATEWAY_REQUESTS: Final = Counter(
    "runhistory_gateway_requests_total",
    "HTTP requests answered, by method, route and status.",
    ["method", "route", "status"],
)
# Gateway: from the request's head to the last byte of the answer, bodies included.
GATEWAY_REQUEST_SECONDS: Final = Histogram(
    "runhistory_gateway_request_seconds",
    "Time to answer an HTTP request, by method and route.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
# Gateway: batches that all in-sync replicas have; repetitions by clients count again.
GATEWAY_BATCHES: Final = Counter(
    "runhistory_gateway_batches_total", "Batches appended, by topic.", ["topic"]
)
GATEWAY_BATCH_BYTES: Final = Counter(
    "runhistory_gateway_batch_bytes_total",
    "Bytes of batches appended, before compression, by topic.",
    ["topic"],
)
GATEWAY_POINTS: Final = Counter(
    "runhistory_gateway_points_total", "Metric points appended; repetitions count again."
)
# Gateway: how many points clients put into a batch.
GATEWAY_BATCH_POINTS: Final = Histogram(
    "runhistory_gateway_batch_points",
    "Points of a batch that was appended.",
    buckets=(1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 20_000),
)
# Gateway: memory for batches; beyond its bound they are refused.
GATEWAY_PENDING_BYTES: Final = Gauge(
    "runhistory_gateway_pending_bytes",
    "Bytes of batches that are being read or wait for Kafka's acknowledgement.",
)

# Gateway: subscribers to events (server-sent events).
GATEWAY_SUBSCRIBERS: Final = Gauge("runhistory_gateway_subscribers", "Event streams open now.")
GATEWAY_EVENTS_SENT: Final = Counter(
    "runhistory_gateway_events_sent_total", "Events given to subscribers."
)
GATEWAY_SUBSCRIBERS_BEHIND: Final = Counter(
    "runhistory_gateway_subscribers_behind_total",
    "Times a subscriber was too slow for the tail and had to read from Kafka itself.",
)

# Worker: one count for each claim, by the status in which its run ended (or declined, broken).
WORKER_ATTEMPTS: Final = Counter(
    "runhistory_worker_attempts_total", "Claims that came to an end, by outcome.", ["outcome"]
)
# Worker: slots that no attempt has now.
WORKER_FREE_SLOTS: Final = Gauge("runhistory_worker_free_slots", "Slots that are free.")
# Worker: runs of its target that no worker has taken yet.
WORKER_WAITING_RUNS: Final = Gauge("runhistory_worker_waiting_runs", "Runs that are Queued.")

# Scheduler: worker processes that it started and that live.
SCHEDULER_NODES: Final = Gauge("runhistory_scheduler_nodes", "Nodes that live.")
# Scheduler: runs of all compute targets that no worker has taken yet.
SCHEDULER_WAITING_RUNS: Final = Gauge("runhistory_scheduler_waiting_runs", "Runs that wait.")

# Watch: what it said, repetitions included; the lifecycle applies each once.
WATCH_COMMANDS: Final = Counter(
    "runhistory_watch_commands_total", "Commands sent by the watch service, by type.", ["type"]
)
# Watch: attempts that a heartbeat is expected of.
WATCH_RUNS: Final = Gauge("runhistory_watch_attempts", "Attempts that are watched.")
# Watch: when runs were last judged (seconds since 1970); an old one means that nobody is.
WATCH_JUDGED_SECONDS: Final = Gauge(
    "runhistory_watch_judged_timestamp_seconds", "When all runs were judged last."
)
