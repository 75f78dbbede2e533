"""Ready means that nothing which the sink needs is broken."""

from http import HTTPStatus

from runhistory.runtime.health import Health
from runhistory.sink.conditions import Conditions


def test_not_ready_until_everything_has_been_seen_to_hold() -> None:
    health = Health("sink")
    conditions = Conditions(health, "kafka", "clickhouse")
    assert health.report()[0] == HTTPStatus.SERVICE_UNAVAILABLE
    conditions.mended("kafka")
    assert not conditions.whole
    assert health.report()[1]["reason"] == "clickhouse: not seen yet"
    conditions.mended("clickhouse")
    assert conditions.whole
    assert health.report()[0] == HTTPStatus.OK


def test_every_reason_is_shown_and_the_newest_of_each() -> None:
    health = Health("sink")
    conditions = Conditions(health)
    conditions.hold("kafka", False, "away")
    conditions.broken("store", "refused")
    conditions.broken("store", "no room")
    assert health.report()[1]["reason"] == "kafka: away; store: no room"
    conditions.hold("kafka", True, "")
    conditions.mended("store")
    conditions.mended("never broken")
    assert conditions.whole
