"""The engine answers with one of two models, describes how the answer came about, and samples it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.onnx_models import classifier, fragile
from tests.support.serving.model_pairs import CALM, REFUSAL, SUBGROUPS, sure_and_unsure, two_inputs, weights
from tests.support.serving.service_harness import DRAW_KEY, GatewayHarness, body
from tightrope.monitors.intake.sampling import input_digest
from tightrope.monitors.records import Role
from tightrope.service.errors import CallerError, UnknownModelError

UNSURE, SURE = [0.0, 1.0], [0.0, 5.0]
"""Rows that the compressed model gives 0.73 and 0.993; both decide class 0."""


def bench(folder: Path, **model: Any) -> GatewayHarness:  # noqa: ANN401 - any key of a model
    """A gateway that serves one pair, m."""
    return GatewayHarness(folder, {"m": {**sure_and_unsure(folder), **CALM, **model}})


def test_response_parameters_describe_the_answer(tmp_path: Path) -> None:
    """Flat parameters: role, safe mode, confidence, uncertainty and digest."""
    served = bench(tmp_path)
    answer = served.infer("m", body([UNSURE]))
    p = 1 / (1 + np.exp(-1.0))
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)) / np.log(2)
    assert answer.parameters == {
        "served_by": "compressed",
        "safe_mode": False,
        "refused": False,
        "confidence": pytest.approx(p, abs=1e-6),
        "uncertainty": pytest.approx(entropy, abs=1e-6),
        "model_digest": served.pairs["m"].models[Role.COMPRESSED].digest,
    }
    assert (answer.model_name, answer.model_version) == ("m", "1")
    assert answer.outputs["probabilities"][0].tolist() == pytest.approx([p, 1 - p], abs=1e-6)


def test_least_certain_row_counts_for_the_request(tmp_path: Path) -> None:
    """Lowest confidence and highest uncertainty of any row."""
    served = bench(tmp_path)
    alone = served.infer("m", body([UNSURE])).parameters
    among = served.infer("m", body([SURE, UNSURE, SURE])).parameters
    assert among == alone


def test_id_is_echoed_or_generated(tmp_path: Path) -> None:
    """Generated ids differ, within a gateway and between two."""
    served, other = bench(tmp_path), bench(tmp_path)
    assert served.infer("m", body([SURE], id="mine")).id == "mine"
    made = [of.infer("m", body([SURE])).id for of in (served, served, other)]
    assert len({*made}) == 3
    assert all(made)


def test_only_requested_outputs_are_returned(tmp_path: Path) -> None:
    """The output that decides is read in any case."""
    answer = bench(tmp_path).infer("m", body([SURE], outputs=[{"name": "probabilities"}]))
    assert list(answer.outputs) == ["probabilities"]
    assert "confidence" in answer.parameters


def test_regression_has_no_confidence(tmp_path: Path) -> None:
    """A number alone has none."""
    value = str(classifier(tmp_path / "v.onnx", np.ones((2, 1), np.float32), scores=True))
    served = GatewayHarness(
        tmp_path, {"m": {"baseline": value, "compressed": value, "decision": {"scale": "regression"}}}
    )
    parameters = served.infer("m", body([SURE])).parameters
    assert set(parameters) == {"served_by", "safe_mode", "refused", "model_digest"}


@pytest.mark.parametrize(
    ("rows", "refused_rows"), [([UNSURE], None), ([SURE, UNSURE, SURE, UNSURE], "1,3"), ([SURE, SURE], None)]
)
def test_flag_answers_and_lists_the_refused_rows(
    tmp_path: Path, rows: Sequence[Sequence[float]], refused_rows: str | None
) -> None:
    """A flagged answer has its outputs; the refused rows are counted by role."""
    served = bench(tmp_path, refusal={**REFUSAL, "action": "flag"})
    answer = served.infer("m", body(rows))
    assert answer.parameters["refused"] is (UNSURE in rows)
    assert answer.parameters.get("refused_rows") == refused_rows
    assert len(answer.outputs["probabilities"]) == len(rows)
    assert served.count("refusals", model="m", role="compressed", action="flag") == rows.count(UNSURE)


def test_abstain_gives_no_outputs(tmp_path: Path) -> None:
    """A refused request gets none, another one all."""
    served = bench(tmp_path, refusal={**REFUSAL, "action": "abstain"})
    refused, answered = served.infer("m", body([SURE, UNSURE])), served.infer("m", body([SURE]))
    assert (refused.outputs, refused.parameters["refused"]) == ({}, True)
    assert (list(answered.outputs), answered.parameters["refused"]) == (["probabilities"], False)


@pytest.mark.parametrize(
    ("row", "served_by", "escalated", "refused"),
    [
        (SURE, "compressed", False, False),
        (UNSURE, "baseline", True, False),
        ([0.0, 0.0], "baseline", True, True),
    ],
)
def test_escalation_refuses_only_if_the_baseline_is_unsure_too(
    tmp_path: Path, row: list[float], served_by: str, *, escalated: bool, refused: bool
) -> None:
    """Escalation is no safe mode: the compressed model answers the next request."""
    served = bench(tmp_path, refusal={**REFUSAL, "action": "escalate"})
    parameters = served.infer("m", body([row])).parameters
    assert (parameters["served_by"], parameters["refused"]) == (served_by, refused)
    assert parameters.get("escalated", False) is escalated
    assert parameters["safe_mode"] is False


def test_baseline_in_safe_mode_does_not_escalate(tmp_path: Path) -> None:
    """It refuses by itself."""
    served = bench(tmp_path, refusal={**REFUSAL, "action": "escalate"})
    served.safe("m", "model")
    parameters = served.infer("m", body([[0.0, 0.0]])).parameters
    assert (parameters["served_by"], parameters["refused"]) == ("baseline", True)
    assert "escalated" not in parameters


def test_escalation_to_a_baseline_that_fails_leaves_the_refused_answer(tmp_path: Path) -> None:
    """The caller gets the compressed model's refused answer; the failure is counted."""
    files = {
        "baseline": str(fragile(tmp_path / "b.onnx")),
        "compressed": str(classifier(tmp_path / "c.onnx", weights((0.01, -0.01)))),
    }
    served = GatewayHarness(tmp_path, {"m": {**files, "refusal": {**REFUSAL, "action": "escalate"}}})
    parameters = served.infer("m", body([[5.0]])).parameters
    assert (parameters["served_by"], parameters["refused"], parameters["escalated"]) == ("compressed", True, True)
    assert served.count("model_failures", model="m", role="baseline", reason="run_failed") == 1


def test_safe_scope_is_answered_by_the_baseline(tmp_path: Path) -> None:
    """Only requests with a row in the scope; rows are counted by role."""
    served = bench(tmp_path, subgroups=SUBGROUPS)
    served.safe("m", "band=low")
    high, low = [10.0, 1.0], [9.0, 1.0]
    by = [served.infer("m", body(rows)).parameters for rows in ([high], [low], [high, high, low])]
    assert [parameters["served_by"] for parameters in by] == ["compressed", "baseline", "baseline"]
    assert [parameters["safe_mode"] for parameters in by] == [False, True, True]
    assert served.count("rows", model="m", role="compressed") == 1
    assert served.count("rows", model="m", role="baseline") == 4


def test_inputs_must_have_the_same_rows(tmp_path: Path) -> None:
    """A sample whose inputs differ in rows could not be compared, and would spoil its whole record."""
    path = str(two_inputs(tmp_path / "two.onnx"))
    served = GatewayHarness(tmp_path, {"m": {"baseline": path, "compressed": path}})

    def request(a: int, b: int) -> dict[str, Any]:
        tensors = [("a", a, 3), ("b", b, 1)]
        return {
            "inputs": [
                {"name": name, "shape": [rows, width], "datatype": "FP32", "data": [1.0] * rows * width}
                for name, rows, width in tensors
            ]
        }

    assert len(served.infer("m", request(2, 2)).outputs["output"]) == 2
    for a, b in ((3, 1), (1, 3)):
        with pytest.raises(CallerError, match=f"inputs: all must have the same .* 'a' has {a}, 'b' has {b}"):
            served.infer("m", request(a, b))
    assert served.count("samples", model="m") == 1


def test_model_and_version_must_be_served_here(tmp_path: Path) -> None:
    """The error lists what is served."""
    served = bench(tmp_path, version="7")
    assert served.engine.pair("m", "7") is served.engine.pair("m")
    with pytest.raises(UnknownModelError, match="model 'n' is not served here; there are m"):
        served.engine.pair("n")
    with pytest.raises(UnknownModelError, match="model 'm' has no version '1'; it has '7'"):
        served.engine.pair("m", "1")


def test_sample_has_everything_a_worker_needs(tmp_path: Path) -> None:
    """Inputs, the output that decides, role, digests, subgroups, draw and inclusion."""
    served = bench(tmp_path, subgroups=SUBGROUPS)
    served.safe("m", "region=north")
    served.time = 1234.5
    answer = served.infer("m", body([[9.0, 1.0], [10.0, 2.0]], id="abc", parameters={"region": "north"}))
    ((sample,), _) = served.published()
    pair = served.pairs["m"]
    assert (sample.model, sample.request_id, sample.time) == ("m", "abc", 1234.5)
    assert sample.served_by is Role.BASELINE
    assert (sample.baseline_digest, sample.compressed_digest) == tuple(pair.models[role].digest for role in Role)
    assert sample.inputs["input"].tolist() == [[9.0, 1.0], [10.0, 2.0]]
    assert sample.outputs["probabilities"].tolist() == answer.outputs["probabilities"].tolist()
    assert sample.scopes == pair.subgroups.scopes
    members = [{sample.scopes[index] for index in np.flatnonzero(row)} for row in sample.member]
    assert members == [{"region=north", "band=low"}, {"region=north", "band=high"}]
    assert (sample.draw, sample.inclusion) == (DRAW_KEY.draw("m", 1234.5, "abc", input_digest(sample.inputs)), 1.0)
    assert served.count("samples", model="m") == 1
