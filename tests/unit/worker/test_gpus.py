"""What the driver says of the GPUs; it is faked beneath pynvml."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from runhistory.worker.gpus import GpuProbe


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
