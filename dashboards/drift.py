"""The row of the dashboard *Model* about the newest drift report; its figures are those of the model as a whole."""

from tightrope.dashboards.panels import PanelRow, lines
from tightrope.dashboards.queries import ONE_MODEL, narrowed

WHOLE = narrowed(ONE_MODEL, 'scope="model"')

DRIFT_ROW = PanelRow(
    "Do requests still look as they did? (the newest report)",
    [
        lines(
            "Columns that changed",
            "Share of the tested columns that changed since the reference, by kind.",
            "percentunit",
            {"{{kind}}": f"max by (kind) (tightrope_drift_share{WHOLE})"},
        ),
        lines(
            "How far the most changed column moved",
            "Largest population stability index of any column, and what is expected of it by chance, dashed.",
            "short",
            {
                "{{kind}}": f"max by (kind) (tightrope_drift_psi{WHOLE})",
                "{{kind}}, by chance": f"max by (kind) (tightrope_drift_psi_expected{WHOLE})",
            },
        ),
        lines(
            "Surer or less sure than before",
            "Mean confidence of the newest rows minus that of the reference, by model.",
            "percentunit",
            {"{{kind}}": f"max by (kind) (tightrope_drift_confidence_shift{WHOLE})"},
            defaults={"min": None, "noValue": "There is no report, or no confidence"},
        ),
        lines(
            "Age of the report",
            "Time since the newest report was made.",
            "s",
            {"age": f"time() - max(tightrope_drift_report_timestamp_seconds{ONE_MODEL})"},
        ),
    ],
    folded=True,
)
