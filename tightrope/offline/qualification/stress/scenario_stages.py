"""The stages of scenarios: each is kept when it is finished, and says so if time does not reach it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from tightrope.monitors.qualification.cells import MeasuredCell
from tightrope.offline.qualification.criteria import GAP_PROBE, MEMBERSHIP
from tightrope.offline.qualification.runner import QualificationRun
from tightrope.offline.qualification.scenarios import Jitter
from tightrope.offline.qualification.stages import TIME, StageStore
from tightrope.offline.qualification.stress.columns import missing, quantised
from tightrope.offline.qualification.stress.flips import Change, FlipFigures, FlipMeasuring
from tightrope.offline.qualification.stress.groups import DisparityFigures, measure_disparity
from tightrope.offline.qualification.stress.images import blur, contrast
from tightrope.offline.qualification.stress.link import LinkFigures, measure_link
from tightrope.offline.qualification.stress.membership import (
    WITHOUT_MEMBERS,
    MembershipFigures,
    measure_membership,
    membership_cells,
)
from tightrope.offline.qualification.stress.probe import ProbeFigures, probe_cells, run_probe
from tightrope.offline.qualification.stress.texts import tokens, typos
from tightrope.service.config.qualification import QualificationSection

GROUPS = "groups"
LINK = "link"
SCENARIO_NOT_WRITTEN = "not asked for: scenarios.{} is not written"


@dataclass(frozen=True, slots=True)
class StressFigures:
    """The cells of criteria about scenarios, and for each scenario that was asked for its figures, or the reason
    without any. ``is_whole``: time reached all.
    """

    cells: Sequence[MeasuredCell] = ()
    scenarios: Mapping[str, Any] = field(default_factory=dict)
    is_whole: bool = True

    @property
    def document(self) -> dict[str, Any]:
        """The figures as a statement has them."""
        return dict(self.scenarios)


def run_stress(run: QualificationRun, store: StageStore) -> StressFigures:
    """Run the scenarios that `--stress`, `--members` or a criterion asks for."""
    found: dict[str, Any] = {}
    cells: list[MeasuredCell] = []
    if run.stress or run.plan.asks(GAP_PROBE):
        probe = store.run(GAP_PROBE, ProbeFigures, lambda: run_probe(run.evaluation, run.plan.section.seed))
        found[GAP_PROBE] = _document(probe)
        cells += probe_cells(run.plan, probe)
    if run.members is not None or run.plan.asks(MEMBERSHIP):
        membership = store.run(MEMBERSHIP, MembershipFigures, lambda: _membership(run))
        found[MEMBERSHIP] = _document(membership)
        cells += membership_cells(run.plan, membership)
    if run.stress:
        found |= dict(_changes_of_rows(run, store))
    whole = all(each.get("reason") != f"not measured: {TIME}" for each in found.values())
    return StressFigures(cells, found, whole)


def _membership(run: QualificationRun) -> MembershipFigures:
    if run.members is None:
        return MembershipFigures(reason=WITHOUT_MEMBERS)
    return measure_membership(run.evaluation, run.members, run.plan.section.seed, run.plan.alpha)


def _changes_of_rows(run: QualificationRun, store: StageStore) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each scenario with its figures or the reason without any, in their order."""
    measuring = FlipMeasuring(run.evaluation)
    for name, change in scenario_changes(run.plan.section):
        if isinstance(change, str):
            yield name, {"reason": change}
        else:
            yield name, _document(store.run(f"stress {name}", FlipFigures, partial(measuring.measure, change)))
    link = store.run(f"stress {LINK}", LinkFigures, lambda: measure_link(run.evaluation, run.progress))
    yield LINK, _document(link)

    def groups() -> DisparityFigures:
        scopes = list(run.evaluation.pair.plan.scopes[1:])
        return measure_disparity(measuring.compared(), scopes, run.member, measuring.margins())

    yield GROUPS, _document(store.run(f"stress {GROUPS}", DisparityFigures, groups))


def scenario_changes(section: QualificationSection) -> Iterator[tuple[str, Change | str]]:
    """Each scenario of changed rows: the change, the same for both models, or why none is asked for."""
    written, seed = section.scenarios, section.seed
    ids, layout = written.tokens, written.layout
    jitter = Jitter(written.jitter, seed).apply
    yield "jitter", jitter if written.jitter else SCENARIO_NOT_WRITTEN.format("jitter")
    yield (
        "missing",
        (lambda parts: missing(parts, written.missing, seed))
        if written.missing
        else SCENARIO_NOT_WRITTEN.format("missing"),
    )
    yield (
        "quantised",
        (lambda parts: quantised(parts, written.quantised))
        if written.quantised
        else SCENARIO_NOT_WRITTEN.format("quantised"),
    )
    yield "typos", lambda parts: typos(parts, written.typos, seed)
    yield "tokens", SCENARIO_NOT_WRITTEN.format("tokens") if ids is None else lambda parts: tokens(parts, ids, seed)
    yield "blur", SCENARIO_NOT_WRITTEN.format("layout") if layout is None else lambda parts: blur(parts, layout)
    yield "contrast", SCENARIO_NOT_WRITTEN.format("layout") if layout is None else lambda parts: contrast(parts, seed)


def _document(figures: msgspec.Struct | None) -> dict[str, Any]:
    found: dict[str, Any] = {"reason": f"not measured: {TIME}"} if figures is None else msgspec.to_builtins(figures)
    return found
