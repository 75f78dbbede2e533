"""A scripted gateway, and an environment in which no other gateway is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.scripted_gateway import ScriptedGateway, scripted_gateway


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A current folder with nothing in it, and no RUNHISTORY_ variables."""
    for name in ("URL", "WORKSPACE", "TOKEN", "RUN_ID", "ATTEMPT", "EXPERIMENT"):
        monkeypatch.delenv(f"RUNHISTORY_{name}", raising=False)
    monkeypatch.setenv("RUNHISTORY_SPOOL", str(tmp_path / "spool"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    with scripted_gateway() as gateway:
        yield gateway
