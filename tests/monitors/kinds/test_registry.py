import ast
from pathlib import Path

import numpy as np
import pytest

from tests.house.sources import ROOT
from tests.support.kind_samples import layout, read
from tightrope.monitors.kinds.registry import FILE_OPTIONS, KINDS, LATER, OPTIONS
from tightrope.monitors.records import Role

SOURCES = Path(ROOT) / "monitors" / "kinds"


def keys_read(name: str) -> set[str]:
    """The option names that a kind's file reads."""
    calls = [node for node in ast.walk(ast.parse((SOURCES / f"{name}.py").read_text())) if isinstance(node, ast.Call)]
    found = set()
    for call in calls:
        function = getattr(call.func, "id", getattr(call.func, "attr", ""))
        if function == "get" and getattr(call.func, "value", None) and getattr(call.func.value, "id", "") == "options":
            found |= {arg.value for arg in call.args[:1] if isinstance(arg, ast.Constant)}
        elif function.lstrip("_").startswith(("read_", "choose_input")) and isinstance(call.args[0], ast.Name):
            names = [arg.value for arg in call.args[1:2] if isinstance(arg, ast.Constant)]
            found |= {*names} or {"scales": {"scale"}, "class_names": {"classes"}}.get(function[5:], set())
    return {each for each in found if isinstance(each, str)}


@pytest.mark.parametrize("name", KINDS)
def test_options_are_those_that_the_kind_reads(name: str) -> None:
    """An option that is listed and not read would be taken in silence."""
    assert keys_read(name) == {*OPTIONS[name]}


def test_tables_name_the_same_kinds() -> None:
    """No kind is built in and still to come."""
    assert KINDS.keys() == OPTIONS.keys()
    assert not KINDS.keys() & LATER.keys()
    assert all({*keys} <= {*OPTIONS[name]} for name, keys in FILE_OPTIONS.items())


@pytest.mark.parametrize(("name", "kind"), [("labels", "i"), ("binary", "f"), ("regression", "f"), ("classes", "f")])
def test_factory_builds_its_kind(name: str, kind: str) -> None:
    """Options may all be left out."""
    assert KINDS[name]({}, layout(kind=kind)).name == name


LOGITS_OF = {
    "classes": ([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4]], np.log),
    "binary": ([[0.7], [0.1]], lambda p: np.log(p / (1 - p))),
    "multilabel": ([[0.7, 0.2, 0.6], [0.1, 0.5, 0.4]], lambda p: np.log(p / (1 - p))),
    "positions": ([[[0.7, 0.3], [0.2, 0.8]]], np.log),
}
"""For each kind with a scale: probabilities, and what makes logits of them."""


@pytest.mark.parametrize("name", [name for name in KINDS if "scale" in OPTIONS[name]])
def test_each_role_is_read_by_its_own_scale(name: str) -> None:
    """Probabilities of the baseline and logits of the compressed model are the same decisions, as certain."""
    rows, logits_of = LOGITS_OF[name]
    p = np.array(rows)
    scale = {"baseline": "probabilities", "compressed": "logits"}
    kind = KINDS[name]({"scale": scale}, layout(*p.shape[1:]))
    baseline, compressed = read(kind, p), read(kind, logits_of(p), Role.COMPRESSED)
    assert kind.compare(baseline, compressed).loss.tolist() == [0.0] * len(p)
    assert compressed.confidence == pytest.approx(baseline.confidence)
    assert compressed.uncertainty == pytest.approx(baseline.uncertainty)
    assert read(kind, logits_of(p), Role.BASELINE).fault.any()


@pytest.mark.parametrize("scale", [{"baseline": "logits"}, {"baseline": "logits", "compressed": "regression"}, "odd"])
def test_scale_that_no_role_can_have_is_a_mistake(scale: object) -> None:
    """The option is named."""
    with pytest.raises(ValueError, match=r"^scale: is "):
        KINDS["binary"]({"scale": scale}, layout(1))
