"""How an end becomes what is reported."""

import signal

import pytest

from runhistory.domain.values import MAX_TEXT
from runhistory.worker.outcome import Exit, failure, signal_name


def test_code_0_is_a_success() -> None:
    assert failure(Exit(exit_code=0), ["a warning"]) is None


@pytest.mark.parametrize("code", [1, 3, 255])
def test_any_other_code_is_named(code: int) -> None:
    error = failure(Exit(exit_code=code), ["Traceback", "ValueError: no"])
    assert error is not None
    assert error.code == "ExitCode"
    assert str(code) in error.message
    assert error.details == "Traceback\nValueError: no"


def test_a_signal_is_named() -> None:
    error = failure(Exit(signal="SIGSEGV"), [])
    assert error is not None
    assert (error.code, "SIGSEGV" in error.message) == ("Signal", True)


def test_the_end_of_long_details_stays_and_fits() -> None:
    error = failure(Exit(exit_code=1), ["x" * MAX_TEXT, "the reason"])
    assert error is not None
    assert len(error.details) == MAX_TEXT
    assert error.details.endswith("the reason")


def test_every_signal_has_a_name() -> None:
    names = {
        signal_name(number) for number in range(1, signal.SIGRTMAX + 1) if number not in (32, 33)
    }
    assert {"SIGKILL", "SIGTERM", "SIGRTMIN+1"} <= names


def test_a_script_that_was_told_to_stop_is_not_said_to_have_run_out_of_memory() -> None:
    killed = Exit(signal="SIGKILL")
    guess, known = failure(killed, []), failure(killed, [], terminated=True)
    assert guess is not None
    assert "out of memory" in guess.message
    assert known is not None
    assert known.message == "The script was killed by SIGKILL. It had been told to stop."
