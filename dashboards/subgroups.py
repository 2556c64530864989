"""The dashboard *Subgroups*: who is hurt."""

from dashboards.panels import (
    MODELS,
    NEAR,
    OVER,
    Json,
    Panel,
    Query,
    Row,
    dashboard,
    growth,
    heat,
    lines,
    table,
    variable,
)

AT = '{model="$model", scope=~"$scope"}'
ONE = '{model="$model", scope=~"$scope", monitor="$monitor"}'


def _matrix() -> Panel:
    """Scopes by monitors, as of now."""
    cells: list[Json] = [
        {"id": "groupingToMatrix", "options": {"rowField": "scope", "columnField": "monitor", "valueField": "Value"}}
    ]
    return table(
        "Evidence by scope and monitor",
        "The way to an alarm, in powers of ten; 100 % is the alarm.",
        [Query(f"max by (scope, monitor) (model_scope_monitor:tightrope_evidence:ratio{AT})", table=True)],
        cells,
        unit="percentunit",
        width=14,
        height=14,
        marks={0.5: NEAR, 0.75: OVER},
        defaults={
            "custom": {"cellOptions": {"type": "color-background", "mode": "basic"}},
            "color": {"mode": "thresholds"},
        },
    )


HARM = [
    heat(
        "Harm: the rate against its limit",
        "For the chosen monitor, the mean of the latest rows over the tolerated limit: 100 % is what is tolerated. "
        "A window, for people to look at.",
        Query(f"max by (scope) (abs(tightrope_monitor_mean{ONE}) / tightrope_monitor_limit{ONE})", "{{scope}}"),
        3,
        height=12,
    ),
    heat(
        "Evidence: the way to an alarm",
        "Of whichever monitor is nearest, in powers of ten: at 100 % the baseline answers for that scope.",
        Query(f"max by (scope) (model_scope_monitor:tightrope_evidence:ratio{AT})", "{{scope}}"),
        1,
        height=12,
    ),
]
CASE = [
    _matrix(),
    lines(
        "Rows compared",
        "A scope with few rows takes long to be proved good or bad.",
        "ops",
        {"{{scope}}": growth("tightrope_comparisons_total", "scope", AT)},
        width=10,
        height=14,
    ),
]
RATES = [
    lines(
        "Disagreement",
        "By scope, of the rows compared.",
        "percentunit",
        {"{{scope}}": f"max by (scope) (model_scope:tightrope_disagreements:ratio_rate5m{AT})"},
        width=12,
    ),
    lines(
        "Rows that could not be compared",
        "By scope.",
        "ops",
        {"{{scope}}": growth("tightrope_comparison_errors_total", "scope", AT)},
        width=12,
    ),
]


def subgroups() -> Json:
    """The whole dashboard."""
    scopes = 'label_values(tightrope_comparisons_total{model="$model"}, scope)'
    monitors = 'label_values(tightrope_monitor_limit{model="$model", monitor!~"sight|latency"}, monitor)'
    return dashboard(
        "tightrope-subgroups",
        "Tightrope / Subgroups",
        "Whom the compressed model harms, and how sure that is.",
        [
            variable("model", "Model", MODELS),
            variable("scope", "Scope", scopes, several=True),
            variable("monitor", "Monitor", monitors),
        ],
        [Row("Who is hurt", HARM), Row("The case against the compressed model", CASE), Row("Rates", RATES)],
        tag="model:$model",
    )
