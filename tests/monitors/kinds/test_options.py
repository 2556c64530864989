import numpy as np
import pytest

from tightrope.monitors.kinds.options import check_names, read_choice, read_count, read_positive, read_thresholds
from tightrope.monitors.records import Role


def test_options_left_out_have_their_defaults() -> None:
    """A key without a value, as YAML gives it, counts as left out."""
    assert read_choice({"loss": None}, "loss", ("any", "hamming")) == "any"
    assert read_count({}, "k", 10) == 10
    assert read_positive({"cap": None}, "cap") is None
    assert {role: each.tolist() for role, each in read_thresholds({}, "threshold", 1).items()} == {
        Role.BASELINE: [0.5],
        Role.COMPRESSED: [0.5],
    }


def test_thresholds_may_be_an_array() -> None:
    """It is a list; the default stands for a null of both roles, and not for that of one."""
    assert read_thresholds({"thresholds": np.array([0.1, 0.2])}, "thresholds", 2)[Role.BASELINE].tolist() == [0.1, 0.2]
    assert read_thresholds({"threshold": None}, "threshold", 1)[Role.BASELINE].tolist() == [0.5]
    with pytest.raises(ValueError, match="threshold: is None; write a number between 0 and 1"):
        read_thresholds({"threshold": {"baseline": 0.5, "compressed": None}}, "threshold", 1)


@pytest.mark.parametrize("value", [0, 1.5, True, "3", 6])
def test_count_is_a_whole_number_within_bounds(value: object) -> None:
    """The error says which."""
    with pytest.raises(ValueError, match=r"k: is .*; write a whole number from 1 to 5"):
        read_count({"k": value}, "k", 1, most=5)


@pytest.mark.parametrize("value", [[], "ab", 3, [["a"]], [None]])
def test_names_are_a_list(value: object) -> None:
    """A text is no list of letters; numbers are names."""
    assert check_names("classes", [1, "b"]) == ("1", "b")
    with pytest.raises(ValueError, match="classes: is "):
        check_names("classes", value)
