"""A worker's folder, over several lives."""

from pathlib import Path

import pytest

from runhistory.worker.home import Claim, Home, HomeTaken


def test_two_workers_in_one_folder_are_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with pytest.raises(HomeTaken, match="RUNHISTORY_WORKER_DATA"):
        Home(tmp_path)
    home.close()
    Home(tmp_path).close()


def test_the_name_and_the_claims_outlive_the_worker(tmp_path: Path) -> None:
    claim = Claim(claim_id="c", workspace="default", run_id="0" * 32, runner_pid=1)
    first = Home(tmp_path)
    first.remember(claim)
    first.close()
    second = Home(tmp_path)
    assert second.worker_id == first.worker_id
    assert second.claims() == [claim]
    second.forget("c")
    second.forget("c")
    assert second.claims() == []
    second.close()


def test_two_folders_are_two_workers(tmp_path: Path) -> None:
    one, two = Home(tmp_path / "1"), Home(tmp_path / "2")
    assert one.worker_id != two.worker_id
    one.close()
    two.close()


def test_the_sdk_folder_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    Home(tmp_path).close()
    home = Home(tmp_path)
    assert [path.name for path in home.sdk.iterdir()] == ["runhistory"]
    assert (home.sdk / "runhistory" / "__init__.py").is_file()
    home.close()


def test_a_claim_that_was_being_written_when_the_worker_died_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(Exception):
        """The process ends between writing the file and giving it its name."""

    def die(*_: object) -> None:
        raise Died

    claim = Claim(claim_id="c", workspace="default", run_id="0" * 32)
    home = Home(tmp_path)
    home.remember(claim)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        with pytest.raises(Died):
            home.remember(claim)
    home.close()

    later = Home(tmp_path)
    assert later.claims() == [claim]
    later.forget(claim.claim_id)
    assert list((tmp_path / "claims").iterdir()) == []
    later.close()
