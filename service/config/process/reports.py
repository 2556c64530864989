"""The configuration of drift reports, and of the compared rows that are kept."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tightrope.service.config.section import Section


class ReportsSection(Section):
    """Drift reports, and the compared rows that they are made of; see docs/reports.md."""

    keep_rows: Annotated[int, Field(ge=0)] = 0
    """Compared rows of each model that are kept in the state folder, the newest ones, with the callers' inputs. 0 keeps
    none and disables reports; 50000 is plenty.
    """
    row_bytes: Annotated[int, Field(ge=0, le=64 * 1024 * 1024)] = 16_384
    """Bytes of the whole inputs of a row, at most, that are kept with it, so that both models can run on it again: see
    docs/qualify.md. A longer row is marked as cut. 0 keeps the columns of a report alone.
    """
    reference_rows: Annotated[int, Field(ge=0)] = 5_000
    """Reference rows of a report: the first this many of each model, stored separately, or of its golden rows."""
    window_rows: Annotated[int, Field(ge=1)] = 5_000
    """Rows in the window of a report, the newest ones."""
    every_seconds: Annotated[float, Field(ge=1)] | None = None
    """Interval of scheduled reports, each made in its own process; if left out, reports are made only on demand."""
    keep: Annotated[int, Field(ge=1)] = 20
    """Number of reports kept for each model."""

    @model_validator(mode="after")
    def _has_rows(self) -> Self:
        if self.every_seconds is not None and not self.keep_rows:
            raise ValueError("every_seconds needs rows to report about: set keep_rows, e.g. to 50000")
        return self
