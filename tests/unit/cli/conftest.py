"""A command line that speaks to a canned gateway."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from runhistory.cli.main import app
from tests.unit.cli.canned_gateway import CannedGateway, canned_gateway


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CannedGateway]:
    monkeypatch.chdir(tmp_path)  # no .runhistory/config.json here or above
    with canned_gateway() as gateway:
        monkeypatch.setenv("RUNHISTORY_URL", gateway.url)
        monkeypatch.delenv("RUNHISTORY_WORKSPACE", raising=False)
        yield gateway


def invoke(*arguments: str) -> Result:
    """`runhistory ARGUMENTS`, as in a pipe."""
    return CliRunner().invoke(app, list(arguments), prog_name="runhistory")
