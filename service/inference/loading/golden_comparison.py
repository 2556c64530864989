"""The comparison of both models on the golden rows, once, before traffic: they choose cells of classes and bins."""

import logging
import time
from collections.abc import Iterator

import numpy as np

from tightrope.monitors.compare import PairedOutputs, pair_readings, read_output
from tightrope.monitors.definitions.clear_monitor import learns_margin
from tightrope.monitors.kinds.pairing import join_pairs, pair_kind_readings, read_safely
from tightrope.monitors.records import Comparisons, Role, Tensors
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.row_files.row_file import RowFile, row_count

log = logging.getLogger(__name__)

MAX_SECONDS = 30.0
"""The longest that a start waits for the comparison."""

RUN_ROWS = 256
"""Rows of one run, where rows may share runs."""


def compare_golden_rows(pair: ModelPair, golden: RowFile) -> Comparisons | None:
    """Compare the golden rows; None where they choose nothing, neither cells of classes nor bins of confidence nor the
    margin of clear rows, where a model is on another server, which may be away at a start, where a run fails, and where
    it takes too long.
    """
    monitors = [rule.monitor for rule in pair.plan.rules]
    chooses = pair.plan.curves is not None or any(each.class_of is not None for each in monitors)
    chooses = chooses or learns_margin(monitors)
    if pair.is_remote or not chooses:
        return None
    try:
        parts = list(_pairs(pair, golden, time.monotonic() + MAX_SECONDS))
    except RunFailedError as error:
        log.warning(
            "models.%s.golden: the bins of confidence are tenths, the first rows fix the margin of clear ones, the "
            "classes have their default limits: %s",
            pair.name,
            error,
        )
        return None
    ends = np.cumsum([len(part.fault) for part in parts]).tolist()
    index = [np.arange(end - len(part.fault), end) for part, end in zip(parts, ends, strict=True)]
    paired = join_pairs(list(zip(index, parts, strict=True)), len(golden))
    scopes, member = pair.subgroups.scopes, golden.members(pair.subgroups)
    return Comparisons.from_columns(len(golden), scopes=tuple(scopes), member=member, **paired.columns())


def _pairs(pair: ModelPair, golden: RowFile, deadline: float) -> Iterator[PairedOutputs]:
    """Run both models on rows of equal shapes, until a time of the monotonic clock.

    Raises:
        RunFailedError: when a run fails, or the time is over.
    """
    together = pair.has_free_rows and not pair.batchability.is_closed
    step = RUN_ROWS if together else 1
    runs = [(part, begin) for part in golden.parts for begin in range(0, row_count(part), step)]
    for inputs, begin in runs:
        if time.monotonic() > deadline:
            raise RunFailedError(f"the comparison takes longer than {MAX_SECONDS:g} s")
        rows = {name: np.asarray(tensor[begin : begin + step]) for name, tensor in inputs.items()}
        outputs = {role: model.run(rows, pair.deciding) for role, model in pair.models.items()}
        yield _paired(pair, rows, outputs)


def _paired(pair: ModelPair, rows: Tensors, outputs: dict[Role, Tensors]) -> PairedOutputs:
    if pair.kind is None:
        baseline, compressed = (
            read_output(outputs[role][pair.output], pair.decision.scales[role])
            for role in (Role.BASELINE, Role.COMPRESSED)
        )
        return pair_readings(baseline, compressed, pair.decision)
    count = row_count(rows)
    ours, theirs = (
        read_safely(pair.kind, outputs[role], rows, role, count) for role in (Role.BASELINE, Role.COMPRESSED)
    )
    return pair_kind_readings(pair.kind, ours, theirs, None)
