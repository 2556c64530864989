"""A pair as callers see it: its tensors, its rows, and the requests that may share a run."""

from pathlib import Path

import numpy as np

from tests.support.serving.model_pairs import sure_and_unsure
from tests.support.serving.service_harness import pair_of
from tightrope.service.protocol.rest import InferRequest


def request_of(rows: int) -> InferRequest:
    """A request of rows for the pair."""
    return InferRequest("r", {}, {"input": np.zeros((rows, 2), np.float32)}, (), binary_default=False)


def test_requests_of_equal_width_share_a_run(tmp_path: Path) -> None:
    """The declared side is fixed here, so any two requests may."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    requests = [request_of(1), request_of(3)]
    assert (pair.has_free_rows, pair.has_free_width, pair.is_remote) == (True, False, False)
    assert pair.can_share_run(requests) is pair.batchability.is_open


def test_callers_have_the_declared_inputs(tmp_path: Path) -> None:
    """A plain pair has no other layout, and requests pass as they are."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    request = request_of(1)
    assert pair.declared_inputs == pair.inputs
    assert pair.rows_first(request) is request
