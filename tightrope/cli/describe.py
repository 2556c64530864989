"""What a checked configuration amounts to, for people to read before they start it."""

from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.records import MODEL_SCOPE, Role
from tightrope.service.adapters.open_inference.model import EndpointModel
from tightrope.service.adapters.ports import Model
from tightrope.service.inference.model_pair import Pair
from tightrope.service.protocol.tensors import TensorSpec


def describe(pair: Pair) -> dict[str, object]:
    """One model: artefacts, signature, monitors with their limits, and how many rows each needs before it may pass."""
    plan = pair.plan
    return {
        "name": pair.name,
        "version": pair.version,
        "mode": "armed" if plan.armed else "advisory",
        "baseline": _artefact(pair.models[Role.BASELINE]),
        "compressed": _artefact(pair.models[Role.COMPRESSED]),
        "inputs": [_show(spec) for spec in pair.inputs],
        "outputs": [_show(spec) for spec in pair.outputs],
        "decides by": f"{pair.output} ({pair.decision.scale})",
        "subgroups": list(plan.scopes[1:]),
        "sampling": f"{pair.sampler.rate:.0%} of requests"
        + "".join(f", {floor:.0%} of {scope}" for scope, floor in pair.sampler.floors.items()),
        "monitors": [_limits(rule) for rule in plan.rules],
        "can pass after": [
            f"{rule.question.name}: {int(max(rule.needed[rule.watched])) + 1} rows of a scope" for rule in plan.rules
        ],
        "false alarms": f"at most one in {plan.budget.samples:.3g} samples, all monitors and subgroups together",
    }


def _artefact(model: Model) -> str:
    """Its digest, and where it is if it is not here."""
    if not isinstance(model, EndpointModel):
        return model.digest
    away = f" (away: {model.breaker.away})" if model.breaker.away else ""
    return f"{model.digest} at {model.where}{away}"


def _limits(rule: Rule) -> str:
    """One monitor: what it tolerates, of the model and of subgroups, where it watches them."""
    whole = [f"{rule.limits[0]:g} ({MODEL_SCOPE})"] if rule.watched[0] else []
    apart = [f"{rule.limits[1]:g} (subgroups)"] if rule.watched[1:].any() else []
    return f"{rule.question.name} <= {', '.join(whole + apart)}"


def _show(spec: TensorSpec) -> str:
    return f"{spec.name} {spec.datatype}{list(spec.shape)}"
