"""Description of a checked model pair, to read before it is started."""

from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.records import MODEL_SCOPE, Role
from tightrope.service.adapters.open_inference.model import endpoint_of
from tightrope.service.adapters.ports import Model
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.tensors import TensorSpec


def describe(pair: ModelPair) -> dict[str, object]:
    """Describe a model: artefacts, signature, monitors with their limits, and the rows that each needs before it can
    pass.
    """
    plan = pair.plan
    return {
        "name": pair.name,
        "version": pair.version,
        "mode": "armed" if plan.armed else "advisory",
        "baseline": _artefact(pair.models[Role.BASELINE]),
        "compressed": _artefact(pair.models[Role.COMPRESSED]),
        "inputs": [_signature(spec) for spec in pair.declared_inputs],
        "outputs": [_signature(spec) for spec in pair.outputs],
        "decides by": f"{pair.output} ({pair.decision.scale})",
        **({"notes": list(pair.notes)} if pair.notes else {}),
        "requests": pair.batchability.describe(),
        "subgroups": list(plan.scopes[1:]),
        "sampling": f"{pair.sampler.rate:.0%} of requests"
        + "".join(f", {floor:.0%} of {scope}" for scope, floor in pair.sampler.floors.items()),
        "monitors": [_limits(rule) for rule in plan.rules],
        "can pass after": [
            f"{rule.monitor.name}: {int(max(rule.needed[rule.watched])) + 1} rows of a scope" for rule in plan.rules
        ],
        "false alarms": f"at most one in {plan.budget.samples:.3g} samples, all monitors and subgroups together",
    }


def _artefact(model: Model) -> str:
    """Return a model's digest; for a remote model also its address, and why it is unavailable if it is."""
    endpoint = endpoint_of(model)
    if endpoint is None:
        return model.digest
    away = f" (unreachable: {endpoint.breaker.open_reason})" if endpoint.breaker.open_reason else ""
    return f"{model.digest} at {endpoint.where}{away}"


def _limits(rule: Rule) -> str:
    """Return a monitor's name and its limits: for the model and for subgroups, where it watches them."""
    model = [f"{rule.limits[0]:g} ({MODEL_SCOPE})"] if rule.watched[0] else []
    subgroups = [f"{rule.limits[1]:g} (subgroups)"] if rule.watched[1:].any() else []
    return f"{rule.monitor.name} <= {', '.join(model + subgroups)}"


def _signature(spec: TensorSpec) -> str:
    return f"{spec.name} {spec.datatype}{list(spec.shape)}"
