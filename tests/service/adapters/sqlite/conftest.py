"""The state file, and a store in it from which a judge has begun; files with another store have their own fixture."""

from pathlib import Path

import pytest

from tests.support.judgement.journal_rounds import begun_store
from tightrope.service.adapters.sqlite.store import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The state file."""
    return tmp_path / "tightrope.db"


@pytest.fixture
def store(path: Path) -> SqliteStore:
    """A store from which a judge has begun."""
    return begun_store(path)
