"""The row of the dashboard *Model* about modes: which model answers, and which events changed that."""

from tightrope.dashboards.panels import (
    GREEN,
    ONE_MODEL,
    ORANGE,
    RATE_INTERVAL,
    LineStyle,
    PanelRow,
    Query,
    lines,
    timeline,
)

MODE_ROW = PanelRow(
    "Who answers",
    [
        timeline(
            "Mode",
            "The model that answers each scope: the model as a whole and its subgroups.",
            Query(f"max by (scope) (tightrope_safe_mode_active{ONE_MODEL})", "{{scope}}"),
            {0: ("compressed", GREEN), 1: ("baseline", ORANGE)},
            width=16,
            height=12,
        ),
        lines(
            "What happened",
            "Inputs to the safe-mode state machine, by kind.",
            "short",
            {"{{input}}": f"round(sum by (input) (increase(tightrope_transitions_total{ONE_MODEL}{RATE_INTERVAL})))"},
            LineStyle.EVENTS,
            height=12,
        ),
        lines(
            "Fallback that the baseline bears",
            "Share of the fallback traffic that the baseline answers while it is overloaded; 100 % when it keeps up.",
            "percentunit",
            {"share": f"min(tightrope_fallback_share{ONE_MODEL})"},
            width=12,
            defaults={"noValue": "The baseline has not been too slow in safe mode"},
        ),
        lines(
            "Labels that came in time",
            "Share of rows that got their label before the label horizon ended.",
            "percentunit",
            {"coverage": f"min(tightrope_label_coverage{ONE_MODEL})"},
            width=12,
        ),
    ],
)
