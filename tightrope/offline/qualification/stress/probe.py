"""The probe: from how many rows a search finds one on which both models' answers are far apart."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.compare import Reading
from tightrope.monitors.kinds.seam import KindReading
from tightrope.monitors.qualification.cells import MeasuredCell
from tightrope.monitors.qualification.gap_measures import FOUND_GAP, GapMeasure, gap_of_kind, plain_gap, plain_reading
from tightrope.monitors.qualification.gap_search import NO_GAP_FOUND, SEARCH_QUERIES, SEARCH_STARTS, search_gaps
from tightrope.monitors.records import MODEL_SCOPE, Floats, Role, Tensors
from tightrope.offline.pair_evaluation import PairEvaluation
from tightrope.offline.qualification.criteria import GAP_PROBE, MODEL_LEVEL, CriteriaPlan
from tightrope.offline.qualification.measuring import hypothesis_of, measured_cell
from tightrope.offline.qualification.row_bytes import numeric_columns
from tightrope.offline.qualification.stages import TIME
from tightrope.service.inference.kinds.logged_kind import built_kind
from tightrope.service.inference.row_files.row_file import RowFileError, row_count

SEARCHED_COLUMNS = 4096
"""Numbers of a row beyond which changing two of them, as in an image, shows nothing."""


class ProbeFigures(msgspec.Struct, frozen=True):
    """The number of ``starts``, and of those from which the gap was ``found``; the median query that found it, and the
    ``largest`` gap. ``gap`` counts as found, in ``unit``; probabilities have none. ``reason`` says why nothing was
    measured.
    """

    starts: int = 0
    found: int = 0
    median_query: float | None = None
    largest: float | None = None
    gap: float = FOUND_GAP
    queries: int = SEARCH_QUERIES
    reason: str = ""
    unit: str = ""


def run_probe(evaluation: PairEvaluation, seed: int) -> ProbeFigures:
    """Search on the rows of the file, by the seed."""
    measure = _lacking(evaluation) or _measure(evaluation)
    if isinstance(measure, str):
        return ProbeFigures(reason=f"does not apply: {measure}")
    part = evaluation.table.parts[0]
    columns = numeric_columns(part)
    rows = np.stack([_flat(part[name])[:, at].astype(np.float64) for name, at in columns], axis=1)
    generator = np.random.Generator(np.random.PCG64(seed))
    starts = min(row_count(part), SEARCH_STARTS)
    evaluation.progress.begin("searching for rows that part the models", (SEARCH_QUERIES + 1) * len(Role) * starts)

    def gaps(each: Floats) -> Floats:
        return measure.gaps(*_readings(evaluation, part, columns, each))

    try:
        found = search_gaps(rows, gaps, generator, measure.found)
    except RowFileError as error:
        return ProbeFigures(reason=f"does not apply: a model does not answer mixed rows: {error}")
    hits = found.query[found.query != NO_GAP_FOUND]
    return ProbeFigures(
        starts=len(found.query),
        found=len(hits),
        median_query=float(np.median(hits)) if len(hits) else None,
        largest=float(found.largest.max()),
        gap=measure.found,
        unit=measure.unit,
    )


def _lacking(evaluation: PairEvaluation) -> str | None:
    """Say what the search needs and these rows do not have."""
    parts = evaluation.table.parts
    if len(parts) > 1:
        return "the rows of the file have several shapes"
    if not (columns := len(numeric_columns(parts[0]))):
        return "no input has numbers"
    return f"a row has {columns:,} numbers, and two of them are too few" if columns > SEARCHED_COLUMNS else None


def _measure(evaluation: PairEvaluation) -> GapMeasure | str:
    pair = evaluation.pair
    return plain_gap(pair.decision) if pair.kind is None else gap_of_kind(built_kind(pair.kind))


def _readings(
    evaluation: PairEvaluation, part: Tensors, columns: Sequence[tuple[str, int]], rows: Floats
) -> list[KindReading]:
    """The baseline's and the compressed model's readings of rows of numbers (m, c)."""
    inputs = {name: np.array(np.resize(tensor[:1], (len(rows), *tensor.shape[1:]))) for name, tensor in part.items()}
    for index, (name, position) in enumerate(columns):
        _flat(inputs[name])[:, position] = rows[:, index].astype(inputs[name].dtype)
    table = replace(evaluation.table, parts=[inputs], positions=range(len(rows)), unit="mixed row", labels=None)
    changed = replace(evaluation, table=table)
    readings = (changed.readings(role, batched=True) for role in (Role.BASELINE, Role.COMPRESSED))
    return [plain_reading(each) if isinstance(each, Reading) else each[0] for each in readings]


def _flat(tensor: NDArray[Any]) -> NDArray[Any]:
    return tensor.reshape(len(tensor), -1)


def probe_cells(plan: CriteriaPlan, figures: ProbeFigures | None) -> Iterator[MeasuredCell]:
    """The cell of the criterion; without ``figures`` time did not reach it."""
    for criterion in plan.criteria:
        if criterion.name != GAP_PROBE:
            continue
        hypothesis = hypothesis_of(criterion, labelled=False)
        if figures is None or figures.reason:
            limit, proof = criterion.limits[MODEL_LEVEL]
            reason = TIME if figures is None else figures.reason
            yield MeasuredCell(GAP_PROBE, MODEL_SCOPE, "", hypothesis, limit, proof, None, reason=reason)
        else:
            y = np.repeat([1.0, 0.0], [figures.found, figures.starts - figures.found])
            yield measured_cell(plan, criterion, MODEL_LEVEL, (MODEL_SCOPE, ""), hypothesis, [y])
