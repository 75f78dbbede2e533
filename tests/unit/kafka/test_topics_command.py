"""`python -m runhistory.kafka.topics`: what it is told wrongly is refused with the name of it."""

import pytest

from runhistory.kafka.topics import main


@pytest.mark.parametrize("replication", ["0", "-1", "three", "1.5"])
def test_a_replication_that_is_none_is_refused(replication: str) -> None:
    told = {"RUNHISTORY_KAFKA": "127.0.0.1:9", "RUNHISTORY_KAFKA_REPLICATION": replication}
    with pytest.raises(SystemExit, match="RUNHISTORY_KAFKA_REPLICATION"):
        main(told)


def test_without_a_broker_nothing_is_tried() -> None:
    with pytest.raises(SystemExit, match="RUNHISTORY_KAFKA has to name"):
        main({})


def test_a_broker_that_is_away_is_told() -> None:
    with pytest.raises(SystemExit, match="not as they have to be"):
        main({"RUNHISTORY_KAFKA": "127.0.0.1:9"})
