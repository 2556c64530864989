"""Reports of qualifications, and what stands in them."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tightrope.monitors.records import Outcome
from tightrope.offline.qualification.qualify import QualificationReport, QualifyOptions, qualify
from tightrope.service.config.loader import Settings
from tightrope.service.statements.qualification import QualificationCell

NOW = datetime(2026, 11, 28, 17, tzinfo=UTC)


def judge(settings: Settings, data: Path, folder: Path, **options: object) -> QualificationReport:
    """Qualify, with the bundle in a folder."""
    chosen = replace(QualifyOptions(out=folder / "bundle.jsonl"), **options)  # type: ignore[arg-type]
    return qualify(settings, data, None, chosen, now=NOW)


def outcomes(report: QualificationReport) -> dict[Outcome, int]:
    """Count the cells by outcome."""
    found = [each.outcome for each in report.cells]
    return {outcome: found.count(outcome) for outcome in found}


def cell(report: QualificationReport, criterion: str, scope: str) -> QualificationCell:
    """Return a cell of the statement."""
    cells = report.statement.predicate.result.cells
    return next(each for each in cells if (each.criterion, each.scope) == (criterion, scope))
