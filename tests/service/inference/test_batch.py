"""Requests answered in one batch get the responses that each would get alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.onnx_models import classifier
from tests.support.serving.engine_requests import answer_together
from tests.support.serving.model_pairs import CALM, HUGE, REFUSAL, SUBGROUPS, failing, sure_and_unsure, weights
from tests.support.serving.service_harness import GatewayHarness
from tightrope.monitors.records import Bools, Role
from tightrope.service.errors import CallerError
from tightrope.service.inference.batch import RequestBatch
from tightrope.service.inference.engine import SingleRequest, row_count
from tightrope.service.protocol.rest import InferRequest, InferResponse, OutputRequest

OUTPUTS = ((), (OutputRequest("probabilities", binary=False),))


def request(rows: Sequence[Sequence[float]], name: str = "", region: str = "", outputs: int = 0) -> InferRequest:
    """A request whose input has these rows."""
    inputs = {"input": np.array(rows, np.float32)}
    return InferRequest(name or None, {"region": region}, inputs, OUTPUTS[outputs], binary_default=False)


def alike(one: object, other: object) -> bool:
    """Whether answers are equal, up to the rounding of another batch size."""
    if not (isinstance(one, InferResponse) and isinstance(other, InferResponse)):
        return type(one) is type(other) and str(one) == str(other)
    figures = ("confidence", "uncertainty")
    a, b = ({k: v for k, v in of.parameters.items() if k not in figures} for of in (one, other))
    return (
        (one.id, a, list(one.outputs)) == (other.id, b, list(other.outputs))
        and all(one.parameters.get(f) == pytest.approx(other.parameters.get(f), rel=1e-5) for f in figures)
        and all(np.allclose(one.outputs[name], other.outputs[name], rtol=1e-5) for name in one.outputs)
    )


ROW = st.tuples(st.sampled_from([5.0, 15.0, 50.0]), st.floats(-4, 4, width=32))
REQUESTS = st.lists(
    st.builds(
        request,
        st.lists(ROW, min_size=1, max_size=3),
        st.uuids().map(str),
        st.sampled_from(["north", "south", "", "elsewhere"]),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module", params=["flag", "escalate", "abstain"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GatewayHarness:
    """A gateway whose baseline answers one subgroup, with each way to refuse."""
    folder = tmp_path_factory.mktemp("batch")
    pair = {**sure_and_unsure(folder), **CALM, "subgroups": SUBGROUPS, "refusal": {**REFUSAL, "action": request.param}}
    bench = GatewayHarness(folder, {"m": pair})
    bench.safe("m", "region=north")
    return bench


@given(requests=REQUESTS)
def test_batch_gives_the_responses_of_single_requests(served: GatewayHarness, requests: list[InferRequest]) -> None:
    """Roles, refusals, escalations, withheld outputs and sizes are those of each request."""
    both = answer_together(served.engine, "m", requests)
    alone = [answer_together(served.engine, "m", [request])[0] for request in requests]
    assert all(alike(one, other) for one, other in zip(both, alone, strict=True))


@pytest.mark.parametrize(("model", "value"), [("fragile", 5.0), ("overflowing", HUGE)])
def test_only_the_failing_request_of_a_batch_falls_back(tmp_path: Path, model: str, value: float) -> None:
    """A run that fails and unreadable outputs alike: the compressed model answers the other requests."""
    bench = GatewayHarness(tmp_path, failing(tmp_path))
    asked = [request([[x]]) for x in (1.0, value, 0.0)]
    answers = answer_together(bench.engine, model, asked)
    roles = [answer.parameters["served_by"] for answer in answers if isinstance(answer, InferResponse)]
    assert roles == ["compressed", "baseline", "compressed"]
    assert (
        bench.count("model_failures", model=model, role="compressed", reason="run_failed")
        + bench.count("model_failures", model=model, role="compressed", reason="unreadable_output")
        == 1
    ), "what is found out by asking each alone is counted once"


def test_inputs_that_differ_in_rows_are_refused() -> None:
    """The error names both inputs."""
    two = {"x": np.zeros((1, 2)), "y": np.zeros((2, 1))}
    with pytest.raises(CallerError, match="'x' has 1, 'y' has 2"):
        row_count(InferRequest(None, {}, two, (), binary_default=False))


def test_selected_requests_keep_their_rows_and_members(tmp_path: Path) -> None:
    """In the order of the indices."""
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS}})
    asked = [request([[5.0, 1.0]], region="north"), request([[50.0, 2.0], [15.0, 3.0]]), request([[5.0, 4.0]])]
    items = [SingleRequest(request, row_count(request), None) for request in asked]
    whole = RequestBatch.from_items(bench.pairs["m"], items)
    part = whole.select([1, 2])
    assert part.ends == [2, 3]
    assert part.inputs["input"][:, 1].tolist() == [2.0, 3.0, 4.0]
    expected: Bools = whole.member[1:]
    assert part.member.tolist() == expected.tolist()
    assert whole.select([0, 1, 2]) is whole


@pytest.mark.parametrize(("shape", "may"), [(("rows", "width"), False), (("rows", 2), True), ((1, 2), False)])
def test_requests_share_a_run_only_if_their_rows_can_be_concatenated(
    tmp_path: Path, shape: tuple[Any, ...], *, may: bool
) -> None:
    """Their outputs are by rows, and the other dimensions are equal."""
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    pair = bench.pairs["m"]
    free, ragged = isinstance(shape[0], str), any(isinstance(side, str) for side in shape[1:])
    vars(pair)["has_free_width"] = ragged
    if not free:
        pair.batchability.keep_apart("the first side is fixed")
    wide = 3 if ragged else 2
    asked = [request([[1.0, 1.0]]), request([[1.0] * wide])]
    assert pair.can_share_run(asked) is may


def test_models_of_both_roles_answer_parts_of_one_batch(tmp_path: Path) -> None:
    """One run for each role, in any order of the requests."""
    files = {
        "baseline": str(classifier(tmp_path / "b.onnx", weights((0, 0), (4, -4)))),
        "compressed": str(classifier(tmp_path / "c.onnx", weights((0, 0), (-4, 4)))),
    }
    bench = GatewayHarness(tmp_path, {"m": {**files, **CALM, "subgroups": SUBGROUPS}})
    bench.safe("m", "region=north")
    asked = [request([[50.0, 1.0]], region=region) for region in ("north", "south", "north", "south")]
    answers = answer_together(bench.engine, "m", asked)
    tops = [a.outputs["probabilities"].argmax() for a in answers if isinstance(a, InferResponse)]
    assert tops == [0, 1, 0, 1]
    for role in Role:
        ran = bench.metrics.registry.get_sample_value("tightrope_answer_seconds_count", {"model": "m", "role": role})
        assert ran == 1.0
