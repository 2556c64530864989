"""The public pairs, built once in a folder of the session."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kinds.public_pairs import build

Built = Callable[[str], Path]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build a pair by its name, and return its folder."""
    folder = tmp_path_factory.mktemp("public-pairs")
    return lambda name: build(name, folder)
