from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import pytest

from tightrope.monitors.kinds.registry import KINDS, LATER, OPTIONS
from tightrope.monitors.kinds.seam import DecisionKind
from tightrope.monitors.kinds.traits import KindTraits
from tightrope.service.config.decision import DecisionSection
from tightrope.service.inference.kinds import kind_building
from tightrope.service.inference.kinds.kind_building import (
    build_kind,
    check_options,
    default_limit,
    is_plain,
    option_digests,
)
from tightrope.service.protocol.tensors import TensorSpec

OUTPUTS = (TensorSpec("p", "FP32", (-1, 3)),)
PLACES = (TensorSpec("p", "FP32", (-1, -1, 5)),)


def section(**keys: object) -> DecisionSection:
    """A section of the configuration."""
    return DecisionSection.model_validate(keys)


def mistakes(decision: DecisionSection, outputs: tuple[TensorSpec, ...] = OUTPUTS) -> dict[str, str]:
    """The mistakes of a section, by their keys; its options are checked before the kind is built."""
    found: dict[str, str] = {}
    check_options(decision, found.__setitem__)
    if not found:
        build_kind(decision, (), outputs, found.__setitem__)
    return found


def built(decision: DecisionSection, outputs: tuple[TensorSpec, ...] = OUTPUTS) -> DecisionKind | None:
    """The kind of a section without mistakes."""
    assert mistakes(decision, outputs) == {}
    return build_kind(decision, (), outputs, lambda key, text: pytest.fail(f"{key}: {text}"))


@pytest.mark.parametrize("keys", [{}, {"scale": "logits"}, {"scale": "regression"}, {"kind": "classes"}], ids=str)
def test_plain_decision_needs_no_kind(keys: dict[str, object]) -> None:
    """Its code path is that of rows of classes, or of values."""
    assert is_plain(section(**keys))
    assert built(section(**keys)) is None


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"kind": "multilabel"}, "multilabel"),
        ({"kind": "classes", "top": 2}, "classes"),
        ({"kind": "regression", "tolerance": 1.0}, "regression"),
        ({"kind": "embedding"}, "embedding"),
    ],
    ids=str,
)
def test_kind_is_built_by_its_name(keys: dict[str, object], name: str) -> None:
    """From the options that are written, and the tensors of the pair."""
    kind = built(section(**keys))
    assert kind is not None
    assert (kind.name, kind.outputs[0]) == (name, "p")


@pytest.mark.parametrize(
    ("keys", "key", "text"),
    [
        ({"kind": "multilable"}, "decision.kind", "is 'multilable'; there are classes, labels, binary"),
        ({"kind": "multilable"}, "decision.kind", "did you mean 'multilabel'?"),
        ({"kind": "multilabel", "threshold": 0.4}, "decision.threshold", "did you mean 'thresholds'?"),
        ({"top": 3}, "decision.top", "belongs to a kind; write decision.kind: classes"),
        ({"kind": "multilabel", "scale": "regression"}, "decision.scale", "takes probabilities or logits"),
        ({"kind": "multilabel", "loss": "edit"}, "decision", "loss: is 'edit'; write one of any, hamming, jaccard"),
        ({"kind": "binary"}, "decision", "output: kind binary reads"),
    ],
    ids=str,
)
def test_mistake_names_its_key_and_what_is_right(keys: dict[str, object], key: str, text: str) -> None:
    """Also where the kind itself refuses an option."""
    assert text in mistakes(section(**keys))[key]


@pytest.mark.parametrize("name", LATER)
def test_kind_of_a_later_version_is_refused_with_a_sentence(name: str) -> None:
    """It says that a later version has it."""
    assert mistakes(section(kind=name))["decision.kind"] == f"is {name!r}: {LATER[name]}"


def test_every_option_is_a_key_of_the_section() -> None:
    """Otherwise it could not be written."""
    assert {name for options in OPTIONS.values() for name in options} <= set(DecisionSection.model_fields)
    assert set(OPTIONS) == set(KINDS)


def test_files_of_options_are_read_and_digested(tmp_path: Path) -> None:
    """Another content is another digest, so that evidence starts anew."""
    tags = tmp_path / "tags.txt"
    tags.write_text("O\nB-PER\nI-PER\nB-LOC\nI-LOC\n")
    decision = section(kind="positions", loss="spans", tags=str(tags))
    kind = built(decision, PLACES)
    assert kind is not None
    before = option_digests(decision)
    tags.write_text("O\nB-ORG\nI-ORG\nB-LOC\nI-LOC\n")
    assert set(before) == {"tags"}
    assert option_digests(decision) != before


@pytest.mark.parametrize("content", [None, b"no array"], ids=["missing", "damaged"])
def test_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    """With the option that names it."""
    file = tmp_path / "a.npy"
    if content is not None:
        file.write_bytes(content)
    decision = section(kind="embedding", loss="neighbours", anchors={"baseline": str(file), "compressed": str(file)})
    assert mistakes(decision)["decision"].startswith(f"anchors: {file}: ")


def test_anchors_are_handed_to_the_kind_by_role(tmp_path: Path) -> None:
    """As arrays."""
    for role in ("baseline", "compressed"):
        np.save(tmp_path / f"{role}.npy", np.eye(3))
    files = {role: str(tmp_path / f"{role}.npy") for role in ("baseline", "compressed")}
    kind = built(section(kind="embedding", loss="neighbours", anchors=files, k=2))
    assert kind is not None
    assert kind.has_confidence


def test_package_offers_a_kind_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the options of `options`; code that fails is a mistake, not a crash."""
    points = EntryPoints(
        [
            EntryPoint("mine", "tightrope.monitors.kinds.multilabel:build_multilabel", kind_building.ENTRY_POINTS),
            EntryPoint("lost", "tightrope.monitors.kinds:no_such_factory", kind_building.ENTRY_POINTS),
        ]
    )
    monkeypatch.setattr(kind_building, "entry_points", points.select)
    kind = built(section(kind="mine", options={"loss": "jaccard"}))
    assert kind is not None
    assert kind.name == "multilabel"
    assert "'lost' cannot be built: AttributeError" in mistakes(section(kind="lost"))["decision.kind"]
    assert "loss: is 'x'" in mistakes(section(kind="mine", options={"loss": "x"}))["decision"]


def both_monitors(_options: object, _layout: object) -> DecisionKind:
    """A kind that has a confidence and a bias."""
    return KindTraits(name="both", outputs=("p",), has_bias=True)  # type: ignore[return-value]


def test_kind_with_confidence_and_bias_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both monitors have one share of the alarm budget: with both on, it would be exceeded."""
    points = EntryPoints([EntryPoint("both", f"{__name__}:both_monitors", kind_building.ENTRY_POINTS)])
    monkeypatch.setattr(kind_building, "entry_points", points.select)
    assert "share one alarm budget" in mistakes(section(kind="both"))["decision.kind"]


def test_default_limit_depends_on_the_loss() -> None:
    """A hamming loss hides one label of many."""
    assert default_limit(section(kind="multilabel", loss="hamming"), 0.02) == 0.01
    assert default_limit(section(kind="multilabel"), 0.02) == 0.02
