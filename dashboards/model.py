"""The dashboard *Model*: the compressed model beside its baseline, and the case against it."""

from tightrope.dashboards.drift import DRIFT
from tightrope.dashboards.grid import dashboard, variable
from tightrope.dashboards.mode import MODE
from tightrope.dashboards.panels import MODELS, NEAR, OVER, Json, Look, Row, figure, growth, lines

M = '{model="$model"}'
RATE = "[$__rate_interval]"


def _mean(monitor: str) -> str:
    return f'max(tightrope_monitor_mean{{model="$model", monitor="{monitor}", scope="model"}})'


def _limit(monitor: str) -> str:
    return f'max(tightrope_monitor_limit{{model="$model", monitor="{monitor}", scope="model"}})'


NOW = Row(
    "Is it all right?",
    [
        figure(
            "Scopes in safe mode",
            "The baseline answers for so many.",
            f"sum(max by (scope) (tightrope_safe_mode_active{M}))",
            {1: NEAR},
        ),
        figure(
            "Latched",
            "So many scopes wait for a person.",
            'sum(max by (scope) (tightrope_scope_state{model="$model", state="latched"}))',
            {1: OVER},
        ),
        figure(
            "Most evidence",
            "The way to an alarm of whichever monitor is nearest, in powers of ten.",
            f"max(model_scope_monitor:tightrope_evidence:ratio{M})",
            {0.5: NEAR, 0.75: OVER},
            "percentunit",
        ),
        figure(
            "Disagreement",
            "Of the rows compared in five minutes.",
            'max(model_scope:tightrope_disagreements:ratio_rate5m{model="$model", scope="model"})',
            {},
            "percentunit",
        ),
        figure(
            "Compressed answers",
            "The share of rows that it answered: what compression is for.",
            f'sum(rate(tightrope_rows_total{{model="$model", role="compressed"}}[5m]))'
            f" / sum(rate(tightrope_rows_total{M}[5m]))",
            {},
            "percentunit",
        ),
        figure(
            "Seen by the shadow",
            "The share of requests that were kept to be compared.",
            f"sum(rate(tightrope_samples_total{M}[5m])) / sum(rate(tightrope_requests_total{M}[5m]))",
            {},
            "percentunit",
        ),
    ],
)
BESIDE = Row(
    "Compressed beside baseline",
    [
        lines(
            "Rows answered",
            "By the model that answered.",
            "ops",
            {"{{role}}": growth("tightrope_rows_total", "role", M)},
        ),
        lines(
            "Failures",
            "Runs that failed; the other model answered.",
            "ops",
            {"{{role}}": growth("tightrope_model_failures_total", "role", M)},
            Look.QUIET,
        ),
        lines(
            "Time of the model itself",
            "The 95th percentile of the answers of each; of the baseline only while it answers.",
            "s",
            {"{{role}}": f"histogram_quantile(0.95, {growth('tightrope_answer_seconds_bucket', 'le, role', M)})"},
        ),
        lines(
            "Refusals",
            "The share of rows that the answering model was too unsure of, in five minutes.",
            "percentunit",
            {
                "{{role}}": f"sum by (role) (rate(tightrope_refusals_total{M}[5m]))"
                f" / sum by (role) (rate(tightrope_rows_total{M}[5m]))"
            },
        ),
        lines(
            "Shift of confidence",
            "Mean confidence of the compressed model minus the baseline's, on the same rows.",
            "percentunit",
            {"compressed against baseline": _mean("confidence"), "limit": _limit("confidence")},
            defaults={"min": None},
        ),
        lines(
            "Refusals that do not persist",
            "Of the rows that the baseline would refuse, the share that the compressed model answers.",
            "percentunit",
            {"compressed against baseline": _mean("refusal_persistence"), "limit": _limit("refusal_persistence")},
        ),
    ],
)
CASE = Row(
    "The case",
    [
        lines(
            "Disagreement",
            "Of the model as a whole, in windows for people to look at; the alarm goes by the evidence.",
            "percentunit",
            {
                "disagreement": 'max(model_scope:tightrope_disagreements:ratio_rate5m{model="$model", scope="model"})',
                "limit": _limit("disagreement"),
            },
        ),
        lines(
            "Evidence against its budget",
            "The most of any scope, by monitor: at 100 % there is an alarm. In powers of ten, so half of the way is "
            "far from half of the evidence.",
            "percentunit",
            {
                "{{monitor}}": f"max by (monitor) (model_scope_monitor:tightrope_evidence:ratio{M})",
                "alarm": "vector(1)",
            },
        ),
        lines(
            "Calibration",
            "By labels that came late: confidence minus being right, in the tenth of confidence where it is worst.",
            "percentunit",
            {"compressed against baseline": _mean("calibration"), "limit": _limit("calibration")},
            defaults={"min": None},
        ),
        lines(
            "Labels",
            "What became of them since the state began.",
            "short",
            {"{{outcome}}": f"max by (outcome) (tightrope_labels{M})"},
        ),
        lines(
            "Dependence of neighbouring rows",
            "Beyond 0.05 the promise of few false alarms weakens near a limit.",
            "short",
            {"autocorrelation": f"max(tightrope_disagreement_autocorrelation{M})", "limit": "vector(0.05)"},
            defaults={"min": None},
        ),
        lines(
            "Rows that could not be compared",
            "A run of the shadow failed, or its output was no answer.",
            "ops",
            {"rows": f'sum(rate(tightrope_comparison_errors_total{{model="$model", scope="model"}}{RATE}))'},
            Look.QUIET,
        ),
    ],
)


def model() -> Json:
    """The whole dashboard."""
    return dashboard(
        "tightrope-model",
        "Tightrope / Model",
        "One pair: the compressed model beside its baseline, the evidence, who answers.",
        [variable("model", "Model", MODELS)],
        [NOW, BESIDE, CASE, MODE, DRIFT],
        tag="model:$model",
    )
