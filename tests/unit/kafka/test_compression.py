"""What producers compress: with which level, and that it is read back as it was."""

import cramjam
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

from runhistory.kafka.compression import LEVEL, compress_at_level_1

VALUES = [b"%d,%d;" % (number, number * 7919 % 1_000) * 50 for number in range(100)]


def packed() -> bytes:
    """A batch of VALUES as a producer sends it."""
    builder = BatchBuilder(1_000_000, DefaultRecordBatch.CODEC_ZSTD)
    for value in VALUES:
        assert builder.append(timestamp=None, key=b"run", value=value) is not None
    return bytes(builder._build())


def test_batches_are_compressed_with_level_1_and_read_back() -> None:
    compress_at_level_1()
    batch = DefaultRecordBatch(packed())
    assert batch.compression_type == DefaultRecordBatch.CODEC_ZSTD
    assert [record.value for record in batch] == VALUES
    payload = packed()[61:]  # behind the header of a batch (KIP-98)
    records = bytes(cramjam.zstd.decompress(payload))
    of_level = [bytes(cramjam.zstd.compress(records, level=level)) for level in (LEVEL, 3)]
    assert of_level[0] != of_level[1]
    assert payload == of_level[0]
