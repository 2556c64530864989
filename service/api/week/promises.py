"""The limits of a model as promises."""

from collections.abc import Sequence

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.monitors.verdict import Verdict
from tightrope.service.api.week.words import one_in

PROMISED_MONITOR = "disagreement"


def promises(verdicts: Sequence[Verdict], *, armed: bool) -> list[str]:
    """The tolerated shares of different answers of a model, in sentences, from its verdicts."""
    limits = {each.scope: each.limit for each in verdicts if each.monitor == PROMISED_MONITOR}
    whole, groups = limits.pop(MODEL_SCOPE, None), sorted({*limits.values()})
    says = []
    if whole is not None:
        says.append(f"At most {one_in(whole)} answers may differ from those of the full model, over all requests.")
    if groups:
        says.append(f"At most {one_in(groups[0])} answers may differ for any group{_other(groups)}.")
    if not says:
        return ["No limit for different answers is set."]
    proof = "Once there is proof that more differ"
    return [*says, f"{proof}, the full model answers." if armed else f"{proof}, Tightrope says so; it changes nothing."]


def _other(limits: Sequence[float]) -> str:
    return f", for some of them {one_in(limits[-1])}" if len(limits) > 1 else ""
