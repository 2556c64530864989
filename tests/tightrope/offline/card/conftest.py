"""The card of a model that is harmful for one group and not proved for another."""

from pathlib import Path

import pytest

from tests.support.statement_files import StatementFiles, write_statement_files
from tests.support.statements import BREACH, NOW, PASSED, UNTOLD
from tightrope.offline.card.sources import CardSources, read_sources
from tightrope.service.config.loader import load


@pytest.fixture
def files(tmp_path: Path) -> StatementFiles:
    """The configuration and the bundle."""
    return write_statement_files(tmp_path, "breach", [BREACH, UNTOLD, PASSED])


@pytest.fixture
def card_sources(files: StatementFiles) -> CardSources:
    """The sources of the card."""
    return read_sources(load(files.config), "m", NOW)
