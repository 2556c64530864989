"""A run of a batch, with the processor time that it took."""

import time
from collections.abc import Sequence

from tightrope.monitors.cost.shares import RunCost, RunPart
from tightrope.monitors.records import Role, Tensors
from tightrope.service.inference.batch import BatchExecution, RequestBatch


def run_measured(
    execution: BatchExecution, index: int, role: Role, batch: RequestBatch, outputs: Sequence[str]
) -> Tensors:
    """Run a role's model on some requests of an execution; ``index`` is that of the first one. Its cost joins
    those of the execution, also where it fails. Raises as the model does.
    """
    began = time.thread_time()
    try:
        return execution.pair.models[role].run(batch.inputs, outputs)
    finally:
        seconds = time.thread_time() - began
        execution.costs.append(RunCost(_part(execution, index, role), batch.ends[-1], seconds))


def _part(execution: BatchExecution, index: int, role: Role) -> RunPart:
    if role is Role.COMPRESSED:
        return RunPart.ANSWER
    is_escalated = bool(execution.parameters) and "escalated" in execution.parameters.get(index, ())
    return RunPart.ESCALATION if is_escalated else RunPart.FALLBACK
