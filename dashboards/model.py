"""The dashboard *Model*: the compressed model beside its baseline, and the evidence against it."""

from tightrope.dashboards.cost import COST_ROW
from tightrope.dashboards.drift import DRIFT_ROW
from tightrope.dashboards.grid import dashboard, installation_variables, served_models, variable
from tightrope.dashboards.labels import LABEL_ROW
from tightrope.dashboards.mode import MODE_ROW
from tightrope.dashboards.panels import (
    GREEN,
    ORANGE,
    RED,
    ROWS,
    RUNS,
    SMALL_MODEL,
    Json,
    LineStyle,
    PanelRow,
    lines,
    single_value,
)
from tightrope.dashboards.queries import (
    ONE_INSTALLATION,
    ONE_MODEL,
    RATE_INTERVAL,
    answered_by,
    narrowed,
    percentile_95,
    rate_by,
)

WHOLE_MODEL = narrowed(ONE_MODEL, 'scope="model"')
OF_COMPRESSED, LATCHED_OF_MODEL = (narrowed(ONE_MODEL, part) for part in ('role="compressed"', 'state="latched"'))


CONFIDENCE_OR_BIAS = "confidence|bias"
"""The monitors of a shift: a kind of decision has a confidence, or a value, or neither."""


def _of_monitor(monitor: str) -> str:
    return narrowed(WHOLE_MODEL, f'monitor{"=~" if "|" in monitor else "="}"{monitor}"')


def _mean(monitor: str) -> str:
    return f"max(tightrope_monitor_mean{_of_monitor(monitor)})"


def _with_interval(name: str, expression: str, monitor: str) -> dict[str, str]:
    """A rate with the ends of its interval and its limit, by the names of lines."""
    ends = {"at least": "lower", "at most": "upper", "tolerated": "limit"}
    return {name: expression} | {
        line: f"max(tightrope_monitor_{figure}{_of_monitor(monitor)})" for line, figure in ends.items()
    }


def _share(counter: str) -> str:
    """Rows of a counter, by its labels, as a share of the rows answered."""
    return f"sum(rate({counter}[5m])) / sum(rate(tightrope_rows_total{ONE_MODEL}[5m]))"


STATUS_ROW = PanelRow(
    "Is it all right?",
    [
        single_value(
            "Groups with the full model",
            "Groups, and the model as a whole, that the full model answers: by evidence or by an order.",
            f"sum({answered_by('scope', ONE_MODEL, ONE_MODEL)} == bool 1)",
            {1: ORANGE},
        ),
        single_value(
            "Waiting for a person",
            "Groups that stay with the full model until a person decides, because the small one failed too often.",
            f"sum(max by (scope) (tightrope_scope_state{LATCHED_OF_MODEL}))",
            {1: RED},
        ),
        single_value(
            "Evidence of an alarm",
            "Of the group closest to an alarm, as a share of what an alarm needs, on a log scale.",
            f"max(model_scope_monitor:tightrope_evidence:ratio{ONE_MODEL})",
            {0.75: ORANGE, 1: RED},
            "percentunit",
        ),
        single_value(
            "Answers that differ",
            "Of the rows of now, as the judge counts them: a row counts 1 where the models decide differently, or a "
            "part of 1 where its kind of decision says how much. The interval is in the panel of that name below.",
            _mean("disagreement"),
            {},
            "percentunit",
        ),
        single_value(
            "By the small model",
            "Share of rows that the small model answers.",
            _share(f"tightrope_rows_total{OF_COMPRESSED}"),
            {},
            "percentunit",
        ),
        single_value(
            "Compared",
            "Share of requests that are sampled for comparison.",
            f"sum(rate(tightrope_samples_total{ONE_MODEL}[5m])) / sum(rate(tightrope_requests_total{ONE_MODEL}[5m]))",
            {},
            "percentunit",
        ),
    ],
)
PAIR_ROW = PanelRow(
    "The small model beside the full one",
    [
        lines(
            "Rows answered",
            "Rows per second, by the model that answered.",
            ROWS,
            {"{{role}}": rate_by("tightrope_rows_total", "role", ONE_MODEL)},
        ),
        lines(
            "Failed runs",
            "Failed runs per second; the other model answered these requests.",
            RUNS,
            {"{{role}}": rate_by("tightrope_model_failures_total", "role", ONE_MODEL)},
            LineStyle.QUIET,
        ),
        lines(
            "Time of each model itself",
            "95th percentile of the run time of each model; the full model has values only while it answers.",
            "s",
            {"{{role}}": percentile_95("tightrope_answer_seconds_bucket", "role", ONE_MODEL)},
        ),
        lines(
            "Refused as too uncertain",
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
            "Refusals that callers meet",
            "Share of answered rows that the small model would refuse, that ran again on the full model because of it, "
            "and whose answer was refused.",
            "percentunit",
            {
                "small model would refuse": _share(f"tightrope_would_refuse_total{OF_COMPRESSED}"),
                "ran twice": _share(f"tightrope_escalations_total{ONE_MODEL}"),
                "refused": _share(f"tightrope_refusals_total{ONE_MODEL}"),
            },
            width=6,
        ),
        lines(
            "Shift of confidence or value",
            "Mean confidence of the small model minus that of the full one, on the same rows, with its 95 % interval; "
            "of a regression with a cap, the mean difference of the values as a share of the cap.",
            "percentunit",
            _with_interval(SMALL_MODEL, _mean(CONFIDENCE_OR_BIAS), CONFIDENCE_OR_BIAS),
            width=6,
            defaults={"min": None, "noValue": "This kind of decision has no confidence"},
        ),
        lines(
            "Refusals that the small model drops",
            "Share of the rows that the full model refuses and the small one answers, with its 95 % interval.",
            "percentunit",
            _with_interval(SMALL_MODEL, _mean("refusal_persistence"), "refusal_persistence"),
            width=6,
            defaults={"noValue": "No refusals are configured, or compared"},
        ),
    ],
)
EVIDENCE_ROW = PanelRow(
    "What is off, and how certain that is",
    [
        lines(
            "Answers that differ",
            "Share of the rows of now, with its 95 % interval. Alarms depend on the evidence.",
            "percentunit",
            _with_interval("differ", _mean("disagreement"), "disagreement"),
            colours={"differ": GREEN},
            width=12,
        ),
        lines(
            "Evidence of an alarm",
            "Largest evidence of any group, by what is watched; 100 % is an alarm. The scale is logarithmic: 50 % is "
            "far less than half of the evidence.",
            "percentunit",
            {
                "{{monitor}}": f"max by (monitor) (model_scope_monitor:tightrope_evidence:ratio{ONE_MODEL})",
                "alarm": "vector(1)",
            },
            width=12,
        ),
        lines(
            "Do differing answers come in bursts?",
            "Autocorrelation of the losses of neighbouring rows. The alert follows the judge's own warning of bursts.",
            "short",
            {"autocorrelation": f"max(tightrope_disagreement_autocorrelation{ONE_MODEL})", "tolerated": "vector(0.05)"},
            defaults={"min": None},
            width=12,
        ),
        lines(
            "Rows that could not be compared",
            "Rows per second for which the run to compare failed or its output was invalid.",
            ROWS,
            {"rows": f"sum(rate(tightrope_comparison_errors_total{WHOLE_MODEL}{RATE_INTERVAL}))"},
            LineStyle.QUIET,
            width=12,
        ),
    ],
)


def model() -> Json:
    """Build the dashboard."""
    return dashboard(
        "tightrope-model",
        "Tightrope / Model",
        "One model: the small model beside the full one, what is off, who is answered by which, and what it costs.",
        [*installation_variables(), variable("model", "Model", served_models(ONE_INSTALLATION))],
        [STATUS_ROW, MODE_ROW, EVIDENCE_ROW, COST_ROW, PAIR_ROW, LABEL_ROW, DRIFT_ROW],
        tag="model:$model",
    )
