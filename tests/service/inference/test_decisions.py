"""Reading the output that decides, and deciding what is sampled."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.intake.sampling import draw
from tightrope.monitors.records import Role
from tightrope.service.inference.batch import decision_output
from tightrope.service.inference.decisions import sample_of
from tightrope.service.inference.runs.model_run import UnreadableError

ROWS = {"input": np.array([[5.0, 1.0], [50.0, 1.0]], np.float32)}
SAYS = {"probabilities": np.array([[0.9, 0.1], [0.2, 0.8]], np.float32), "other": np.zeros(3)}


@pytest.mark.parametrize(
    "says", [np.full((1, 2), 0.5), np.zeros((2, 2), int), np.zeros((2, 2, 2)), np.float64(1), np.zeros((2, 0))]
)
def test_decision_output_must_have_a_row_of_floats_for_each_row(tmp_path: Path, says: object) -> None:
    """Wrong are: another number of rows, integers, three or no dimensions, and no columns."""
    with pytest.raises(UnreadableError, match=r"^probabilities: .* for 2 rows$"):
        decision_output(pair_of(tmp_path, **sure_and_unsure(tmp_path)), {"probabilities": np.asarray(says)}, 2)


def test_floor_counts_for_requests_with_a_row_in_its_subgroup(tmp_path: Path) -> None:
    """Such a request is always kept, the others at the rate, which is 0 here. Only the output that decides is kept."""
    sampling = {"rate": 0.0, "floors": {"band=low": 1.0}}
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path), **CALM, subgroups=SUBGROUPS, sampling=sampling)
    for rows, kept in ((slice(0, 2), True), (slice(1, 2), False)):
        inputs = {"input": ROWS["input"][rows]}
        outputs = {name: tensor[rows] for name, tensor in SAYS.items()}
        member = pair.subgroups.members(inputs, [{}], [len(inputs["input"])])
        sample = sample_of(pair, "r", draw("r"), Role.BASELINE, inputs, outputs, member, 0.5, 9.0)
        assert (sample is not None) is kept
        if sample is not None:
            assert (sample.served_by, sample.inclusion, sample.seconds, sample.time) == (Role.BASELINE, 1.0, 0.5, 9.0)
            assert list(sample.outputs) == ["probabilities"]
