"""Golden answers: rows of no person, both models' answers to them, and how far those of another host may be away."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Floats, Role, Tensors
from tightrope.offline.pair_evaluation import PairEvaluation
from tightrope.offline.qualification.row_bytes import bytes_of_rows, numeric_columns
from tightrope.service.adapters.open_inference.model import endpoint_of
from tightrope.service.adapters.ports import Model, RunFailedError
from tightrope.service.inference.qualified.golden_answers import answer, distance, encode_answers, encode_rows
from tightrope.service.inference.row_files.row_file import RowFileError, row_count
from tightrope.service.statements.qualification import GoldenRecord

GOLDEN_ROWS = 256
GOLDEN_BATCHES = (64, GOLDEN_ROWS)
"""The sizes of batches whose answers are compared with those of single rows."""

LEAST_BOUND = 1e-4
"""The least bound, of answers up to 1; of larger ones, that part of the largest."""

MARGIN = 2.0
MOST_REDRAWS = 100


def measure_numerics(evaluation: PairEvaluation, seed: int, *, shuffled: bool) -> GoldenRecord:
    """Answer golden rows with both models, one row a call, and bound what batches change. A model on another server is
    not asked: its answers are those of its own host.

    Raises:
        RowFileError: when a model fails on a golden row.
    """
    rows = golden_rows(evaluation.table.parts, seed, shuffled=shuffled)
    evaluation.progress.begin("golden answers", 2 * len(Role))
    outputs = evaluation.pair.deciding
    answers, bounds = {}, {}
    for role in Role:
        model = evaluation.pair.models[role]
        if endpoint_of(model) is not None:
            evaluation.progress.advance(2)
            continue
        try:
            single = answer(model, rows, outputs)
            evaluation.progress.advance()
            together = evaluation.pair.has_free_rows and not evaluation.pair.batchability.is_closed
            changes = [distance(_in_batches(model, rows, outputs, size), single) for size in GOLDEN_BATCHES if together]
        except RunFailedError as error:
            advice = "; for texts and images write golden_rows: data" if shuffled else ""
            raise RowFileError(f"the {role} model fails on the golden rows: {error}{advice}") from error
        evaluation.progress.advance()
        answers[str(role)] = encode_answers(single)
        bounds[str(role)] = _bound(single, changes)
    return GoldenRecord(rows=encode_rows(rows), answers=answers, bound=bounds)


def _bound(single: Floats, changes: Sequence[float]) -> float:
    finite = np.abs(single[np.isfinite(single)])
    least = LEAST_BOUND * max(1.0, float(finite.max(initial=0.0)))
    return max(least, MARGIN * max((change for change in changes if np.isfinite(change)), default=0.0))


def _in_batches(model: Model, rows: Tensors, outputs: Sequence[str], size: int) -> Floats:
    count = row_count(rows)
    runs = [
        model.run({name: values[begin : begin + size] for name, values in rows.items()}, outputs)
        for begin in range(0, count, size)
    ]
    return np.concatenate([np.asarray(run[name], np.float32).ravel() for name in outputs for run in runs])


def golden_rows(parts: Sequence[Tensors], seed: int, *, shuffled: bool) -> Tensors:
    """At most `GOLDEN_ROWS` rows of the largest part of a file. Shuffled: each column is shuffled by itself, and a row
    that happens to be in the file is drawn again, so that none is a person's.
    """
    part = max(parts, key=row_count)
    generator = np.random.Generator(np.random.PCG64(seed))
    count = min(GOLDEN_ROWS, row_count(part))
    if not shuffled:
        chosen = np.sort(generator.permutation(row_count(part))[:count])
        return {name: tensor[chosen] for name, tensor in part.items()}
    real = set(bytes_of_rows([part]))
    rows = _shuffle(part, count, generator)
    for _ in range(MOST_REDRAWS):
        known = np.array([row in real for row in bytes_of_rows([rows])])
        if not known.any():
            break
        again = _shuffle(part, count, generator)
        for name, tensor in rows.items():
            tensor[known] = again[name][known]
    return rows


def _shuffle(part: Tensors, count: int, generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    rows = {name: np.array(tensor[:count]) for name, tensor in part.items()}
    total = row_count(part)
    for name, tensor in rows.items():
        if tensor.dtype.kind not in "fiu":
            rows[name] = np.array(part[name][generator.permutation(total)[:count]])
    for name, position in numeric_columns(part):
        flat = rows[name].reshape(count, -1)
        flat[:, position] = part[name].reshape(total, -1)[generator.permutation(total)[:count], position]
    return rows
