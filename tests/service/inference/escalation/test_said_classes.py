"""Answers of the compressed model that say a class which is asked again get the baseline's answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.onnx_models import classifier, fragile
from tests.support.serving.model_pairs import REFUSAL, weights
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.monitors.compare import read_output, top_class
from tightrope.monitors.kinds.seam import NO_CLASS

CLASSES, SAID = 4, 2
ASKING: dict[str, Any] = {"class_gain": "ask_again", "limits": {"disagreement": 0.02}}


def row(number: int) -> list[float]:
    """A row that both models call by this class, but for class 1: the compressed model calls it by 2."""
    return [float(number == each) for each in range(CLASSES)]


def bench(folder: Path, **section: object) -> GatewayHarness:
    """A gateway of a pair of four classes that asks again, narrowed to class 2."""
    baseline = 9 * np.eye(CLASSES, dtype=np.float32)
    compressed = baseline.copy()
    compressed[1] = baseline[SAID]
    pair = {
        "baseline": str(classifier(folder / "baseline.onnx", baseline)),
        "compressed": str(classifier(folder / "compressed.onnx", compressed)),
    }
    served = GatewayHarness(folder, {"m": {**pair, **ASKING, **section}})
    served.safe("m", "model", asked=(SAID,))
    return served


@pytest.mark.parametrize("decision", [{}, {"scale": "logits"}, {"kind": "classes"}])
def test_answers_that_say_the_class_are_asked_again(tmp_path: Path, decision: dict[str, object]) -> None:
    """The caller gets the baseline's answer, marked; others get the compressed model's."""
    served = bench(tmp_path, decision=decision) if decision != {"scale": "logits"} else bench(tmp_path)
    answers = [served.infer("m", body([row(number)])) for number in range(CLASSES)]
    by = [(a.parameters["served_by"], a.parameters.get("escalated", False), a.parameters["safe_mode"]) for a in answers]
    own, again = ("compressed", False, False), ("baseline", True, False)
    assert by == [own, again, again, own]
    assert [int(np.asarray(a.outputs["probabilities"]).argmax()) for a in answers] == [0, 1, 2, 3]
    served.metrics.exposition("")
    assert served.count("escalations", model="m") == 2  # two rows


def test_request_with_one_such_row_is_asked_again_as_a_whole(tmp_path: Path) -> None:
    """One model answers all rows of a request; other requests of the run keep their answers."""
    served = bench(tmp_path)
    assert served.infer("m", body([row(0), row(2)])).parameters["served_by"] == "baseline"
    assert served.infer("m", body([row(0), row(3)])).parameters["served_by"] == "compressed"


def test_refused_answers_are_asked_again_with_them(tmp_path: Path) -> None:
    """In one run of the baseline, and refusals alone are not asked again without their own setting."""
    unsure = [0.1, 0.0, 0.0, 0.05]
    served = bench(tmp_path, refusal={**REFUSAL, "action": "escalate"})
    assert served.infer("m", body([unsure])).parameters["served_by"] == "baseline"
    assert served.infer("m", body([row(0)])).parameters["served_by"] == "compressed"
    flagged = bench(tmp_path, refusal={**REFUSAL, "action": "flag"})
    assert flagged.infer("m", body([unsure])).parameters["served_by"] == "compressed"
    assert flagged.infer("m", body([row(1)])).parameters["served_by"] == "baseline"


def test_class_stays_with_the_compressed_model_where_the_baseline_fails(tmp_path: Path) -> None:
    """An answer is better than none; the failure is counted, and the parameters say so."""
    files = {
        "baseline": str(fragile(tmp_path / "b.onnx")),
        "compressed": str(classifier(tmp_path / "c.onnx", weights((-1, 1)))),
    }
    served = GatewayHarness(tmp_path, {"m": {**files, "class_gain": "ask_again"}})
    served.safe("m", "model", asked=(1,))
    parameters = served.infer("m", body([[5.0]])).parameters
    assert (parameters["served_by"], parameters["escalated"], parameters["fallback"]) == (
        "compressed",
        True,
        "baseline",
    )
    assert served.count("model_failures", model="m", role="baseline", reason="run_failed") == 1
    served.safe("m", "model")  # the whole model: its answer in the place of the baseline's is not asked again
    parameters = served.infer("m", body([[5.0]])).parameters
    assert ("escalated" in parameters, parameters["fallback"]) == (False, "baseline")
    assert served.count("model_failures", model="m", role="baseline", reason="run_failed") == 2


def test_class_that_is_not_known_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the one that is said too often."""
    served = bench(tmp_path)
    monkeypatch.setattr(
        "tightrope.service.inference.escalation.said_classes.said_classes",
        lambda _, run: np.full(len(run.decision), NO_CLASS),
    )
    assert served.infer("m", body([row(0)])).parameters["served_by"] == "baseline"


def test_class_is_the_one_that_the_comparisons_have(tmp_path: Path) -> None:
    """One output of two classes is the probability of class 1."""
    pair = bench(tmp_path).pairs["m"]
    scores = np.array([[0.2, 0.3, 0.4, 0.1], [0.7, 0.1, 0.1, 0.1]])
    assert top_class(read_output(scores, pair.decision.scale)).tolist() == [2, 0]
