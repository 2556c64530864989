"""The answers of both models to changed rows: how often each changes its own, and how often the two differ."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from tightrope.monitors import observations
from tightrope.monitors.compare import Reading
from tightrope.monitors.kinds.seam import KindReading
from tightrope.monitors.qualification.decision_margins import DecisionMargins, margins_of
from tightrope.monitors.records import Comparisons, Role, Tensors
from tightrope.offline.pair_evaluation import PairEvaluation
from tightrope.offline.qualification.stress.columns import NotApplicableError
from tightrope.service.inference.kinds.logged_kind import built_kind
from tightrope.service.inference.row_files.row_file import RowFileError

Change = Callable[[Sequence[Tensors]], Sequence[Tensors]]


class FlipFigures(msgspec.Struct, frozen=True, omit_defaults=True):
    """The share of ``rows`` whose answer each model changes, and on which both differ before the change and after it.
    ``reason`` says why nothing was measured.
    """

    rows: int = 0
    flips_compressed: float = 0.0
    flips_baseline: float = 0.0
    differ_before: float = 0.0
    differ_after: float = 0.0
    reason: str = ""


@dataclass(slots=True)
class FlipMeasuring:
    """Measures scenarios on the same rows; their unchanged answers are computed once."""

    evaluation: PairEvaluation
    _before: dict[Role, Reading | list[KindReading]] = field(default_factory=dict)

    def measure(self, change: Change) -> FlipFigures:
        """Measure one scenario.

        Raises:
            ConfigError: when the scenario names what is not there.
            TimeIsUpError: when no time is left.
        """
        own = self.evaluation
        try:
            changed = replace(own, table=replace(own.table, parts=change(own.table.parts)))
            before = self.before()
            own.progress.begin("changing the rows", len(Role) * len(own.table))
            after = {role: changed.readings(role, batched=True) for role in Role}
        except NotApplicableError as error:
            return FlipFigures(reason=f"does not apply: {error}")
        except RowFileError as error:
            return FlipFigures(reason=f"does not apply: a model does not answer the changed rows: {error}")
        flips = {role: _share(own.compare_with_itself(role, before[role], after[role])) for role in Role}
        return FlipFigures(
            rows=len(own.table),
            flips_compressed=flips[Role.COMPRESSED],
            flips_baseline=flips[Role.BASELINE],
            differ_before=_share(self.compared()),
            differ_after=_share(own.compare_readings(after[Role.BASELINE], after[Role.COMPRESSED])),
        )

    def before(self) -> dict[Role, Reading | list[KindReading]]:
        """Both models' readings of the unchanged rows."""
        if not self._before:
            self.evaluation.progress.begin("running the models", len(Role) * len(self.evaluation.table))
            self._before = {role: self.evaluation.readings(role, batched=True) for role in Role}
        return self._before

    def compared(self) -> Comparisons:
        """Both models compared on the unchanged rows."""
        before = self.before()
        return self.evaluation.compare_readings(before[Role.BASELINE], before[Role.COMPRESSED])

    def margins(self) -> DecisionMargins | str:
        """How near the baseline's answer to each row is to another one, or why none is nearer."""
        kind, reading = self.evaluation.pair.kind, self.before()[Role.BASELINE]
        if kind is None or not isinstance(reading, list):
            return margins_of(None, self.compared())
        return margins_of(built_kind(kind), self.compared(), reading)


def _share(rows: Comparisons) -> float:
    return float(np.nan_to_num(observations.losses(rows)).mean())
