"""The dashboard asks for metrics and labels that there are, Prometheus for ports of ours."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from runhistory.runtime import metrics
from runhistory.runtime.settings import DEFAULT_PORT, PORT_OFFSETS

FOLDER = Path(__file__).parents[3] / "deploy" / "grafana"
BOARD = json.loads((FOLDER / "runhistory.json").read_text("utf-8"))
SUFFIXES = re.compile(r"_(bucket|sum|count)$")
OF_PROMETHEUS = {"le", "job", "instance"}


def _declared() -> dict[str, set[str]]:
    """Our metrics by the names under which they are exposed, with their labels."""
    found: dict[str, set[str]] = {}
    for one in vars(metrics).values():
        if isinstance(one, MetricWrapperBase):
            (family,) = one.describe()
            suffix = "_total" if family.type == "counter" else ""
            found[family.name + suffix] = set(one._labelnames)
    return found


DECLARED = _declared()
PROCESS = {sample.name for family in REGISTRY.collect() for sample in family.samples}


def _panels() -> Iterator[dict[str, Any]]:
    yield from (panel for panel in BOARD["panels"] if panel["type"] != "row")


EXPRESSIONS = [target["expr"] for panel in _panels() for target in panel["targets"]]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_and_label_that_it_names_is_there(expression: str) -> None:
    names = re.findall(r"\b(?:runhistory|process)_\w+", expression)
    assert names
    labels = OF_PROMETHEUS.copy()
    for name in names:
        if name.startswith("process_"):
            assert name in PROCESS
            continue
        metric = name if name in DECLARED else SUFFIXES.sub("", name)
        assert metric in DECLARED
        labels |= DECLARED[metric]
    for asked in re.findall(r"by \(([^)]*)\)", expression):
        assert {label.strip() for label in asked.split(",")} <= labels


def test_what_ingestion_measures_is_on_it() -> None:
    shown = " ".join(EXPRESSIONS)
    for part in ("sink", "gateway"):
        measured = {name for name in DECLARED if name.startswith(f"runhistory_{part}_")}
        missing = {name for name in measured if name not in shown}
        assert all("subscribers" in name or "events_sent" in name for name in missing), missing


def test_panels_say_what_they_show_and_do_not_overlap() -> None:
    places = [
        (panel["gridPos"]["y"] + dy, panel["gridPos"]["x"] + dx)
        for panel in BOARD["panels"]
        for dy in range(panel["gridPos"]["h"])
        for dx in range(panel["gridPos"]["w"])
    ]
    assert len(places) == len(set(places))
    assert all(x < 24 for _, x in places)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert all(panel["description"] for panel in _panels())


def test_prometheus_asks_every_service_at_its_port() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    asked = {
        job["job_name"].removeprefix("runhistory-"): job["static_configs"][0]["targets"]
        for job in config["scrape_configs"]
    }
    services = set(PORT_OFFSETS) - {"kafka", "kafka-controller", "engine"}
    assert asked == {name: [f"127.0.0.1:{DEFAULT_PORT + PORT_OFFSETS[name]}"] for name in services}
