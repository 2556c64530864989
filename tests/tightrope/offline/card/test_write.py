from pathlib import Path

import pytest

from tests.support.statement_files import StatementFiles
from tests.support.statements import NOW
from tightrope.offline.card.sources import CardError
from tightrope.offline.card.write import CARD_NAMES, write_card
from tightrope.service.config.loader import load


def test_both_files_stand_beside_the_artefact_or_in_the_given_folder(files: StatementFiles, tmp_path: Path) -> None:
    """A folder that is missing is made."""
    settings = load(files.config)
    assert write_card(settings, None, NOW) == [files.bundle.with_name(name) for name in CARD_NAMES]
    for path in write_card(settings, "m", NOW, out=tmp_path / "a" / "b"):
        assert path.read_bytes() == files.bundle.with_name(path.name).read_bytes()


def test_folder_that_cannot_be_written_is_named(files: StatementFiles) -> None:
    """A file stands in its place."""
    with pytest.raises(CardError, match="cannot be written"):
        write_card(load(files.config), None, NOW, out=files.config)
