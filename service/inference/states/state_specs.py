"""The configured states of a pair, checked against its tensors."""

from collections.abc import Callable, Mapping

from tightrope.service.adapters.ports import Model
from tightrope.service.inference.states.state_tensors import StateTensors


def build_states(
    written: Mapping[str, str], model: Model, add_mistake: Callable[[str, str], None]
) -> StateTensors | None:
    """The states of a pair with the tensors of this model; None where none are written."""
    outputs = {spec.name: spec for spec in model.outputs}
    inputs = {spec.name: spec for spec in model.inputs}
    for name, target in written.items():
        key = f"state_tensors.{name}"
        if name not in outputs:
            add_mistake(key, f"there is no such output; there are {', '.join(outputs)}")
        elif target not in inputs:
            add_mistake(key, f"is {target!r}; it must be one of the inputs {', '.join(inputs)}")
        elif outputs[name].datatype != inputs[target].datatype or outputs[name].datatype == "BYTES":
            types = f"which is {inputs[target].datatype}, but the output is {outputs[name].datatype}"
            add_mistake(key, f"is {target!r}, {types}; a state has one type of numbers")
        if list(written.values()).count(target) > 1:
            add_mistake(key, f"is {target!r}, which several outputs are")
    return StateTensors(dict(written)) if written else None
