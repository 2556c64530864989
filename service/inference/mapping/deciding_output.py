"""The output that decides, and the outputs that callers cannot get."""

from collections.abc import Callable, Collection, Mapping, Sequence

from tightrope.monitors.records import Role
from tightrope.service.adapters.ports import Model
from tightrope.service.protocol.tensors import TensorSpec

FLOAT_DATATYPES = frozenset({"FP16", "FP32", "FP64"})


def are_floats_by_rows(spec: TensorSpec) -> bool:
    """Whether an output can decide: floats by rows, and at most by classes beside."""
    return spec.datatype in FLOAT_DATATYPES and bool(spec.shape) and len(spec.shape) - 1 - spec.shape[1:].count(1) <= 1


def deciding_output(outputs: Collection[TensorSpec], configured: str | None) -> str | None:
    """The name of the output that decides: the configured one, the only one, or the only one of floats by rows."""
    if configured is not None:
        return configured
    for names in ([spec.name for spec in outputs], [spec.name for spec in outputs if are_floats_by_rows(spec)]):
        if len(names) == 1:
            return names[0]
    return None


def notes_of_not_offered(
    models: Mapping[Role, Model], decides: Mapping[Role, str | None], add_mistake: Callable[[str, str], None]
) -> Sequence[str]:
    """One line for each output that callers do not get, because it is no tensor of the protocol. A model whose deciding
    output is one, by its own name, or that has no other output, is a mistake.
    """
    notes = []
    for role, model in models.items():
        kinds: Mapping[str, str] = getattr(model, "not_offered", {})
        for name, kind in kinds.items():
            text = f"output {name!r} is a {kind}, which no tensor of the protocol can hold"
            if name == decides[role] or not model.outputs:
                add_mistake(role, f"{text}; write {role}_tensors.read")
            else:
                notes.append(f"{role}: {text}: it is not offered")
    return tuple(notes)
