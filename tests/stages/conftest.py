"""The workplace of the stage tests."""

from pathlib import Path

import pytest

from tests.stages.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A fresh database with the people task, a fake vendor, a spool."""
    return Bench(tmp_path)
