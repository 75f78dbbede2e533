"""Which GPUs have nothing to do, by samples of their load."""

from runhistory.worker.heartbeats import IdleGpus


def sample(*utilizations: float | None) -> dict[str, float]:
    return {
        f"system/gpu/{index}/utilization": used
        for index, used in enumerate(utilizations)
        if used is not None
    }


def test_idleness_begins_once_and_ends_with_work() -> None:
    idle = IdleGpus(("GPU-a", "GPU-b"))
    idle.see(sample(0, 80))
    began = idle.since["GPU-a"]
    idle.see(sample(4.9, 5))
    assert idle.since == {"GPU-a": began}
    idle.see(sample(5, 0))
    assert list(idle.since) == ["GPU-b"]
    idle.see(sample(0, 0))
    assert idle.since["GPU-a"] > began


def test_one_that_tells_nothing_is_not_called_idle() -> None:
    idle = IdleGpus(("GPU-a",))
    idle.see(sample(0))
    idle.see(sample(None))
    assert idle.since == {}


def test_after_a_pause_it_is_counted_anew() -> None:
    idle = IdleGpus(("GPU-a",))
    idle.see(sample(0))
    idle.begin_anew()
    assert idle.since == {}
