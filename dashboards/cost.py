"""The row of the dashboard *Model* about costs: what compression saves, and what safety takes of it (docs/cost.md)."""

from tightrope.dashboards.panels import CORES, FULL_MODEL, GREEN, ORANGE, SHARE, PanelRow, lines, single_value
from tightrope.dashboards.queries import ONE_MODEL, narrowed

OF_LAST_HOUR, NOW = "increase", "rate"
"""The functions of a counter, for figures of the last hour and over time; shares of either are the same."""


def _cpu(function: str, metric: str, part: str = "") -> str:
    """Processor time of a model: seconds of the last hour, or cores over five minutes."""
    selector = narrowed(ONE_MODEL, f'part="{part}"') if part else ONE_MODEL
    span = "[1h]" if function == OF_LAST_HOUR else "[5m]"
    return f"sum({function}(tightrope_{metric}cpu_seconds_total{selector}{span}))"


def _alone(function: str) -> str:
    return f"({_cpu(function, 'other_model_', 'answer')} + {_cpu(function, '', 'fallback')})"


def _shares(function: str) -> dict[str, str]:
    """Shares of what the full model alone would take, as monitors/cost/shares.py has them."""
    small_instead = _cpu(function, "other_model_", "fallback")
    spent = {
        "saved": f"({_cpu(function, '', 'answer')} + {small_instead})",
        "watching": _cpu(function, "shadow_"),
        "fallbacks": f"({_cpu(function, '', 'fallback')} - {small_instead})",
        "asked again": _cpu(function, "", "escalation"),
    }
    shares = {name: f"{seconds} / {_alone(function)}" for name, seconds in spent.items()}
    return shares | {"saved": f"1 - {shares['saved']}"}


SHARE_COLOURS = {"saved": GREEN, "watching": "blue", "fallbacks": ORANGE, "asked again": "purple"}
UNMEASURED = "none yet"
COST_PANELS = [
    single_value(
        title,
        f"{text} Share of the processor time that the full model alone would take, over the last hour.",
        _shares(OF_LAST_HOUR)[name],
        {},
        SHARE,
        width=6,
        defaults={"noValue": UNMEASURED, "decimals": 1},
    )
    for name, title, text in (
        ("saved", "Saved by the small model", "What it would save if it answered everybody."),
        ("watching", "Spent on watching", "The second runs that the comparison needs."),
        (
            "fallbacks",
            "Spent on fallbacks",
            "What the full model took more than the small one where it answered instead.",
        ),
        (
            "asked again",
            "Spent on asking again",
            "Runs of the full model because the small one was too uncertain, or says a class too often.",
        ),
    )
]

COST_ROW = PanelRow(
    "What it costs",
    [
        *COST_PANELS,
        lines(
            "Shares of the full model's time",
            "What compression saves, and what of that watching, fallbacks and asking again cost, over five minutes.",
            SHARE,
            _shares(NOW),
            width=12,
            colours=SHARE_COLOURS,
            defaults={"min": None},
        ),
        lines(
            "Processor time, by what it is for",
            "Cores in use by runs of both models; dashed, what the full model alone would take, by an estimate.",
            CORES,
            {
                "answers of the small model": _cpu(NOW, "", "answer"),
                "watching": _cpu(NOW, "shadow_"),
                "fallbacks": _cpu(NOW, "", "fallback"),
                "asked again": _cpu(NOW, "", "escalation"),
                f"{FULL_MODEL} alone": _alone(NOW),
            },
            width=12,
            colours={**SHARE_COLOURS, "answers of the small model": GREEN},
        ),
    ],
)
