"""What the driver says of the GPUs; it is faked beneath pynvml."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from runhistory.domain.values import Resources
from runhistory.runtime.gpus import GpuProbe
from runhistory.worker.gpus import Capacity


def _refuse(error: int) -> Callable[..., Any]:
    def refuse(*_: Any) -> Any:
        raise pynvml.NVMLError(error)

    return refuse


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def install(**functions: Callable[..., Any]) -> None:
        usual: dict[str, Callable[..., Any]] = {
            "Init": lambda: None,
            "DeviceGetCount": lambda: 2,
            "DeviceGetHandleByIndex": lambda index: index,
            "DeviceGetUUID": lambda handle: f"GPU-{handle}",
            "DeviceGetMigMode": _refuse(pynvml.NVML_ERROR_NOT_SUPPORTED),
            "DeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=70),
            "DeviceGetMemoryInfo": lambda handle: SimpleNamespace(used=2**30),
            "DeviceGetPowerUsage": lambda handle: 250_500,
            "DeviceGetTemperature": lambda handle, sensor: 61,
        }
        for name, function in {**usual, **functions}.items():
            monkeypatch.setattr(pynvml, f"nvml{name}", function)

    return install


def test_without_a_driver_there_are_no_gpus(driver: Callable[..., None]) -> None:
    driver(Init=_refuse(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND))
    assert GpuProbe().uuids == ()


def test_gpus_are_known_by_uuid_with_their_load(driver: Callable[..., None]) -> None:
    driver()
    probe = GpuProbe()
    assert probe.uuids == ("GPU-0", "GPU-1")
    load = probe.load("GPU-1")
    assert (load.utilization, load.memory_used_bytes, load.power_watts) == (70, 2**30, 250.5)
    assert load.temperature_celsius == 61


def test_what_a_card_does_not_tell_is_left_out(driver: Callable[..., None]) -> None:
    driver(DeviceGetPowerUsage=_refuse(pynvml.NVML_ERROR_NOT_SUPPORTED))
    assert GpuProbe().load("GPU-0").power_watts is None


def test_of_a_gpu_in_mig_mode_the_parts_are_offered(driver: Callable[..., None]) -> None:
    def part(handle: int, index: int) -> str:
        if index > 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return f"{handle}-{index}"

    driver(
        DeviceGetMigMode=lambda handle: [int(handle == 0), 0],
        DeviceGetMaxMigDeviceCount=lambda handle: 7,
        DeviceGetMigDeviceHandleByIndex=part,
        DeviceGetUUID=lambda handle: f"MIG-{handle}" if "-" in str(handle) else f"GPU-{handle}",
    )
    assert GpuProbe().uuids == ("MIG-0-0", "MIG-0-1", "GPU-1")


def test_workers_of_one_machine_never_lend_one_gpu_twice(tmp_path: Path) -> None:
    one, other = (Capacity(4, ("GPU-a", "GPU-b"), tmp_path / "locks") for _ in range(2))
    first = one.take(Resources(gpus=1))
    second = other.take(Resources(gpus=1))
    assert first is not None
    assert second is not None
    assert {*first.gpus, *second.gpus} == {"GPU-a", "GPU-b"}
    assert one.take(Resources(gpus=1)) is None
    assert (one.free_slots, one.free_gpus) == (3, 1)
    assert one.take(Resources(slots=1)) is not None
    other.give_back(second)
    assert one.take(Resources(gpus=1)) is not None


def test_all_gpus_of_a_run_are_lent_or_none(tmp_path: Path) -> None:
    one, other = (Capacity(4, ("GPU-a", "GPU-b"), tmp_path) for _ in range(2))
    assert one.take(Resources(gpus=1)) is not None
    assert other.take(Resources(gpus=2)) is None
    assert other.take(Resources(gpus=1)) is not None


def test_a_gpu_is_taken_as_long_as_what_uses_it_lives(tmp_path: Path) -> None:
    one, other = (Capacity(4, ("GPU-a",), tmp_path) for _ in range(2))
    lease = one.take(Resources(gpus=1))
    assert lease is not None
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=lease.locks
    ) as script:
        for lock in lease.locks:  # as when the worker is killed
            os.close(lock)
        assert other.take(Resources(gpus=1)) is None
        script.communicate(b"\n")
    assert other.take(Resources(gpus=1)) is not None
