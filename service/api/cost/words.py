"""The sentence about what compression saves and what safety costs.

All shares are of an estimate, the time that the full model alone would take, which moves from start to start
(docs/cost.md). So the sentence says "about", and shares from 1 % on have no decimals.
"""

from tightrope.monitors.cost.shares import CpuShares
from tightrope.service.api.overview.phrases import percent

UNKNOWN_COST = "What it saves is not known: no request yet, or a model that cannot be timed here."

SAME = 0.05
"""Share below which the two models are said to cost about the same: the estimate moves by more."""

_WHOLE = 0.01


def cost_sentence(shares: CpuShares | None) -> str:
    """The sentence of a model.

    >>> cost_sentence(CpuShares(saved=0.41, watching=0.09, fallbacks=0.02, escalations=0.0, in_all=0.3))
    "Compression saves about 41 % of the model's CPU; watching it costs about 9 %; fallbacks cost about 2 %."
    """
    if shares is None:
        return UNKNOWN_COST
    clauses = [_saving(shares.saved)]
    if shares.watching is None:
        clauses.append("watching it is counted by its worker")
    else:
        clauses.append(f"watching it costs {about_percent(shares.watching)}")
    verb = "cost" if shares.fallbacks >= 0 else "save"
    clauses.append(f"fallbacks {verb} {about_percent(shares.fallbacks)}")
    clauses += [f"asking again costs {about_percent(shares.escalations)}"] if shares.escalations else []
    return f"{'; '.join(clauses)}."


def _saving(saved: float) -> str:
    if abs(saved) < SAME:
        return "The small model costs about as much CPU as the full model"
    if saved > 0:
        return f"Compression saves {about_percent(saved)} of the model's CPU"
    return f"The small model costs {about_percent(saved)} more CPU than the full model"


def about_percent(share: float) -> str:
    """A share that is an estimate, without its sign; 0 is exact.

    >>> about_percent(0.4149), about_percent(-0.02), about_percent(0.004), about_percent(0.0001), about_percent(0)
    ('about 41 %', 'about 2 %', 'about 0.4 %', 'under 0.1 %', '0 %')
    """
    text = f"{100 * abs(share):.0f} %" if abs(share) >= _WHOLE else percent(share)
    return text if not share or text.startswith("under") else f"about {text}"
