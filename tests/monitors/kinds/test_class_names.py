import pytest

from tightrope.monitors.kinds.class_names import ClassNames, integer_labels, read_class_names
from tightrope.monitors.records import Role


def test_classes_of_both_roles_are_joined_by_their_names() -> None:
    """The baseline's come first; a class that only the compressed model has follows."""
    names = read_class_names({"classes": {"baseline": ["a", "b"], "compressed": ["c", "b"]}})
    assert names is not None
    assert names.classes == ("a", "b", "c")
    assert names.positions[Role.COMPRESSED].tolist() == [2, 1]


def test_integers_stand_for_positions_or_for_themselves() -> None:
    """Classes that are integers are looked up by value."""
    names = ClassNames.of(dict.fromkeys(Role, ("20", "10")))
    by_value = integer_labels({"classes": [20, 10]}, names)[Role.BASELINE]
    assert [each.tolist() for each in by_value] == [[10, 20], [1, 0]]
    by_position = integer_labels({"classes": ["20", "10"]}, names)[Role.BASELINE]
    assert [each.tolist() for each in by_position] == [[0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (["a", "b", "c"], "classes: has 3 names, but the output has 2 columns; write 2 names"),
        ({"baseline": ["a", "b"]}, "write the names for baseline and one for compressed"),
        ({"baseline": ["a", "b"], "compressed": ["c"]}, "no class in common; write the same names for both"),
        ({"baseline": ["a", "b"], "compressed": []}, "classes: is []; write a list of names"),
    ],
)
def test_wrong_names_are_refused(value: object, sentence: str) -> None:
    """The error says what would be right."""
    with pytest.raises(ValueError, match=r"^classes: ") as error:
        read_class_names({"classes": value}, 2)
    assert sentence in str(error.value)
