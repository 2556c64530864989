"""Subgroup membership of the rows of many batches at once: one row by itself costs ten times more."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

from tightrope.monitors.compare import MATRIX_DIMENSIONS
from tightrope.monitors.records import Bools
from tightrope.service.inference.batch import RequestBatch
from tightrope.service.protocol.rest import Scalar
from tightrope.service.protocol.tensors import Tensor

MAX_COPIED_COLUMNS = 256
"""Columns of a row up to which copying it whole is faster than cutting it."""


def members(batches: Sequence[RequestBatch]) -> Bools:
    """Subgroup membership of the rows of all batches of one pair, (rows, scopes); each batch keeps its part."""
    missing = [batch for batch in batches if batch.computed_member is None]
    if not missing:
        return np.concatenate([batch.member for batch in batches])
    subgroups = batches[0].subgroups
    inputs = {name: _first_columns(missing, name, last + 1) for name, last in subgroups.last_columns.items()}
    ends, parameters = list(accumulate([batch.ends[-1] for batch in missing])), list[Mapping[str, Scalar]]()
    if subgroups.by_parameter:
        ends = list(accumulate([size for batch in missing for size in batch.sizes]))
        parameters = [request.parameters for batch in missing for request in batch.requests]
    member, start = subgroups.members(inputs, parameters, ends), 0
    for batch in missing:
        stop = start + batch.ends[-1]
        batch.computed_member, start = member[start:stop], stop
    return member if len(missing) == len(batches) else np.concatenate([batch.member for batch in batches])


def _first_columns(batches: Sequence[RequestBatch], name: str, columns: int) -> Tensor:
    """The first columns of an input of all batches, whose widths are equal; of wide rows only these are copied."""
    tensors = [batch.inputs[name] for batch in batches]
    first = tensors[0]
    if first.ndim == MATRIX_DIMENSIONS and first.shape[1] <= MAX_COPIED_COLUMNS:
        return np.concatenate(tensors)
    return np.concatenate([tensor.reshape(len(tensor), -1)[:, :columns] for tensor in tensors])
