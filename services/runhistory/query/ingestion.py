"""What arrived of a run, from the numbers and hashes of its batches."""

from clickhouse_connect.driver.client import Client

from runhistory.domain.ingestion import (
    MOST_LISTED,
    ChangedBatch,
    Ingestion,
    SeqRange,
    WriterIngestion,
)
from runhistory.query.rows import Row, read


def load_ingestion(client: Client, *, workspace: str, run_id: str) -> Ingestion:
    """Each writer's batches, by attempt, writer and topic.

    Raises:
        EngineUnavailable
    """
    found = read(
        client,
        """
        SELECT
            topic, attempt, writer, count(), sum(points), max(seq), min(received), max(received),
            sum(missing),
            arraySlice(arraySort(groupArrayIf((number - missing, number - 1), missing > 0)),
                1, {most:UInt32}),
            countIf(contents > 1),
            arraySlice(arraySort(groupArrayIf((seq, contents), contents > 1)), 1, {most:UInt32})
        FROM (
            SELECT
                topic, attempt, writer, seq,
                toInt64(seq) AS number,
                argMin(batch.points, batch.offset) AS points,
                min(batch.received) AS received,
                count() AS contents,
                number - 1 - lagInFrame(number, 1, -1) OVER (
                    PARTITION BY topic, attempt, writer ORDER BY number
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                ) AS missing
            FROM runhistory.batches AS batch
            WHERE workspace = {workspace:String} AND run_uuid = unhex({run_id:String})
            GROUP BY topic, attempt, writer, seq
        )
        GROUP BY topic, attempt, writer
        ORDER BY attempt, writer, topic
        """,
        workspace=workspace,
        run_id=run_id,
        most=MOST_LISTED,
    )
    writers = [_writer(row) for row in found]
    return Ingestion(writers, all(writer.is_whole for writer in writers))


def _writer(row: Row) -> WriterIngestion:
    topic, attempt, writer, batches, points, last_seq, first, last = row[:8]
    missing_batches, missing, changed_batches, changed = row[8:]
    return WriterIngestion(
        topic=topic,
        attempt=attempt,
        writer=writer,
        batches=batches,
        points=points,
        last_seq=last_seq,
        first_received=first,
        last_received=last,
        missing_batches=missing_batches,
        missing=[SeqRange(*bounds) for bounds in missing],
        changed_batches=changed_batches,
        changed=[ChangedBatch(*one) for one in changed],
    )
