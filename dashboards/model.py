"""The dashboard *Model*: the compressed model beside its baseline, and the evidence against it."""

from tightrope.dashboards.drift import DRIFT_ROW
from tightrope.dashboards.grid import dashboard, installation_variables, served_models, variable
from tightrope.dashboards.labels import LABEL_ROW
from tightrope.dashboards.mode import MODE_ROW
from tightrope.dashboards.panels import (
    ONE_INSTALLATION,
    ONE_MODEL,
    ORANGE,
    RATE_INTERVAL,
    RED,
    Json,
    LineStyle,
    PanelRow,
    lines,
    narrowed,
    percentile_95,
    rate_by,
    single_value,
)

WHOLE_MODEL = narrowed(ONE_MODEL, 'scope="model"')
OF_COMPRESSED, LATCHED_OF_MODEL = (narrowed(ONE_MODEL, part) for part in ('role="compressed"', 'state="latched"'))
DISAGREEMENT = f"max(model_scope:tightrope_disagreements:ratio_rate5m{WHOLE_MODEL})"


CONFIDENCE_OR_BIAS = "confidence|bias"
"""The monitors of a shift: a kind of decision has a confidence, or a value, or neither."""


def _of_monitor(monitor: str) -> str:
    return narrowed(WHOLE_MODEL, f'monitor{"=~" if "|" in monitor else "="}"{monitor}"')


def _mean(monitor: str) -> str:
    return f"max(tightrope_monitor_mean{_of_monitor(monitor)})"


def _limit(monitor: str) -> str:
    return f"max(tightrope_monitor_limit{_of_monitor(monitor)})"


def _share(counter: str) -> str:
    """Rows of a counter, by its labels, as a share of the rows answered."""
    return f"sum(rate({counter}[5m])) / sum(rate(tightrope_rows_total{ONE_MODEL}[5m]))"


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
            f"sum(max by (scope) (tightrope_scope_state{LATCHED_OF_MODEL}))",
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
            "Mean loss of the rows compared in the last five minutes: a row counts 1 where the models disagree, or a "
            "part of 1 where its kind of decision says how much.",
            DISAGREEMENT,
            {},
            "percentunit",
        ),
        single_value(
            "Compressed answers",
            "Share of rows that the compressed model answers.",
            _share(f"tightrope_rows_total{OF_COMPRESSED}"),
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
            "Refusals of either model",
            "Share of the rows compared in the last five minutes that each model refuses as too uncertain, answered by "
            "it or by the other.",
            "percentunit",
            {
                "{{role}}": f"sum by (role) (rate(tightrope_compared_refusals_total{ONE_MODEL}[5m]))"
                f" / scalar(sum(rate(tightrope_comparisons_total{WHOLE_MODEL}[5m])))"
            },
            width=6,
        ),
        lines(
            "Refusals of callers' rows",
            "Share of answered rows that the compressed model would refuse, that ran again on the baseline because of "
            "it, and whose answer was refused.",
            "percentunit",
            {
                "compressed would refuse": _share(f"tightrope_would_refuse_total{OF_COMPRESSED}"),
                "ran twice": _share(f"tightrope_escalations_total{ONE_MODEL}"),
                "refused": _share(f"tightrope_refusals_total{ONE_MODEL}"),
            },
            width=6,
        ),
        lines(
            "Shift of confidence or value",
            "Mean confidence of the compressed model minus that of the baseline, on the same rows; of a regression "
            "with a cap, the mean difference of the values as a share of the cap.",
            "percentunit",
            {"compressed against baseline": _mean(CONFIDENCE_OR_BIAS), "limit": _limit(CONFIDENCE_OR_BIAS)},
            width=6,
            defaults={"min": None, "noValue": "This kind of decision has no confidence"},
        ),
        lines(
            "Refusals that do not persist",
            "Share of the rows refused by the baseline that the compressed model answers.",
            "percentunit",
            {"compressed against baseline": _mean("refusal_persistence"), "limit": _limit("refusal_persistence")},
            width=6,
            defaults={"noValue": "No refusals are configured, or compared"},
        ),
    ],
)
EVIDENCE_ROW = PanelRow(
    "The case",
    [
        lines(
            "Disagreement",
            "Mean loss of the model over five minutes, and the judge's 95 % interval. Alarms depend on the evidence.",
            "percentunit",
            {"disagreement": DISAGREEMENT, "limit": _limit("disagreement")}
            | {
                f"{end} end": f"max(tightrope_monitor_{end}{_of_monitor('disagreement')})" for end in ("lower", "upper")
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
            "Dependence of neighbouring rows",
            "Autocorrelation of the losses of neighbouring rows. The alert follows the judge's own warning of bursts.",
            "short",
            {"autocorrelation": f"max(tightrope_disagreement_autocorrelation{ONE_MODEL})", "limit": "vector(0.05)"},
            defaults={"min": None},
        ),
        lines(
            "Rows that could not be compared",
            "Rows per second for which the shadow's run failed or its output was invalid.",
            "ops",
            {"rows": f"sum(rate(tightrope_comparison_errors_total{WHOLE_MODEL}{RATE_INTERVAL}))"},
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
        [*installation_variables(), variable("model", "Model", served_models(ONE_INSTALLATION))],
        [STATUS_ROW, PAIR_ROW, EVIDENCE_ROW, LABEL_ROW, MODE_ROW, DRIFT_ROW],
        tag="model:$model",
    )
