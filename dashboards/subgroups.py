"""The dashboard *Subgroups*: the scopes that the compressed model harms."""

from tightrope.dashboards.grid import dashboard, installation_variables, served_models, variable
from tightrope.dashboards.labels import subgroup_reliability
from tightrope.dashboards.panels import (
    FULL_MODEL,
    GREEN,
    ORANGE,
    RED,
    ROWS,
    SMALL_MODEL,
    SOME_ASKED,
    TRANSPARENT,
    Json,
    LineStyle,
    Panel,
    PanelRow,
    Query,
    by_name,
    heat_map,
    lines,
    steps,
    table,
)
from tightrope.dashboards.queries import ONE_INSTALLATION, ONE_MODEL, answered_by, narrowed, rate_by

CHOSEN_SCOPES = narrowed(ONE_MODEL, 'scope=~"$scope"')
CHOSEN_MONITOR = narrowed(CHOSEN_SCOPES, 'monitor="$monitor"')
OTHER_MONITORS = 'monitor!~"sight|latency"'
HARM_RATE = f"max by (scope) (abs(tightrope_monitor_mean{CHOSEN_MONITOR}))"
HARM_LIMIT = f"max by (scope) (tightrope_monitor_limit{CHOSEN_MONITOR})"
BREACH = "tightrope_verdict" + narrowed(CHOSEN_SCOPES, f'{OTHER_MONITORS}, outcome="breach"')
EVIDENCE = f"model_scope_monitor:tightrope_evidence:ratio{CHOSEN_SCOPES} or {BREACH}"
"""Evidence as a share of its budget, and 1 from the alarm until the return, because evidence restarts at the alarm."""

HARM_COLOURS = {0.5: "yellow", 1: ORANGE, 2: RED}
"""Colours of a rate divided by its limit: orange from the limit on."""

EVIDENCE_COLOURS = {0.5: "yellow", 0.75: ORANGE, 1: RED}
"""Colours of evidence divided by its budget."""


def _harm_table() -> Panel:
    """A table of the current values, one row per scope, the most harmed first."""
    expressions = {
        "Answered by": answered_by("scope", CHOSEN_SCOPES, ONE_MODEL),
        "Rate": HARM_RATE,
        "At least": f"max by (scope) (tightrope_monitor_lower{CHOSEN_MONITOR})",
        "At most": f"max by (scope) (tightrope_monitor_upper{CHOSEN_MONITOR})",
        "Tolerated": HARM_LIMIT,
        "Harm": f"{HARM_RATE} / {HARM_LIMIT}",
        "Evidence": f"max by (scope) ({EVIDENCE})",
    }
    names = {f"Value #{ref}": name for ref, name in zip("ABCDEFG", expressions, strict=True)} | {"scope": "Group"}
    answers = {str(value): {"text": role, "color": colour} for value, (role, colour) in enumerate(ANSWERING_ROLES)}
    bar = {
        "custom.cellOptions": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"},
        "custom.minWidth": 90,
        "min": 0,
    }
    text = {"custom.cellOptions": {"type": "color-text"}, "mappings": [{"type": "value", "options": answers}]}
    return table(
        "Whom it harms now",
        "By what is chosen to watch: the rate, the ends of its 95 % interval, what is tolerated, and the ratio of the "
        "two (harm). The evidence is that of the monitor closest to an alarm.",
        [Query(expr, table=True) for expr in expressions.values()],
        [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"renameByName": names, "excludeByName": {"Time": True}}},
        ],
        unit="percentunit",
        width=14,
        height=13,
        defaults={"color": {"mode": "thresholds"}},
        sort="Harm",
        overrides=[
            by_name("Group", {"custom.width": 200}),
            by_name("Answered by", {"custom.width": 100, **text}),
            *(by_name(column, {"custom.width": 75}) for column in ("Rate", "At least", "At most")),
            by_name("Tolerated", {"custom.width": 80}),
            by_name("Harm", {**bar, "max": 3, "thresholds": steps(HARM_COLOURS, GREEN)}),
            by_name("Evidence", {**bar, "max": 1, "thresholds": steps(EVIDENCE_COLOURS, GREEN)}),
        ],
    )


ANSWERING_ROLES = ((SMALL_MODEL, GREEN), (FULL_MODEL, ORANGE), (SOME_ASKED, "yellow"))
"""The model that answers a group, and its colour: outside safe mode, and in safe mode."""


def _evidence_table() -> Panel:
    """A table of the current evidence, scopes by monitors, the closest to an alarm first."""
    cells: list[Json] = [
        {"id": "groupingToMatrix", "options": {"rowField": "scope", "columnField": "monitor", "valueField": "Value"}}
    ]
    return table(
        "Evidence by group and by what is watched",
        "Evidence as a share of what an alarm needs, on a log scale; 100 % from the alarm until the return.",
        [Query(f"sort_desc(max by (scope, monitor) ({EVIDENCE}))", table=True)],
        cells,
        unit="percentunit",
        width=24,
        height=14,
        defaults={"decimals": 0, "color": {"mode": "thresholds"}, "thresholds": steps(EVIDENCE_COLOURS, TRANSPARENT)}
        | {"custom": {"width": 148, "cellOptions": {"type": "color-background", "mode": "basic"}}},
        overrides=[
            by_name(
                "scope\\monitor",
                {"displayName": "Group", "custom.width": 200, "custom.cellOptions": {"type": "auto"}},
            )
        ],
    )


HARM_PANELS = [
    _harm_table(),
    heat_map(
        "Harm over time: the rate against what is tolerated",
        "By what is chosen to watch: the mean of the latest rows divided by its limit; above 100 % more than that is "
        "off. Alarms depend on the evidence, not on this window.",
        Query(f"{HARM_RATE} / {HARM_LIMIT}", "{{scope}}"),
        HARM_COLOURS,
        width=10,
        height=13,
    ),
]
EVIDENCE_PANELS = [
    heat_map(
        "Evidence over time: the way to an alarm",
        "Of the monitor closest to an alarm, as a share of what an alarm needs, on a log scale; 100 % from the alarm "
        "until the return, while the full model answers the group.",
        Query(f"max by (scope) ({EVIDENCE})", "{{scope}}"),
        EVIDENCE_COLOURS,
        width=24,
        height=13,
    ),
    _evidence_table(),
]
RATE_PANELS = [
    lines(
        "Answers that differ",
        "Of the rows compared in the last five minutes, by group: a row counts 1 where the models decide differently, "
        "or a part of 1 where its kind of decision says how much. The table at the top has the intervals.",
        "percentunit",
        {"{{scope}}": f"max by (scope) (model_scope:tightrope_disagreements:ratio_rate5m{CHOSEN_SCOPES})"},
        LineStyle.MANY,
        width=12,
        height=10,
    ),
    lines(
        "Rows compared",
        "Compared rows per second, by group; with few rows a decision takes long.",
        ROWS,
        {"{{scope}}": rate_by("tightrope_comparisons_total", "scope", CHOSEN_SCOPES)},
        LineStyle.MANY,
        width=12,
        height=10,
    ),
    lines(
        "Rows answered",
        "Answered rows per second, kept or not, by group; attribute=other has the rows without a declared value.",
        ROWS,
        {"{{scope}}": rate_by("tightrope_subgroup_rows_total", "scope", CHOSEN_SCOPES)},
        LineStyle.MANY,
        width=24,
        height=8,
    ),
    lines(
        "Rows that could not be compared",
        "Rows per second that could not be compared, for the five groups with the most.",
        ROWS,
        {"{{scope}}": f"topk(5, {rate_by('tightrope_comparison_errors_total', 'scope', CHOSEN_SCOPES)})"},
        LineStyle.QUIET,
        width=24,
        height=6,
    ),
]


def subgroups() -> Json:
    """Build the dashboard."""
    scopes = f"label_values(tightrope_comparisons_total{ONE_MODEL}, scope)"
    monitors = f"label_values(tightrope_monitor_limit{narrowed(ONE_MODEL, OTHER_MONITORS)}, monitor)"
    return dashboard(
        "tightrope-subgroups",
        "Tightrope / Subgroups",
        "The groups that the small model harms, and the evidence.",
        [
            *installation_variables(),
            variable("model", "Model", served_models(ONE_INSTALLATION)),
            variable("scope", "Group", scopes, several=True),
            variable("monitor", "Watched", monitors),
        ],
        [
            PanelRow("Who is harmed", HARM_PANELS),
            PanelRow("How certain it is", EVIDENCE_PANELS),
            PanelRow("How much is compared, and how much differs", RATE_PANELS),
            PanelRow("Does each model know when it is right?", [subgroup_reliability(CHOSEN_SCOPES)]),
        ],
        tag="model:$model",
    )
