"""Who answered, and what happened, for the dashboard *Model*."""

from tightrope.dashboards.panels import FINE, NEAR, Look, Query, Row, lines, timeline

M = '{model="$model"}'
RATE = "[$__rate_interval]"

MODE = Row(
    "Who answers",
    [
        timeline(
            "Mode",
            "Of the model as a whole and of every subgroup.",
            Query(f"max by (scope) (tightrope_safe_mode_active{M})", "{{scope}}"),
            {0: ("compressed", FINE), 1: ("baseline", NEAR)},
            width=16,
            height=12,
        ),
        lines(
            "What happened",
            "Inputs to the safe-mode table, by kind.",
            "short",
            {"{{input}}": f"round(sum by (input) (increase(tightrope_transitions_total{M}{RATE})))"},
            Look.EVENTS,
            height=12,
        ),
        lines(
            "Fallback that the baseline bears",
            "While the model as a whole is in safe mode and the baseline is too slow: the share that still goes to it.",
            "percentunit",
            {"share": f"min(tightrope_fallback_share{M})"},
            width=12,
            defaults={"noValue": "The baseline has not been too slow in safe mode"},
        ),
        lines(
            "Labels that came in time",
            "Of the rows that have their label or will not get it any more.",
            "percentunit",
            {"coverage": f"min(tightrope_label_coverage{M})"},
            width=12,
        ),
    ],
)
