"""The broker's storage: formatted once and whole, never touched again."""

from pathlib import Path

import pytest

from runhistory.stack.kafka_broker import BrokerFailed, KafkaBroker, prepare
from runhistory.stack.kafka_jars import ensure_jars

pytestmark = pytest.mark.infrastructure


@pytest.fixture
def broker(tmp_path: Path) -> KafkaBroker:
    """Only prepared here, never started, so the ports do not matter."""
    return KafkaBroker(tmp_path / "kafka é", port=1, controller_port=2)


def test_storage_is_formatted_once(broker: KafkaBroker) -> None:
    jars = ensure_jars()
    prepare(broker, jars)
    identity = (broker.directory / "log" / "meta.properties").read_text()
    assert "cluster.id=" in identity

    prepare(broker, jars)

    assert (broker.directory / "log" / "meta.properties").read_text() == identity


def test_a_format_that_was_killed_is_done_again(broker: KafkaBroker) -> None:
    half = broker.directory / "log.new"
    half.mkdir(parents=True)
    (half / "meta.properties").write_text("cut off in the")

    prepare(broker, ensure_jars())

    assert not half.exists()
    assert "cluster.id=" in (broker.directory / "log" / "meta.properties").read_text()


def test_kafka_that_cannot_format_says_why(broker: KafkaBroker) -> None:
    with pytest.raises(BrokerFailed, match="could not format"):
        prepare(broker, [])

    assert not (broker.directory / "log").exists()
