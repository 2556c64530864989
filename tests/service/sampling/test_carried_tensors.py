"""The tensors of samples of a batch that is answered: those of the kept requests, in their order."""

from pathlib import Path

import numpy as np

from tests.support.serving.model_pairs import sure_and_unsure
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Role
from tightrope.service.inference.batch import BatchExecution, RequestBatch
from tightrope.service.inference.engine import SingleRequest
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.rest import InferRequest
from tightrope.service.sampling.carried_tensors import carried_tensors
from tightrope.service.sampling.draws import DrawnRequests

ROWS = np.array([[3.0, 0.0], [0.0, 3.0], [1.0, 1.0]], np.float32)


def answered(pair: ModelPair) -> tuple[BatchExecution, np.ndarray]:
    """Three requests of one row each, answered by the baseline in one run."""
    items = [
        SingleRequest(InferRequest(None, {}, {"input": row[None]}, (), binary_default=False), 1, None) for row in ROWS
    ]
    batch = RequestBatch.from_items(pair, items)
    execution = BatchExecution(pair, batch, ["a", "b", "c"], [Role.BASELINE] * 3)
    outputs = pair.models[Role.BASELINE].run(batch.inputs, pair.output_names)
    execution.assign(range(3), batch, Role.BASELINE, outputs, 0.1)
    return execution, outputs[pair.output]


def test_plain_decisions_carry_the_rows_of_their_output(tmp_path: Path) -> None:
    """Only those of the kept requests."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    execution, output = answered(pair)
    drawn = DrawnRequests(execution, execution.runs[0][1], [2, 0], [0.1, 0.2])
    assert carried_tensors(pair, drawn)[pair.output].tolist() == output[[2, 0]].tolist()


def test_kind_carries_what_it_reads(tmp_path: Path) -> None:
    """The outputs that decide, where the reading is no smaller."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path), decision={"kind": "regression", "tolerance": 0.1})
    execution, output = answered(pair)
    drawn = DrawnRequests(execution, execution.runs[0][1], [1], [0.1])
    carried = carried_tensors(pair, drawn)
    assert list(carried) == [pair.output]
    assert carried[pair.output].tolist() == output[[1]].tolist()
