"""The machine's GPUs by UUID, and how busy they are."""

from collections.abc import Callable
from typing import Any

import pynvml
import structlog
from msgspec import Struct

log: Any = structlog.get_logger(__name__)


class GpuLoad(Struct, frozen=True):
    """One GPU now: utilization in percent, bytes, watts and degrees Celsius; None: not told."""

    utilization: float | None
    memory_used_bytes: float | None
    power_watts: float | None
    temperature_celsius: float | None


class GpuProbe:
    """Asks NVIDIA's driver. Without one, there are no GPUs."""

    def __init__(self) -> None:
        self._handles: dict[str, Any] = {}
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            log.info("no_gpus", reason=str(error))
            return
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            self._handles.update({_uuid(one): one for one in _parts(handle)})

    @property
    def uuids(self) -> tuple[str, ...]:
        """What CUDA_VISIBLE_DEVICES takes, in the driver's order; in MIG mode a GPU's parts."""
        return tuple(self._handles)

    def load(self, uuid: str) -> GpuLoad:
        """How busy a GPU is now."""
        handle = self._handles[uuid]
        utilization = _ask(pynvml.nvmlDeviceGetUtilizationRates, handle)
        memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, handle)
        milliwatts = _ask(pynvml.nvmlDeviceGetPowerUsage, handle)
        celsius = _ask(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU)
        return GpuLoad(
            utilization=None if utilization is None else float(utilization.gpu),
            memory_used_bytes=None if memory is None else float(memory.used),
            power_watts=None if milliwatts is None else milliwatts / 1_000,
            temperature_celsius=None if celsius is None else float(celsius),
        )


def _ask(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the driver says, or None: cards differ in what they tell, and MIG parts tell little."""
    try:
        return function(*arguments)
    except pynvml.NVMLError:
        return None


def _uuid(handle: Any) -> str:
    found = pynvml.nvmlDeviceGetUUID(handle)
    return found.decode() if isinstance(found, bytes) else str(found)


def _parts(handle: Any) -> list[Any]:
    """The GPU itself, or in MIG mode its parts: the whole cannot be used then."""
    mode = _ask(pynvml.nvmlDeviceGetMigMode, handle)
    if not isinstance(mode, list | tuple) or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
        return [handle]
    count = pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)
    found = [_ask(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, i) for i in range(count)]
    return [one for one in found if one is not None]
