"""The requests whose answer is asked again of the baseline, by what it says, or because it is refused."""

from collections.abc import Sequence

import numpy as np

from tightrope.monitors.compare import read_output, top_class
from tightrope.monitors.records import Fault, Ints, Role
from tightrope.service.inference.batch import BatchExecution
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.runs.model_run import ModelRun


def requests_that_say(execution: BatchExecution, classes: frozenset[int]) -> frozenset[int]:
    """The indices of the requests, routed to the compressed model and answered by it, with a row that says one of these
    classes, or whose class is not known: what is unknown is asked again.
    """
    found, matching = set[int](), dict[int, list[bool]]()
    for index, rows in execution.slices.items():
        if rows.run.role is not Role.COMPRESSED or execution.routed[index] is not Role.COMPRESSED:
            continue  # the compressed model in the place of a baseline that failed is not asked again
        if id(rows.run) not in matching:
            top = said_classes(execution.pair, rows.run)
            matching[id(rows.run)] = (np.isin(top, [*classes]) | (top < 0)).tolist()
        if True in matching[id(rows.run)][rows.start : rows.stop]:
            found.add(index)
    return frozenset(found)


def requests_to_escalate(execution: BatchExecution, limited: Sequence[int], saying: frozenset[int]) -> Sequence[int]:
    """The indices of the requests that the baseline answers again, without the ``limited`` ones: those ``saying`` a
    class that is asked again and, if the pair escalates, those that the compressed model refuses.
    """
    escalates = execution.pair.action == "escalate"
    return [
        index
        for index, rows in sorted(execution.slices.items())
        if index not in limited
        and rows.run.role is Role.COMPRESSED
        and (index in saying or (escalates and rows.is_refused))
    ]


def said_classes(pair: ModelPair, run: ModelRun) -> Ints:
    """The class of each row of a run, (n,), as the comparisons have it; -1 where it is not known."""
    if pair.kind is None:
        unread = np.array(run.summary.fault) != Fault.NONE
        if unread.all():
            return np.full(len(unread), -1)
        return top_class(read_output(run.decision, pair.decision.scales[run.role]))
    return np.full(len(run.summary.fault), -1) if run.reading is None else run.reading.top
