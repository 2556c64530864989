"""The dashboard *Model*: the compressed model beside its baseline, and the evidence against it."""

from tightrope.dashboards.drift import DRIFT_ROW
from tightrope.dashboards.grid import dashboard, variable
from tightrope.dashboards.mode import MODE_ROW
from tightrope.dashboards.panels import (
    MODELS,
    ONE_MODEL,
    ORANGE,
    RATE_INTERVAL,
    RED,
    Json,
    LineStyle,
    PanelRow,
    lines,
    percentile_95,
    rate_by,
    single_value,
)


def _mean(monitor: str) -> str:
    return f'max(tightrope_monitor_mean{{model="$model", monitor="{monitor}", scope="model"}})'


def _limit(monitor: str) -> str:
    return f'max(tightrope_monitor_limit{{model="$model", monitor="{monitor}", scope="model"}})'


STATUS_ROW = PanelRow(
    "Is it all right?",
    [
        single_value(
            "Scopes in safe mode",
            "Number of scopes that the baseline answers.",
            f"sum(max by (scope) (tightrope_safe_mode_active{ONE_MODEL}))",
            {1: ORANGE},
        ),
        single_value(
            "Latched",
            "Number of scopes that stay on the baseline until a person releases them.",
            'sum(max by (scope) (tightrope_scope_state{model="$model", state="latched"}))',
            {1: RED},
        ),
        single_value(
            "Most evidence",
            "Evidence of the monitor closest to an alarm, as a share of its budget, on a log scale.",
            f"max(model_scope_monitor:tightrope_evidence:ratio{ONE_MODEL})",
            {0.5: ORANGE, 0.75: RED},
            "percentunit",
        ),
        single_value(
            "Disagreement",
            "Share of the rows compared in the last five minutes on which the models disagree.",
            'max(model_scope:tightrope_disagreements:ratio_rate5m{model="$model", scope="model"})',
            {},
            "percentunit",
        ),
        single_value(
            "Compressed answers",
            "Share of rows that the compressed model answers.",
            f'sum(rate(tightrope_rows_total{{model="$model", role="compressed"}}[5m]))'
            f" / sum(rate(tightrope_rows_total{ONE_MODEL}[5m]))",
            {},
            "percentunit",
        ),
        single_value(
            "Seen by the shadow",
            "Share of requests that are sampled for comparison.",
            f"sum(rate(tightrope_samples_total{ONE_MODEL}[5m])) / sum(rate(tightrope_requests_total{ONE_MODEL}[5m]))",
            {},
            "percentunit",
        ),
    ],
)
PAIR_ROW = PanelRow(
    "Compressed beside baseline",
    [
        lines(
            "Rows answered",
            "Rows per second, by the model that answered.",
            "ops",
            {"{{role}}": rate_by("tightrope_rows_total", "role", ONE_MODEL)},
        ),
        lines(
            "Failures",
            "Failed runs per second; the other model answered these requests.",
            "ops",
            {"{{role}}": rate_by("tightrope_model_failures_total", "role", ONE_MODEL)},
            LineStyle.QUIET,
        ),
        lines(
            "Time of the model itself",
            "95th percentile of the run time of each model; the baseline has values only while it answers.",
            "s",
            {"{{role}}": percentile_95("tightrope_answer_seconds_bucket", "role", ONE_MODEL)},
        ),
        lines(
            "Refusals",
            "Share of rows that the answering model refused as too uncertain, in the last five minutes.",
            "percentunit",
            {
                "{{role}}": f"sum by (role) (rate(tightrope_refusals_total{ONE_MODEL}[5m]))"
                f" / sum by (role) (rate(tightrope_rows_total{ONE_MODEL}[5m]))"
            },
        ),
        lines(
            "Shift of confidence",
            "Mean confidence of the compressed model minus that of the baseline, on the same rows.",
            "percentunit",
            {"compressed against baseline": _mean("confidence"), "limit": _limit("confidence")},
            defaults={"min": None},
        ),
        lines(
            "Refusals that do not persist",
            "Share of the rows refused by the baseline that the compressed model answers.",
            "percentunit",
            {"compressed against baseline": _mean("refusal_persistence"), "limit": _limit("refusal_persistence")},
        ),
    ],
)
EVIDENCE_ROW = PanelRow(
    "The case",
    [
        lines(
            "Disagreement",
            "Disagreement of the model as a whole, over five minutes. Alarms depend on the evidence, not on this rate.",
            "percentunit",
            {
                "disagreement": 'max(model_scope:tightrope_disagreements:ratio_rate5m{model="$model", scope="model"})',
                "limit": _limit("disagreement"),
            },
        ),
        lines(
            "Evidence against its budget",
            "Largest evidence of any scope, by monitor; 100 % is an alarm. The scale is logarithmic: 50 % is far less "
            "than half of the evidence.",
            "percentunit",
            {
                "{{monitor}}": f"max by (monitor) (model_scope_monitor:tightrope_evidence:ratio{ONE_MODEL})",
                "alarm": "vector(1)",
            },
        ),
        lines(
            "Calibration",
            "Confidence minus accuracy on labelled rows, in the worst of ten confidence bins.",
            "percentunit",
            {"compressed against baseline": _mean("calibration"), "limit": _limit("calibration")},
            defaults={"min": None},
        ),
        lines(
            "Labels",
            "Labels by outcome, since the model's state was created.",
            "short",
            {"{{outcome}}": f"max by (outcome) (tightrope_labels{ONE_MODEL})"},
        ),
        lines(
            "Dependence of neighbouring rows",
            "Autocorrelation of disagreements; above 0.05 false alarms near a limit may exceed the promised rate.",
            "short",
            {"autocorrelation": f"max(tightrope_disagreement_autocorrelation{ONE_MODEL})", "limit": "vector(0.05)"},
            defaults={"min": None},
        ),
        lines(
            "Rows that could not be compared",
            "Rows per second for which the shadow's run failed or its output was invalid.",
            "ops",
            {"rows": f'sum(rate(tightrope_comparison_errors_total{{model="$model", scope="model"}}{RATE_INTERVAL}))'},
            LineStyle.QUIET,
        ),
    ],
)


def model() -> Json:
    """Build the dashboard."""
    return dashboard(
        "tightrope-model",
        "Tightrope / Model",
        "One model pair: the compressed model beside its baseline, the evidence, and which model answers.",
        [variable("model", "Model", MODELS)],
        [STATUS_ROW, PAIR_ROW, EVIDENCE_ROW, MODE_ROW, DRIFT_ROW],
        tag="model:$model",
    )
