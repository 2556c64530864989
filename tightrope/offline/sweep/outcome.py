"""Results of `tightrope sweep` for programs."""

from typing import Any

import msgspec

from tightrope.monitors.qualification.cells import QualificationVerdict
from tightrope.offline.qualification.statement import cell_record, measured_record
from tightrope.offline.sweep.report import SweepReport, SweptVariant


def sweep_document(report: SweepReport) -> dict[str, Any]:
    """The report in JSON types, the best variant first."""
    recommended = report.recommended
    return {
        "ok": report.verdict is QualificationVerdict.QUALIFIED,
        "verdict": str(report.verdict),
        "recommended": None if recommended is None else recommended.variant.path.name,
        "for": str(report.goal),
        "model": report.model,
        "baseline": {"name": report.baseline.name, **_size(report.baseline_size)},
        "data": {
            "name": report.data.name,
            "sha256": report.data_digest,
            "rows": report.rows,
            "chosen_on": report.chosen,
            "judged_on": report.judging,
        },
        "criteria": list(report.criteria),
        "criteria_digest": f"sha256:{report.criteria_digest}",
        "left_out": list(report.left_out),
        "alpha": report.alpha,
        "candidates": report.candidates,
        "host_class": report.host_class,
        "variants": [_variant(report, swept) for swept in report.ordered],
        "hotspots": msgspec.to_builtins(report.hotspots),
        "hotspots_untried": report.untried,
        "skipped": [{"name": each.name, "reason": each.reason} for each in report.skipped],
    }


def _variant(report: SweepReport, swept: SweptVariant) -> dict[str, Any]:
    measured = measured_record(report.host_class, swept.costs, {})
    return {
        "name": swept.variant.path.name,
        "sha256": swept.variant.digest,
        "verdict": str(swept.verdict),
        "candidate": swept.is_candidate,
        "opposed": list(swept.opposed),
        "withheld": list(swept.withheld),
        **_size(swept.size),
        "latency_p50_ratio": swept.ratio("latency_p50"),
        "latency_p99_ratio": swept.ratio("latency_p99"),
        "energy_ratio": swept.ratio("energy"),
        "seen": {report.shown_criterion: {each: swept.seen_in(report.shown_criterion, each) for each in report.scopes}},
        "cells": msgspec.to_builtins([cell_record(each) for each in swept.cells]),
        "measured": msgspec.to_builtins(measured),
    }


def _size(size: object) -> dict[str, Any]:
    """The two sizes of a model."""
    return msgspec.to_builtins(size)  # type: ignore[no-any-return]
