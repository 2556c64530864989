import pytest

from tightrope.service.inference.row_files.columns import Columns, assign_columns
from tightrope.service.inference.row_files.row_file import RowFileError
from tightrope.service.protocol.tensors import TensorSpec

X = TensorSpec("x", "FP32", (-1, 2))
AGE = TensorSpec("age", "FP32", (-1, 1))
IDS, MASK = (TensorSpec(name, "INT64", (-1, -1)) for name in ("ids", "mask"))
SIZES = "(x FP32[-1, 2], age FP32[-1, 1]), and 'label', tag_* and parameter:* beside them"


def assigned(header: str, *specs: TensorSpec) -> Columns:
    """Assign the columns of a header, without spaces, to x and age, or to these inputs."""
    return assign_columns("data: line 1", header.split(","), specs or (X, AGE))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("age,x[1],x[0]", {"x": [2, 1], "age": [0]}),
        ("x[0],x[1],age[0]", {"x": [0, 1], "age": [2]}),
        ("a,label,b,tag_c,d", {"x": [0, 2], "age": [4]}),
        ("x[0],b,age", {"x": [0, 1], "age": [2]}),
    ],
)
def test_columns_belong_by_name_or_else_by_order(header: str, found: dict[str, list[int]]) -> None:
    """Names that all fit have any order; others stand in the order of the inputs."""
    assert {each.spec.name: list(each.indices) for each in assigned(header).inputs} == found


def test_free_width_is_that_of_the_columns() -> None:
    """Each input has its own."""
    found = assigned("mask[0],ids[2],ids[0],ids[1]", IDS, MASK)
    assert [(each.indices, each.sides) for each in found.inputs] == [([2, 3, 1], (3,)), ([0], (1,))]


def test_columns_beside_the_inputs_are_known() -> None:
    """The label, and parameters by either prefix."""
    found = assigned("label,a,b,c,tag_who,parameter:lang,tag_")
    assert (found.label, found.parameters) == (0, {4: "who", 5: "lang"})
    assert found.flat_names == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("age,x[0]", f"has no column 'x[1]'; the model takes 3 {SIZES}"),
        ("x[0],x[1],x[2],age", "column 'x[2]': x FP32[-1, 2] has 2 columns"),
        ("age,age[0],x[0],x[1]", "columns 'age' and 'age[0]' are the same"),
        ("x[0],x[1],agee,id", f"column 'agee': is no input; the model takes 3 {SIZES}; did you mean 'age'?"),
        ("age,b,c", f"column 'b': is no input; the model takes 3 {SIZES}"),
        ("a,b", f"has 2 input columns; the model takes 3 {SIZES}"),
        ("a,b,c,tag_d,parameter:d", "column 'd' appears twice"),
    ],
)
def test_header_that_does_not_fit_is_named(header: str, message: str) -> None:
    """A column never feeds an input that it does not belong to."""
    with pytest.raises(RowFileError) as refused:
        assigned(header)
    assert str(refused.value) == f"data: line 1: {message}"


def test_order_cannot_tell_two_free_widths() -> None:
    """Their columns need names; more than one free side needs another form of file."""
    with pytest.raises(RowFileError, match="has 4 input columns; the model takes one or more"):
        assigned("a,b,c,d", IDS, MASK)
    with pytest.raises(RowFileError, match=r"takes x FP32\[-1, -1, 4\]; columns can feed no input of free sides"):
        assigned("a", TensorSpec("x", "FP32", (-1, -1, 4)))
