"""The dashboard *Subgroups*: who is hurt."""

from tightrope.dashboards.grid import dashboard, variable
from tightrope.dashboards.panels import (
    FINE,
    MODELS,
    NEAR,
    OVER,
    PLAIN,
    Json,
    Look,
    Panel,
    Query,
    Row,
    by_name,
    growth,
    heat,
    lines,
    steps,
    table,
)

AT = '{model="$model", scope=~"$scope"}'
ONE = '{model="$model", scope=~"$scope", monitor="$monitor"}'
RATE = f"max by (scope) (abs(tightrope_monitor_mean{ONE}))"
LIMIT = f"max by (scope) (tightrope_monitor_limit{ONE})"
BREACH = 'tightrope_verdict{model="$model", scope=~"$scope", monitor!~"sight|latency", outcome="breach"}'
EVIDENCE = f"model_scope_monitor:tightrope_evidence:ratio{AT} or {BREACH}"
"""The way to an alarm, and 1 from the alarm until the return: what tripped a scope begins to gather anew at once."""

WORSE = {0.5: "yellow", 1: NEAR, 2: OVER}
"""Of a rate over its limit: beyond the limit it is a warm colour."""

NEARER = {0.5: "yellow", 0.75: NEAR, 1: OVER}
"""Of evidence over its budget."""


def _hurt() -> Panel:
    """One row a scope, as of now, the worst first."""
    asked = {
        "Answered by": f"max by (scope) (tightrope_safe_mode_active{AT})",
        "Rate": RATE,
        "Limit": LIMIT,
        "Harm": f"{RATE} / {LIMIT}",
        "Evidence": f"max by (scope) ({EVIDENCE})",
    }
    names = {f"Value #{ref}": name for ref, name in zip("ABCDE", asked, strict=True)} | {"scope": "Scope"}
    answers = {str(value): {"text": role, "color": colour} for value, (role, colour) in enumerate(ANSWERS)}
    bar = {
        "custom.cellOptions": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"},
        "custom.minWidth": 90,
        "min": 0,
    }
    text = {"custom.cellOptions": {"type": "color-text"}, "mappings": [{"type": "value", "options": answers}]}
    return table(
        "Whom it harms now",
        "For the chosen monitor: the mean of the latest rows, the tolerated limit, and the one over the other; beside "
        "it how sure that is, of whichever monitor is nearest to an alarm.",
        [Query(expr, table=True) for expr in asked.values()],
        [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"renameByName": names, "excludeByName": {"Time": True}}},
        ],
        unit="percentunit",
        width=12,
        height=13,
        defaults={"color": {"mode": "thresholds"}},
        sort="Harm",
        overrides=[
            by_name("Scope", {"custom.width": 190}),
            by_name("Answered by", {"custom.width": 105, **text}),
            by_name("Rate", {"custom.width": 70}),
            by_name("Limit", {"custom.width": 65}),
            by_name("Harm", {**bar, "max": 3, "thresholds": steps(WORSE, FINE)}),
            by_name("Evidence", {**bar, "max": 1, "thresholds": steps(NEARER, FINE)}),
        ],
    )


ANSWERS = (("compressed", FINE), ("baseline", NEAR))
"""Who answers a scope, by whether it is in safe mode."""


def _matrix() -> Panel:
    """Scopes by monitors, as of now, the nearest to an alarm first."""
    cells: list[Json] = [
        {"id": "groupingToMatrix", "options": {"rowField": "scope", "columnField": "monitor", "valueField": "Value"}}
    ]
    return table(
        "Evidence by scope and monitor",
        "The way to an alarm, in powers of ten; 100 % from the alarm until the return.",
        [Query(f"sort_desc(max by (scope, monitor) ({EVIDENCE}))", table=True)],
        cells,
        unit="percentunit",
        width=24,
        height=14,
        defaults={"decimals": 0, "color": {"mode": "thresholds"}, "thresholds": steps(NEARER, PLAIN)}
        | {"custom": {"width": 137, "cellOptions": {"type": "color-background", "mode": "basic"}}},
        overrides=[by_name("scope\\monitor", {"custom.width": 178, "custom.cellOptions": {"type": "auto"}})],
    )


HARM = [
    _hurt(),
    heat(
        "Harm: the rate against its limit",
        "For the chosen monitor, the mean of the latest rows over the tolerated limit: 100 % is what is tolerated. "
        "A window, for people to look at.",
        Query(f"{RATE} / {LIMIT}", "{{scope}}"),
        WORSE,
        width=12,
        height=13,
    ),
]
CASE = [
    heat(
        "Evidence: the way to an alarm",
        "Of whichever monitor is nearest, in powers of ten; 100 % from the alarm until the return, while the baseline "
        "answers for that scope.",
        Query(f"max by (scope) ({EVIDENCE})", "{{scope}}"),
        NEARER,
        width=24,
        height=13,
    ),
    _matrix(),
]
RATES = [
    lines(
        "Disagreement",
        "By scope, of the rows compared in five minutes.",
        "percentunit",
        {"{{scope}}": f"max by (scope) (model_scope:tightrope_disagreements:ratio_rate5m{AT})"},
        Look.MANY,
        width=12,
        height=10,
    ),
    lines(
        "Rows compared",
        "A scope with few rows takes long to be proved good or bad.",
        "ops",
        {"{{scope}}": growth("tightrope_comparisons_total", "scope", AT)},
        Look.MANY,
        width=12,
        height=10,
    ),
    lines(
        "Rows that could not be compared",
        "The five scopes with the most.",
        "ops",
        {"{{scope}}": f"topk(5, {growth('tightrope_comparison_errors_total', 'scope', AT)})"},
        Look.QUIET,
        width=24,
        height=6,
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
