"""The stages of scenarios: each is kept when it is finished, and says so if time does not reach it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tightrope.monitors.qualification.cells import MeasuredCell
from tightrope.offline.qualification.criteria import GAP_PROBE
from tightrope.offline.qualification.runner import QualificationRun
from tightrope.offline.qualification.stages import TIME, StageStore
from tightrope.offline.qualification.stress.probe import ProbeFigures, probe_cells, run_probe


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
    """Run the scenarios that `--stress` or a criterion asks for."""
    if not (run.stress or run.plan.asks(GAP_PROBE)):
        return StressFigures()
    probe = store.run("probe", ProbeFigures, lambda: run_probe(run.evaluation, run.plan.section.seed))
    found = msgspec.to_builtins(probe or ProbeFigures(reason=f"not measured: {TIME}"))
    return StressFigures([*probe_cells(run.plan, probe)], {GAP_PROBE: found}, probe is not None)
