"""What the newest drift report says, for the dashboard *Model*: of the model as a whole; the report has more."""

from tightrope.dashboards.panels import Row, lines

WHOLE = '{model="$model", scope="model"}'

DRIFT = Row(
    "Drift, as of the newest report",
    [
        lines(
            "Columns that drifted",
            "The share of those that could be tested.",
            "percentunit",
            {"{{kind}}": f"max by (kind) (tightrope_drift_share{WHOLE})"},
        ),
        lines(
            "Largest stability index",
            "Next to what chance alone would show for that column.",
            "short",
            {
                "{{kind}}": f"max by (kind) (tightrope_drift_psi{WHOLE})",
                "{{kind}} by chance": f"max by (kind) (tightrope_drift_psi_expected{WHOLE})",
            },
        ),
        lines(
            "Shift of confidence since the reference",
            "Of each model.",
            "percentunit",
            {"{{kind}}": f"max by (kind) (tightrope_drift_confidence_shift{WHOLE})"},
            defaults={"min": None},
        ),
        lines(
            "Age of the report",
            "Since the newest one was made.",
            "s",
            {"age": 'time() - max(tightrope_drift_report_timestamp_seconds{model="$model"})'},
        ),
    ],
    folded=True,
)
