"""The part of `Run` that logs: numbers as points, everything else as records; and reads both.

All of it returns at once: the process's writer (metric_writer.py) sends in the background, files of
images, charts and large tables included.
"""

import logging
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, SupportsIndex

import msgspec

from runhistory.domain.ids import new_command_id
from runhistory.events.record_batch import RecordKind
from runhistory.sdk import heartbeats, record_values, run_metrics
from runhistory.sdk.batch import Attachment, Batch
from runhistory.sdk.charts import Chart, chart
from runhistory.sdk.detached import is_detached
from runhistory.sdk.farewell import writer_for
from runhistory.sdk.images import image
from runhistory.sdk.limits import spool_settings
from runhistory.sdk.metric_values import check_name
from runhistory.sdk.metric_writer import MetricWriter
from runhistory.sdk.run_client import RunClient
from runhistory.sdk.run_facts import RunFacts
from runhistory.sdk.spool_folder import WriterSpools

FLUSH_SECONDS: Final = 300.0

logger: Final = logging.getLogger("runhistory")

_told: set[str] = set()


class RunLogging(RunFacts):
    """Logging. A name has one order of what is logged under it, whatever kinds these are.

    Every `log_…` raises InvalidMetric, whose message names the metric, before anything is taken.
    """

    _writer: MetricWriter | None = None

    def log(
        self, name: str, value: Any, description: str = "", step: SupportsIndex | None = None
    ) -> None:
        """Log one value; returns at once, and a background thread sends it.

        `value` is an int, float or bool, or a scalar, 0-d array or tensor of those (NaN and
        infinities are kept), or a text or None. Without `step` what is logged under a name is
        counted 0, 1, 2, … in each process and attempt; `step` may be any 64-bit integer.
        `description` is not kept.

        Raises:
            InvalidMetric: name, value or step is wrong; the message names the metric.
        """
        if description:
            _say_not_kept("log")
        (self._writer or self._open_writer()).log(name, value, step)

    def log_metrics(self, metrics: Mapping[str, Any], step: SupportsIndex | None = None) -> None:
        """Log one value for each name, at one step: `run.log_metrics({"loss": 0.4, "acc": 0.9})`.

        Values are as in `log`. All of them are taken, or none when one is wrong. Without `step`
        each name is counted on.

        Raises:
            InvalidMetric: a name, value or the step is wrong; the message names the metric.
        """
        (self._writer or self._open_writer()).log_metrics(metrics, step)

    def log_series(self, name: str, steps: Any, values: Any, times: Any = None) -> None:
        """Log many points of one name at once: `run.log_series("loss", range(1000), losses)`.

        `steps`, `values` and `times` are lists, numpy arrays or torch tensors of one dimension and
        one length; what lies on a GPU is fetched in one go. They are copied before this returns.

        Args:
            steps: whole numbers of 64 bits, in any order.
            values: numbers; NaN and infinities are kept.
            times: when each was measured, in seconds since 1970 (`time.time()`), datetimes or
                numpy's datetime64; all now, without it.

        Raises:
            InvalidMetric: the lengths differ, or an element is wrong: the message has the name and
                the element's place, such as values[17]. Nothing was taken.
        """
        (self._writer or self._open_writer()).log_series(name, steps, values, times)

    def log_list(self, name: str, value: Iterable[Any], description: str = "") -> None:
        """Log each element, counted on; all of them, or none when one is wrong.

        Raises:
            InvalidMetric: the name or an element is wrong.
        """
        if description:
            _say_not_kept("log_list")
        (self._writer or self._open_writer()).log_list(name, value)

    def log_row(self, name: str, description: str | None = None, **columns: Any) -> None:
        """Log one row of a table: `run.log_row("epoch", loss=0.9, note="warm-up")`.

        Cells are numbers, booleans, texts or None. `get_metrics` gives one row as {column: cell},
        several as {column: [cells]}.

        Raises:
            InvalidMetric: no column, or a cell of another type.
        """
        if description:
            _say_not_kept("log_row")
        self._take(name, "row", record_values.row(check_name(name), columns))

    def log_table(self, name: str, value: dict[str, Any], description: str = "") -> None:
        """Log a table at once: a dict of columns, each a list of cells, all of one length (or
        each one cell: a single row).

        A later table or row of that name is put below it. One that is larger than a record may
        be becomes a file under `tables/`; it reads back alike.

        Raises:
            InvalidMetric: it is no dict of columns, they differ in length, or a cell is no
                number, text or None.
        """
        if description:
            _say_not_kept("log_table")
        columns = record_values.table(check_name(name), value)
        content = msgspec.json.encode(columns)
        if len(content) <= record_values.MAX_VALUE_BYTES:
            self._take(name, "table", columns)
        else:
            self._take(name, "table", None, _attachment("tables", name, "json", content))

    def log_image(
        self,
        name: str,
        path: Any = None,
        plot: Any = None,
        description: str = "",
        *,
        array: Any = None,
        step: SupportsIndex | None = None,
    ) -> None:
        """Log an image, kept as a file of the run under `images/`.

        Args:
            path: of a PNG or JPEG; its bytes are read now.
            plot: a matplotlib figure, or the pyplot module (its current figure).
            array: H×W, H×W×3 or H×W×4 of uint8, or of floats from 0 to 1; needs
                `runhistory[images]`.
            step: as in `log`.

        Raises:
            InvalidMetric: not one of the three was given, or it is no image.
        """
        if description:
            _say_not_kept("log_image")
        content, extension = image(check_name(name), path, plot, array)
        attachment = _attachment("images", name, extension, content)
        self._take(name, "image", None, attachment, step)

    def log_confusion_matrix(
        self, name: str, value: dict[str, Any] | str, description: str = ""
    ) -> None:
        """Log a confusion matrix in Azure ML's form, a dict or its JSON.

            {"schema_type": "confusion_matrix", "schema_version": "v1",
             "data": {"class_labels": ["cat", "dog"], "matrix": [[8, 2], [1, 9]]}}

        Kept as a file under `confusion_matrix/`; `get_metrics(populate=True)` gives the dict.

        Raises:
            InvalidMetric: it has another form; the message shows the right one.
        """
        self._log_chart("confusion_matrix", name, value, description)

    def log_accuracy_table(
        self, name: str, value: dict[str, Any] | str, description: str = ""
    ) -> None:
        """Log an accuracy table in Azure ML's form; `data` has probability_tables and
        percentile_tables (classes × thresholds × [TP, FP, TN, FN]), probability_thresholds,
        percentile_thresholds and class_labels. Kept under `accuracy_table/`.

        Raises:
            InvalidMetric: it has another form; the message shows the right one.
        """
        self._log_chart("accuracy_table", name, value, description)

    def log_residuals(self, name: str, value: dict[str, Any] | str, description: str = "") -> None:
        """Log a histogram of residuals in Azure ML's form; `data` has bin_edges and bin_counts.
        Kept under `residuals/`.

        Raises:
            InvalidMetric: it has another form; the message shows the right one.
        """
        self._log_chart("residuals", name, value, description)

    def log_predictions(
        self, name: str, value: dict[str, Any] | str, description: str = ""
    ) -> None:
        """Log predictions against truth in Azure ML's form; `data` has bin_averages, bin_errors,
        bin_counts and bin_edges. Kept under `predictions/`.

        Raises:
            InvalidMetric: it has another form; the message shows the right one.
        """
        self._log_chart("predictions", name, value, description)

    def flush(self, timeout_seconds: float = FLUSH_SECONDS) -> None:
        """Wait until everything logged so far is with the gateway, files included.

        Raises:
            FlushTimeout: not within `timeout_seconds`; it is kept, and sending goes on.
        """
        if self._writer is not None:
            self._writer.delivery.flush(timeout_seconds)

    def __getstate__(self) -> dict[str, Any]:
        """Without the writer: in another process the run has one of its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_writer"}

    def _read_metrics(
        self, name: str | None, populate: bool, attempts: run_metrics.Attempts
    ) -> dict[str, Any]:
        self.flush()
        return run_metrics.read(self._client, name, populate, attempts)

    def _log_chart(self, kind: Chart, name: str, value: Any, description: str) -> None:
        if description:
            _say_not_kept(f"log_{kind}")
        found = record_values.numbers_as_json(chart(check_name(name), kind, value))
        content = msgspec.json.encode(found)
        self._take(name, kind, None, _attachment(kind, name, "json", content))

    def _take(
        self,
        name: str,
        kind: RecordKind,
        value: Any,
        attachment: Attachment | None = None,
        step: SupportsIndex | None = None,
    ) -> None:
        """Log one record, checked already."""
        writer = self._writer or self._open_writer()
        writer.log_record(name, kind, value, step, attachment)

    def _open_writer(self) -> MetricWriter:
        attempt, client = self.attempt, self._client
        key = (client.connection.address, client.run_id, attempt)
        settings = spool_settings()
        if is_detached():  # what is sent goes to the disk anyway
            settings = settings._replace(root=None)
        self._writer = writer_for(
            key,
            lambda on_start: MetricWriter(
                lambda batch: client.send_points(attempt, batch.body),
                lambda batch: client.send_records(attempt, batch),
                lambda batch: _tell_end(client, batch),
                f"run {client.run_id}",
                spools=lambda writer: WriterSpools.of(settings, *key, writer),
                outage=client.connection.outage,
                on_start=on_start,
            ),
        )
        return self._writer


def _tell_end(client: RunClient, batch: Batch) -> None:
    client.send_command(batch.body)
    heartbeats.end(client.run_id)


def _attachment(folder: str, name: str, extension: str, content: bytes) -> Attachment:
    """A file for what was logged as `name`; no other call, in any process, makes the same name."""
    parts = name.replace("\\", "_").split("/")
    clean = "/".join("_" if part in ("", ".", "..") else part for part in parts)
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    file = f"{folder}/{clean}_{now}_{secrets.token_hex(2)}.{extension}"
    return Attachment(file, content, new_command_id())


def _say_not_kept(method: str) -> None:
    """Descriptions of single metrics are Azure ML's; say once for each method that none is kept."""
    if method not in _told:
        _told.add(method)
        logger.warning(
            "runhistory: %s(description=…) is not kept. Say it in run.description or a tag.", method
        )
