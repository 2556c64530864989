"""The tensors that samples carry of the answers to requests: what decides, or the reading of a kind."""

from typing import Any

from numpy.typing import NDArray

from tightrope.monitors.records import Tensors
from tightrope.service.inference.batch import row_indices
from tightrope.service.inference.kinds.kind_runs import sample_outputs
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.sampling.draws import DrawnRequests


def carried_tensors(pair: ModelPair, drawn: DrawnRequests) -> Tensors:
    """The tensors that the samples of these requests carry of their answers."""
    if pair.kind is None:
        return {pair.output: _decision_rows(drawn)}
    run, slices = drawn.run, drawn.execution.slices
    rows = row_indices([(slices[index].start, slices[index].stop) for index in drawn.indices])
    return sample_outputs(pair.kind, run.role, run.outputs, run.inputs, run.reading, rows)


def _decision_rows(drawn: DrawnRequests) -> NDArray[Any]:
    """The rows of the decision output that belong to these requests."""
    output, slices = drawn.run.decision, drawn.execution.slices
    if len(drawn.indices) == len(slices) and len(drawn.execution.runs) == 1:
        return output
    return output[row_indices([(slices[index].start, slices[index].stop) for index in drawn.indices])]
