"""The row of the dashboard *Model* about the newest drift report; its figures are those of the model as a whole."""

from tightrope.dashboards.panels import ONE_MODEL, PanelRow, lines, narrowed

WHOLE = narrowed(ONE_MODEL, 'scope="model"')

DRIFT_ROW = PanelRow(
    "Drift, as of the newest report",
    [
        lines(
            "Columns that drifted",
            "Share of the tested columns that drifted, by kind.",
            "percentunit",
            {"{{kind}}": f"max by (kind) (tightrope_drift_share{WHOLE})"},
        ),
        lines(
            "Largest stability index",
            "Largest population stability index of any column, next to the value expected by chance for that column.",
            "short",
            {
                "{{kind}}": f"max by (kind) (tightrope_drift_psi{WHOLE})",
                "{{kind}} by chance": f"max by (kind) (tightrope_drift_psi_expected{WHOLE})",
            },
        ),
        lines(
            "Shift of confidence since the reference",
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
