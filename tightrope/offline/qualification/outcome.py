"""Results of `tightrope qualify` for programs."""

from typing import Any

import msgspec

from tightrope.monitors.qualification.cells import EXIT_CODES, QualificationVerdict
from tightrope.offline.qualification.criteria import CriteriaPlan
from tightrope.offline.qualification.qualify import QualificationReport

__all__ = ["EXIT_CODES", "document_of", "document_of_plan"]


def document_of(report: QualificationReport) -> dict[str, Any]:
    """The report in JSON types: the verdict, the statement and the files."""
    return {
        "ok": report.verdict is QualificationVerdict.QUALIFIED,
        "verdict": str(report.verdict),
        "statement": msgspec.to_builtins(report.statement),
        "files": [str(path) for path in report.files],
        "notes": list(report.notes),
    }


def document_of_plan(plan: CriteriaPlan) -> dict[str, Any]:
    """The resolved criteria with their digest, in JSON types."""
    return {"criteria_digest": f"sha256:{plan.digest}", "resolved": dict(plan.resolved)}
