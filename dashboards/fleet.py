"""The dashboard *Fleet*: all models at a glance; the first one to open on call."""

from tightrope.dashboards.grid import dashboard, installation_variables, served_models, variable
from tightrope.dashboards.panels import (
    ALL_PROCESSES,
    CHOSEN_INSTALLATIONS,
    CHOSEN_MODELS,
    GREEN,
    INSTALLATION,
    LEGEND,
    MODEL,
    ORANGE,
    RATE_INTERVAL,
    RED,
    SCRAPED_PROCESSES,
    Json,
    LineStyle,
    Panel,
    PanelRow,
    Query,
    by_name,
    coloured_cells,
    lines,
    narrowed,
    percentile_95,
    rate_by,
    single_value,
    table,
    timeline,
)

INSTALLATION_COLUMNS = {"cluster": "Cluster", "namespace": "Namespace"}
BY_MODEL = f"by ({MODEL})"
WITHOUT_SIGHT = narrowed(CHOSEN_MODELS, 'monitor="sight", outcome="breach"')
LATCHED = narrowed(CHOSEN_MODELS, 'state="latched"')
FAILED = narrowed(CHOSEN_MODELS, 'outcome="server_error"')
BY_BASELINE = narrowed(CHOSEN_MODELS, 'role="baseline"')
AS_A_WHOLE = narrowed(CHOSEN_MODELS, 'scope="model"')
BY_SCOPE = f"by ({MODEL}, scope)"
SAFE_SCOPES = f"max {BY_SCOPE} (tightrope_safe_mode_active{CHOSEN_MODELS}) == 1"
BLIND_MODELS = (
    f"max {BY_MODEL} (tightrope_blind{CHOSEN_MODELS}) == 1 or max {BY_MODEL} (tightrope_verdict{WITHOUT_SIGHT}) == 1"
)
LATCHED_SCOPES = f"max {BY_SCOPE} (tightrope_scope_state{LATCHED}) == 1"
FIRING = narrowed(ALL_PROCESSES, 'alertname=~"Tightrope.+", alertstate="firing"')


def _counted(expression: str) -> str:
    return f"count({expression}) or vector(0)"


def _now() -> PanelRow:
    ok = [
        single_value(
            "Scopes in safe mode", "Number of scopes that the baseline answers.", _counted(SAFE_SCOPES), {1: ORANGE}
        ),
        single_value(
            "Latched",
            "Number of scopes that stay on the baseline until a person releases them.",
            _counted(LATCHED_SCOPES),
            {1: RED},
        ),
        single_value(
            "Blind models",
            "Number of models whose traffic is not judged, so that harm would go unnoticed.",
            _counted(BLIND_MODELS),
            {1: RED},
        ),
        single_value(
            "Pages",
            "Firing alerts of severity page.",
            _counted("ALERTS" + narrowed(FIRING, 'severity="page"')),
            {1: RED},
        ),
        single_value(
            "Requests a second",
            "Requests per second to all chosen models.",
            f"sum(rate(tightrope_requests_total{CHOSEN_MODELS}{RATE_INTERVAL}))",
            {},
            "reqps",
        ),
        single_value(
            "Failed by our fault",
            "Share of the last hour's requests that failed with a server error; the budget is 0.1 %.",
            f"sum(increase(tightrope_requests_total{FAILED}[1h]))"
            f" / sum(increase(tightrope_requests_total{CHOSEN_MODELS}[1h]))",
            {0.0005: ORANGE, 0.001: RED},
            "percentunit",
        ),
    ]
    return PanelRow("Is all well?", ok)


def _models() -> Panel:
    """One row per model: modes, traffic, disagreement, evidence."""
    expressions = {
        "Scopes safe": f"sum {BY_MODEL} (max {BY_SCOPE} (tightrope_safe_mode_active{CHOSEN_MODELS}))",
        "Requests/s": f"sum {BY_MODEL} (rate(tightrope_requests_total{CHOSEN_MODELS}[5m]))",
        "Baseline answers": f"sum {BY_MODEL} "
        f"(rate(tightrope_rows_total{BY_BASELINE}[5m]))"
        f" / sum {BY_MODEL} (rate(tightrope_rows_total{CHOSEN_MODELS}[5m]))",
        "Disagreement": f"max {BY_MODEL} (model_scope:tightrope_disagreements:ratio_rate5m{AS_A_WHOLE})",
        "Most evidence": f"max {BY_MODEL} (model_scope_monitor:tightrope_evidence:ratio{CHOSEN_MODELS})",
    }
    refs = dict(zip("ABCDE", expressions, strict=True))
    named = {f"Value #{ref}": name for ref, name in refs.items()} | INSTALLATION_COLUMNS | {"model": "Model"}
    merged: list[Json] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"renameByName": named, "excludeByName": {"Time": True}}},
    ]
    link = {
        "title": "this model",
        "url": "/d/tightrope-model?var-cluster=${__data.fields.Cluster}&var-namespace=${__data.fields.Namespace}"
        "&var-model=${__value.text}&${__url_time_range}",
    }
    share = {"unit": "percentunit", "custom.width": 125}
    overrides = [
        by_name("Model", {"links": [link]}),
        by_name("Scopes safe", {"decimals": 0, "custom.width": 105, **coloured_cells({1: ORANGE})}),
        by_name("Requests/s", {"decimals": 1, "custom.width": 100}),
        by_name("Baseline answers", share | {"custom.width": 140}),
        by_name("Disagreement", share),
        by_name("Most evidence", share | coloured_cells({0.5: ORANGE, 0.75: RED})),
    ]
    return table(
        "Models",
        "Evidence is a share of the alarm budget, on a log scale; at 100 % a scope goes to safe mode.",
        [Query(expr, table=True) for expr in expressions.values()],
        merged,
        width=13,
        overrides=overrides,
    )


def _alerts() -> Panel:
    expr = "ALERTS" + narrowed(FIRING, 'alertname!="TightropeWatchdog"')
    named_so = {"alertname": "Alert", "model": "Model", "scope": "Scope", "severity": "Severity"} | INSTALLATION_COLUMNS
    hidden = dict.fromkeys(("Time", "Value", "__name__", "alertstate"), True)
    return table(
        "Firing alerts",
        "Firing alerts; each has a heading in the runbook.",
        [Query(expr, table=True)],
        [{"id": "organize", "options": {"excludeByName": hidden, "renameByName": named_so}}],
        width=11,
        overrides=[by_name("Severity", {"custom.width": 75}), by_name("Scope", {"custom.width": 190})],
    )


CALLER_PANELS = [
    lines(
        "Requests",
        "Requests per second, by model and outcome.",
        "reqps",
        {f"{LEGEND} {{{{outcome}}}}": rate_by("tightrope_requests_total", f"{MODEL}, outcome", CHOSEN_MODELS) + " > 0"},
    ),
    lines(
        "Failures of a model",
        "Failed runs per second; the other model of the pair answered these requests.",
        "ops",
        {f"{LEGEND} {{{{role}}}}": rate_by("tightrope_model_failures_total", f"{MODEL}, role", CHOSEN_MODELS)},
        LineStyle.QUIET,
    ),
    lines(
        "Time to answer",
        "95th percentile of the response time, by model.",
        "s",
        {LEGEND: percentile_95("tightrope_request_seconds_bucket", MODEL, CHOSEN_MODELS)},
    ),
]
PROCESS_PANELS = [
    lines(
        "Processor",
        "CPU cores in use, by process.",
        "short",
        {"{{instance}}": rate_by("process_cpu_seconds_total", f"{INSTALLATION}, instance", SCRAPED_PROCESSES)},
        width=12,
    ),
    lines(
        "Memory",
        "Resident memory, by process.",
        "bytes",
        {"{{instance}}": f"process_resident_memory_bytes{SCRAPED_PROCESSES}"},
        width=12,
    ),
]
SAFE_MODE_TIMELINE = timeline(
    "Scopes in safe mode",
    "Whether the baseline answers any scope of a model.",
    Query(f"max {BY_MODEL} (tightrope_safe_mode_active{CHOSEN_MODELS})", LEGEND),
    {0: ("all normal", GREEN), 1: ("some in safe mode", ORANGE)},
    width=24,
    height=6,
)


def fleet() -> Json:
    """Build the dashboard."""
    return dashboard(
        "tightrope-fleet",
        "Tightrope / Fleet",
        "Models in safe mode, latched or blind, and the requests of their callers.",
        [
            *installation_variables(several=True),
            variable("model", "Model", served_models(CHOSEN_INSTALLATIONS), several=True),
        ],
        [
            _now(),
            PanelRow("Models", [_models(), _alerts(), SAFE_MODE_TIMELINE]),
            PanelRow("Callers", CALLER_PANELS),
            PanelRow("Processes", PROCESS_PANELS, folded=True),
        ],
    )
