import pytest

from tightrope.monitors.kinds.seam import PairLayout, TensorLayout
from tightrope.monitors.kinds.traits import KindTraits, choose_input, choose_output, fixed_width, is_small

P, IDS = TensorLayout("p", (-1, 3), "f"), TensorLayout("ids", (-1, -1), "i")


def has_floats(tensor: TensorLayout) -> bool:
    """Whether a tensor holds floats."""
    return tensor.kind == "f"


def test_configured_output_must_be_readable() -> None:
    """The error shows what the output holds."""
    assert choose_output(PairLayout([], [P, IDS]), "classes", "scores", has_floats) is P
    with pytest.raises(ValueError, match=r"but the model gives 'ids' \(integers, \[-1, -1\]\); write another"):
        choose_output(PairLayout([], [P, IDS], "ids"), "classes", "scores", has_floats)


def test_input_must_be_the_models() -> None:
    """The error lists the model's inputs; without the option there is no input."""
    layout = PairLayout([IDS], [P])
    assert choose_input({"mask": "ids"}, "mask", layout) == ("ids",)
    assert choose_input({}, "mask", layout) == ()
    with pytest.raises(ValueError, match="mask: is 'mask'; write one of the model's inputs: 'ids'"):
        choose_input({"mask": "mask"}, "mask", layout)


@pytest.mark.parametrize(("classes", "watched"), [(0, 0), (20, 20), (21, 0)])
def test_few_classes_are_watched_one_by_one(classes: int, watched: int) -> None:
    """Twenty are the most."""
    assert KindTraits(name="x", outputs=("y",), classes=tuple(map(str, range(classes)))).watched == watched


def test_width_and_cost_go_by_the_sides_of_a_row() -> None:
    """A free side has no known width, and counts as a long one."""
    assert (fixed_width(P), fixed_width(IDS), fixed_width(TensorLayout("y", (-1,), "f"))) == (3, None, 1)
    assert is_small(TensorLayout("tags", (-1, -1, 9), "f"))
    assert not is_small(TensorLayout("mask", (-1, 21, -1, -1), "f"))
