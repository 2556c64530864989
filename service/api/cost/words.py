"""The sentence about what compression saves and what safety costs."""

from tightrope.monitors.cost.shares import CpuShares
from tightrope.service.api.overview.phrases import percent

UNKNOWN_COST = "What it saves is not known: no request yet, or a model that cannot be timed here."


def cost_sentence(shares: CpuShares | None) -> str:
    """The sentence of a model.

    >>> cost_sentence(CpuShares(saved=0.41, watching=0.09, fallbacks=0.02, escalations=0.0, in_all=0.3))
    "Compression saves 41 % of the model's CPU; watching it costs 9 %; fallbacks cost 2 %."
    """
    if shares is None:
        return UNKNOWN_COST
    if shares.saved >= 0:
        clauses = [f"Compression saves {percent(shares.saved)} of the model's CPU"]
    else:
        clauses = [f"The small model costs {percent(-shares.saved)} more CPU than the full model"]
    if shares.watching is None:
        clauses.append("watching it is counted by its worker")
    else:
        clauses.append(f"watching it costs {percent(shares.watching)}")
    verb = "cost" if shares.fallbacks >= 0 else "save"
    clauses.append(f"fallbacks {verb} {percent(abs(shares.fallbacks))}")
    clauses += [f"asking again costs {percent(shares.escalations)}"] if shares.escalations else []
    return f"{'; '.join(clauses)}."
