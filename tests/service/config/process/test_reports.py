import pytest
from pydantic import ValidationError

from tightrope.service.config.process.reports import ReportsSection


def test_nothing_is_kept_unless_it_is_written() -> None:
    """With rows, their whole inputs are kept up to 16 KiB."""
    assert (ReportsSection().keep_rows, ReportsSection(keep_rows=9).row_bytes) == (0, 16_384)


def test_a_schedule_needs_rows() -> None:
    """The line says what to set."""
    with pytest.raises(ValidationError, match="set keep_rows"):
        ReportsSection(every_seconds=60)
