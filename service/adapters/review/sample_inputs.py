"""The input of one row, from the record of samples in which a gateway published it."""

import numpy as np

from tightrope.monitors.label_records import RowKey
from tightrope.monitors.records import Tensors
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.adapters.wire.record_codec import decode_samples


def inputs_of_row(value: bytes, model: str, key: RowKey) -> tuple[Tensors, int] | None:
    """The inputs in a record, and the index of a row in them; None where the record does not have the row.

    The rows of a request are numbered over all samples of its id in the record, as the judge numbers them.
    """
    try:
        samples = decode_samples(value)
    except WireError:
        return None
    if samples.model != model:
        return None
    own = np.repeat(np.array([name == key[0] for name in samples.request_id], dtype=bool), samples.rows)
    rows = np.flatnonzero(own)
    return (samples.inputs, int(rows[key[1]])) if key[1] < len(rows) else None
