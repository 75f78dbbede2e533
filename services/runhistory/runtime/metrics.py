"""Every Prometheus metric of the program, declared here and nowhere else."""

from typing import Final

from prometheus_client import Counter, Histogram

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
