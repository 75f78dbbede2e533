"""pytest imports a test file by its name alone: of two of one name, one is not run."""

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_no_two_test_files_have_one_name() -> None:
    names = Counter(path.name for path in TESTS.rglob("test_*.py"))
    assert names[Path(__file__).name] == 1
    assert [name for name, count in names.items() if count > 1] == []
