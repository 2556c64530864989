"""The input of a row is found in the record of its sample, by the request's id and the row's number."""

import numpy as np

from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.records import Role, Sample
from tightrope.service.adapters.review.sample_inputs import inputs_of_row
from tightrope.service.adapters.wire.record_codec import encode_samples


def sample(name: str, *values: float) -> Sample:
    """A sample with a row for each value."""
    x = np.array(values, np.float32)[:, None]
    member = np.zeros((len(values), 0), dtype=bool)
    return Sample("m", name, 0.0, Role.BASELINE, "b", "c", {"x": x}, {"p": x}, (), member, 0.5, 1.0, 0.001)


RECORD = encode_samples(SampleBatch.from_samples([sample("r-1", 1, 2), sample("r-2", 3), sample("r-1", 4)]))


def test_row_is_found_by_request_and_number() -> None:
    """A request that comes twice in a record has its rows numbered on, as the judge numbers them."""
    found = [inputs_of_row(RECORD, "m", key) for key in (("r-1", 1), ("r-2", 0), ("r-1", 2))]
    assert [float(inputs["x"][index, 0]) for inputs, index in (each for each in found if each)] == [2, 3, 4]


def test_record_without_the_row_has_none() -> None:
    """It is of another request or model, is too short, or cannot be read."""
    assert inputs_of_row(RECORD, "m", ("r-2", 1)) is None
    assert inputs_of_row(RECORD, "m", ("r-9", 0)) is None
    assert inputs_of_row(RECORD, "other", ("r-1", 0)) is None
    assert inputs_of_row(b"no record", "m", ("r-1", 0)) is None
