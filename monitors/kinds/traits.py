"""The fixed attributes of a kind, and the choice of the tensors that it reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from tightrope.monitors.kinds.seam import MOST_CLASSES, PairLayout, TensorLayout

CHEAP_ENTRIES = 4096
"""The largest number of entries a row that is read before the answer: tens of microseconds."""

_FREE_SIDE = 256
"""The length by which a side without a fixed length is counted."""

_DATATYPES = {"f": "floating-point numbers", "i": "integers", "u": "unsigned integers", "b": "booleans", "O": "strings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KindTraits:
    """The tensors that a kind reads, and its offers; see `seam.DecisionKind`.

    >>> KindTraits(name="binary", outputs=("p",), has_top=True).has_confidence
    True
    """

    name: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    binary_loss: bool = False
    is_cheap: bool = True
    is_condensed: bool = False
    has_confidence: bool = True
    has_top: bool = False
    has_bias: bool = False
    has_margin: bool = False

    @property
    def watched(self) -> int:
        """The number of classes that are compared one by one: all, or none of more than `MOST_CLASSES`."""
        return len(self.classes) if len(self.classes) <= MOST_CLASSES else 0


def describe_tensor(tensor: TensorLayout) -> str:
    """A tensor's name, datatype and shape, for an error.

    >>> describe_tensor(TensorLayout("p", (-1, 3), "f"))
    "'p' (floating-point numbers, [-1, 3])"
    """
    return f"{tensor.name!r} ({_DATATYPES.get(tensor.kind, 'another datatype')}, {[*tensor.shape]})"


def choose_output(
    layout: PairLayout, kind: str, wanted: str, can_decide: Callable[[TensorLayout], bool]
) -> TensorLayout:
    """The output that decides: the configured one, else the only one that the kind can read.

    Raises:
        ValueError: when it is missing, cannot be read, or several can be.
    """
    names = [tensor.name for tensor in layout.outputs]
    if layout.output is not None and layout.output not in names:
        raise ValueError(f"output: is {layout.output!r}; write one of the model's outputs: {list_names(names)}")
    candidates = [tensor for tensor in layout.outputs if layout.output in {None, tensor.name}]
    fitting = [tensor for tensor in candidates if can_decide(tensor)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        choices = " or ".join(f"output: {tensor.name}" for tensor in fitting)
        raise ValueError(f"output: kind {kind} reads one output, and {len(fitting)} have {wanted}; write {choices}")
    shown = ", ".join(describe_tensor(tensor) for tensor in candidates) or "none"
    right = "another kind" if layout.output is None else "another output or another kind"
    raise ValueError(f"output: kind {kind} reads {wanted}, but the model gives {shown}; write {right}")


def choose_input(options: Mapping[str, Any], name: str, layout: PairLayout) -> tuple[str, ...]:
    """The input that option ``name`` names, if it is given.

    Raises:
        ValueError: when the model has no such input.
    """
    value = options.get(name)
    if value is None:
        return ()
    names = [tensor.name for tensor in layout.inputs]
    if value not in names:
        raise ValueError(f"{name}: is {value!r}; write one of the model's inputs: {list_names(names)}")
    return (str(value),)


def list_names(names: Sequence[str]) -> str:
    """Names in quotes, for an error."""
    return ", ".join(repr(name) for name in names) or "none"


def sides(tensor: TensorLayout) -> tuple[int, ...]:
    """The sides of one row that are not of length 1.

    >>> sides(TensorLayout("p", (-1, 1, 12), "f"))
    (12,)
    """
    return tuple(side for side in tensor.shape[1:] if side != 1)


def fixed_width(tensor: TensorLayout) -> int | None:
    """The number of entries of a row; None where a side is free."""
    return None if -1 in tensor.shape[1:] else prod(tensor.shape[1:])


def is_small(tensor: TensorLayout) -> bool:
    """Whether a row of this output is read within tens of microseconds.

    >>> is_small(TensorLayout("p", (-1, 10), "f")), is_small(TensorLayout("mask", (-1, 512, 512), "f"))
    (True, False)
    """
    return prod(_FREE_SIDE if side < 0 else side for side in tensor.shape[1:]) <= CHEAP_ENTRIES
