"""The output that decides: the configured one, or the only one that can."""

from collections.abc import Callable, Sequence

from tightrope.service.inference.mapping.deciding_output import FLOAT_DATATYPES, are_floats_by_rows, deciding_output
from tightrope.service.protocol.tensors import TensorSpec


def find_decision_output(
    written: str | None, outputs: Sequence[TensorSpec], add_mistake: Callable[[str, str], None]
) -> str:
    """The name of the output that decides among these; empty if it is not there."""
    specs = {spec.name: spec for spec in outputs}
    name = deciding_output(outputs, written)
    if not specs:
        return ""  # told already: none of the outputs can be offered
    if name not in specs:
        add_mistake("decision.output", f"is {name!r}; it must name one of the outputs {', '.join(specs)}")
        return ""
    spec = specs[name]
    is_number = spec.datatype in FLOAT_DATATYPES and not spec.shape  # a request is a row then
    if not (is_number or are_floats_by_rows(spec)):
        shown = f"{spec.datatype}{list(spec.shape)}"
        text = f"{name!r} is {shown}; it must be FP16, FP32 or FP64 by rows (and classes)"
        add_mistake("decision.output", f"{text}; for others write decision.kind, such as labels or positions")
    return name
