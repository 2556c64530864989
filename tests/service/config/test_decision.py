from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.support.configs import write_config
from tightrope.monitors.records import Role
from tightrope.service.config.decision import DecisionSection
from tightrope.service.config.loader import load


def test_written_options_are_those_that_differ_from_their_defaults() -> None:
    """The output and the kind are no options."""
    section = DecisionSection.model_validate(
        {"output": "p", "kind": "multilabel", "loss": "any", "scale": "probabilities"}
    )
    assert section.written == {"loss": "any"}
    assert DecisionSection().written == {}


def test_scale_is_one_for_both_roles_or_one_of_each() -> None:
    """A regression is one of the pair, never of one role."""
    scales = {"baseline": "probabilities", "compressed": "logits"}
    assert DecisionSection.model_validate({"scale": scales}).scales == scales
    assert DecisionSection().scales == dict.fromkeys(Role, "probabilities")
    for wrong in ({"baseline": "logits"}, {**scales, "compressed": "regression"}, {**scales, "other": "logits"}):
        with pytest.raises(ValidationError):
            DecisionSection.model_validate({"scale": wrong})


@pytest.mark.parametrize("keys", [{"top": 0}, {"cap": 0}, {"edges": ["x"]}, {"tolerance": -1}, {"anchors": {"x": "f"}}])
def test_option_of_another_type_is_a_mistake(keys: dict[str, object]) -> None:
    """Before any model is loaded."""
    with pytest.raises(ValidationError):
        DecisionSection.model_validate(keys)


def test_files_of_options_are_relative_to_the_configuration(tmp_path: Path) -> None:
    """As all files."""
    decision = {"kind": "embedding", "anchors": {"baseline": "a.npy"}, "tags": "tags.txt"}
    models = {"m": {"baseline": "b.onnx", "compressed": "c.onnx", "decision": decision}}
    section = load(write_config(tmp_path, {"models": models})).models["m"].decision
    assert section.anchors == {"baseline": tmp_path / "a.npy"}
    assert section.tags == tmp_path / "tags.txt"
