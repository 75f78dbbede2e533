"""A run's end is told when what it logged is visible, though other topics carry that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway_world import GatewayClient, batch, error_of, lines
from tests.support.service_process import ServiceProcess

pytestmark = pytest.mark.infrastructure


@pytest.fixture
def gateway(gateway_environment: dict[str, str], tmp_path: Path) -> Iterator[ServiceProcess]:
    """Without a sink."""
    lifecycle, gateway = (
        ServiceProcess(room, tmp_path / f"{room}.log", **gateway_environment)
        for room in ("lifecycle", "gateway")
    )
    with lifecycle, gateway:
        lifecycle.wait_ready()
        gateway.wait_ready()
        yield gateway


async def test_who_is_told_that_a_run_is_over_finds_all_that_it_logged(
    client: GatewayClient, gateway_environment: dict[str, str], tmp_path: Path
) -> None:
    """The sink may store the end before the points, and one who waits for the end reads them."""
    program = ("tests.support.events_sink",)
    log = tmp_path / "sink.log"
    with ServiceProcess("sink", log, program, **gateway_environment) as events_alone:
        run_id = await client.create()
        started = (await client.command(run_id, "start")).json()["watermark"]
        await client.log(run_id, batch())
        await client.write_lines(run_id, lines("done"))
        running = await client.read(f"/runs/{run_id}", started)
        assert running["status"] == "Running", "nobody waits for the points of a run that goes on"
        over = (await client.command(run_id, "complete")).json()["watermark"]
        answer = await client.http.get(f"/runs/{run_id}", params={"watermark": over})
        assert error_of(answer, 503)["code"] == "not_yet_visible"
        assert events_alone.stop() == 0
    with ServiceProcess("sink", log, **gateway_environment):
        assert (await client.read(f"/runs/{run_id}", over))["status"] == "Completed"
        (series,) = (await client.read(f"/runs/{run_id}/metrics"))["series"]
        assert len(series["steps"]) == 3
        (line,) = (await client.read(f"/runs/{run_id}/logs"))["lines"]
        assert line["line"] == "done"
