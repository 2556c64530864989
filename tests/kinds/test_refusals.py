"""Configurations of public pairs that are refused with a sentence, and what is told of pairs that are accepted."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.kinds.conftest import Built
from tests.support.kinds.public_pairs import PAIRS
from tests.support.kinds.table_models import exchanged_columns_pair
from tests.support.serving.service_harness import pair_of
from tightrope.service.config.loader import ConfigError


def section_of(built: Built, name: str, decision: Mapping[str, object] | None = None) -> dict[str, object]:
    """The section of a pair with another decision, or without one."""
    section = PAIRS[name].section(built(name))
    section.pop("decision", None)
    return {**section, "decision": dict(decision)} if decision else section


def refusal_of(folder: Path, **section: object) -> str:
    """The only mistake of a pair."""
    with pytest.raises(ConfigError) as refused:
        pair_of(folder, **section)
    (line,) = refused.value.problems
    return line


@pytest.mark.parametrize(
    ("name", "decision", "sentence"),
    [
        ("multilabel", None, "do not sum to one: these are several labels; write kind: multilabel"),
        ("logits-as-probabilities", None, "is probabilities, but 'logits' holds -"),
        ("logits-as-probabilities", None, "; write scale: logits"),
        (
            "probabilities-as-logits",
            {"scale": "logits"},
            "is logits, but each row of 'p' sums to one; write scale: probabilities",
        ),
        ("embedding", None, "in rows of unit length: an embedding; write kind: embedding"),
        ("lightgbm-regressor", None, "; write scale: logits, or scale: regression"),
        ("sklearn-only-label", None, "'output_label' is INT64[-1]; it must be"),
        ("token-classifier", None, "'token_logits' is FP32[-1, -1, 9]; it must be"),
        ("detector-nms", None, "must name one of the outputs boxes, labels, scores"),
        ("detector-nms", {"output": "scores"}, "'scores' has another length for each row"),
        ("detector-nms", {"output": "labels", "kind": "labels"}, "'labels' has another length for each row"),
        ("detector-nms", {"output": "boxes", "scale": "regression"}, "'boxes' is FP32[-1, -1, 4]; it must be"),
        ("ocr-rec", {"kind": "text"}, "decision.kind: is 'text': a later version of Tightrope compares texts"),
        (
            "detector-nms",
            {"kind": "detection"},
            "decision.kind: is 'detection': a later version of Tightrope compares boxes",
        ),
        (
            "llm-decoder",
            {"kind": "generation"},
            "decision.kind: is 'generation': a later version of Tightrope compares generated tokens",
        ),
    ],
    ids=str,
)
def test_decision_that_does_not_fit_is_refused(
    built: Built, tmp_path: Path, name: str, decision: Mapping[str, object] | None, sentence: str
) -> None:
    """One line names the key and what to write."""
    line = refusal_of(tmp_path, **section_of(built, name, decision))
    assert line.startswith("models.m.decision.")
    assert sentence in line


def test_input_that_nobody_sends_is_refused(tmp_path: Path) -> None:
    """The compressed model knows a column more than the baseline."""
    exchanged_columns_pair(tmp_path)
    files = {role: str(tmp_path / f"{role}.onnx") for role in ("baseline", "compressed")}
    line = refusal_of(tmp_path, **files, decision={"output": "probabilities"})
    assert "input 'region' is sent by nobody; write compressed_tensors.constants or .prepare" in line


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("other-input-name", "compressed: input 'input_1' is taken for the callers' 'x'"),
        ("other-output-name", "compressed: output 'output_0' is taken for the callers' 'p'"),
        ("pruned-columns", "compressed: does not get 'region'"),
        ("silero-half", "compressed: does not get 'sr'"),
    ],
)
def test_mapping_that_was_found_is_told(built: Built, tmp_path: Path, name: str, note: str) -> None:
    """The notes of the pair say what was taken for what, and what a model does not get."""
    assert list(pair_of(tmp_path, **PAIRS[name].section(built(name))).notes) == [note]


@pytest.mark.parametrize(
    ("name", "key", "written"),
    [("other-input-name", "inputs", {"input_1": "x"}), ("other-output-name", "outputs", {"output_0": "p"})],
)
def test_mapping_that_is_written_needs_no_note(
    built: Built, tmp_path: Path, name: str, key: str, written: Mapping[str, str]
) -> None:
    """The map says the same as what was found without it."""
    section = PAIRS[name].section(built(name))
    assert list(pair_of(tmp_path, **section, compressed_tensors={key: dict(written)}).notes) == []


@pytest.mark.parametrize("name", ["ocr-cls", "ocr-cls-uint8", "token-classifier", "text-classifier", "embedding"])
def test_requests_of_dynamic_int8_run_apart(built: Built, tmp_path: Path, name: str) -> None:
    """Its ranges are those of the whole run, so that a row's answer depends on the rows beside it: that is told."""
    sharing = pair_of(tmp_path, **PAIRS[name].section(built(name))).batchability
    assert sharing.is_closed
    assert "of the compressed model: a row's answer depends on the other rows of its run" in sharing.describe()


@pytest.mark.parametrize(
    "name", ["side-output-layers-first", "compressed-batch1", "sklearn-default", "text-distilled", "silero-half"]
)
def test_requests_share_runs(built: Built, tmp_path: Path, name: str) -> None:
    """Rows on another axis, a student asked row by row, and maps of classes keep no request apart."""
    assert pair_of(tmp_path, **PAIRS[name].section(built(name))).batchability.is_open


def test_same_file_in_both_roles_warns(built: Built, tmp_path: Path) -> None:
    """The monitors would compare a model with itself."""
    (warning,) = pair_of(tmp_path, **PAIRS["same-file"].section(built("same-file"))).warnings
    assert "is the same model as the baseline" in warning


def test_logits_of_labels_may_be_read_as_classes(built: Built, tmp_path: Path) -> None:
    """The file cannot tell; both are accepted."""
    assert pair_of(tmp_path, **section_of(built, "multilabel-logits", {"scale": "logits"})).kind is None


def test_keys_of_maps_are_the_classes(built: Built, tmp_path: Path) -> None:
    """Probabilities in maps are offered as a matrix with one column a class."""
    pair = pair_of(tmp_path, **PAIRS["sklearn-default"].section(built("sklearn-default")))
    (spec,) = [each for each in pair.outputs if each.name == "output_probability"]
    assert (spec.datatype, spec.shape) == ("FP32", (-1, 3))
