"""What lies in run.metrics.dlq."""

import asyncio

from runhistory.kafka.clients import open_consumer


async def dead_letters(bootstrap: str) -> list[bytes]:
    """The values of all dead letters of run.metrics, in order."""
    consumer = await open_consumer(bootstrap, "run.metrics.dlq", client_id="test")
    try:
        found: list[bytes] = []
        async with asyncio.timeout(30):
            partitions = sorted(consumer.assignment())
            ends = await consumer.end_offsets(partitions)
            while any([await consumer.position(one) < ends[one] for one in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [record.value or b"" for record in records]
        return found
    finally:
        await consumer.stop()
