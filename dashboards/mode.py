"""The row of the dashboard *Model* about modes: which model answers, and which events changed that."""

from tightrope.dashboards.panels import (
    FULL_MODEL,
    GREEN,
    ORANGE,
    RED,
    SMALL_MODEL,
    SOME_ASKED,
    LineStyle,
    PanelRow,
    Query,
    lines,
    timeline,
)
from tightrope.dashboards.queries import ONE_MODEL, RATE_INTERVAL, answered_by

EVENT_WORDS = {
    "breach": ("alarm", RED),
    "recovered": ("proved itself", GREEN),
    "dwell-elapsed": ("shortest time is over", "light-blue"),
    "new-artefact": ("new model file", "blue"),
    "known-harm": ("known to harm", "dark-red"),
    "withheld": ("not qualified for it", "dark-orange"),
    "blind": ("nobody saw", "purple"),
    "unreadable": ("state not readable", "super-light-purple"),
    "force-safe": ("order: full model", ORANGE),
    "force-normal": ("order: small model", "dark-green"),
    "release": ("order ended", "yellow"),
}
"""The words and the colours of what can happen to a group, by the label `input`."""

MODE_ROW = PanelRow(
    "Who answers",
    [
        timeline(
            "Who is answered by which model",
            "The model that answers each group, and the model as a whole.",
            Query(answered_by("scope", ONE_MODEL, ONE_MODEL), "{{scope}}"),
            {0: (SMALL_MODEL, GREEN), 1: (FULL_MODEL, ORANGE), 2: (SOME_ASKED, "yellow")},
            width=16,
            height=12,
        ),
        lines(
            "What happened",
            "Alarms, returns, orders and deployments, by kind.",
            "short",
            {"{{input}}": f"round(sum by (input) (increase(tightrope_transitions_total{ONE_MODEL}{RATE_INTERVAL})))"},
            LineStyle.EVENTS,
            words=EVENT_WORDS,
            height=12,
        ),
        lines(
            "What the full model bears",
            "Share of its requests that the full model answers while it is overloaded; 100 % if it keeps up.",
            "percentunit",
            {FULL_MODEL: f"min(tightrope_fallback_share{ONE_MODEL})"},
            width=12,
            defaults={"noValue": "The full model has not been too slow"},
        ),
        lines(
            "Labels that came in time",
            "Share of rows that got their label before the label horizon ended.",
            "percentunit",
            {"labels in time": f"min(tightrope_label_coverage{ONE_MODEL})"},
            width=12,
        ),
    ],
)
