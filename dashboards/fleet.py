"""The dashboard *Fleet*: all models at a glance; the first one to open on call."""

from tightrope.dashboards.fleet_tables import ANSWERED_BY, BY_MODEL, BY_SCOPE, FIRING, alerts_table, models_table
from tightrope.dashboards.grid import dashboard, installation_variables, served_models, variable
from tightrope.dashboards.panels import (
    CORES,
    GREEN,
    ORANGE,
    RED,
    REQUESTS,
    ROLE_NAMES,
    RUNS,
    Json,
    LineStyle,
    PanelRow,
    Query,
    lines,
    single_value,
    timeline,
)
from tightrope.dashboards.queries import (
    CHOSEN_INSTALLATIONS,
    CHOSEN_MODELS,
    INSTALLATION,
    LEGEND,
    MODEL,
    RATE_INTERVAL,
    SCRAPED_PROCESSES,
    narrowed,
    percentile_95,
    rate_by,
)

WITHOUT_SIGHT = narrowed(CHOSEN_MODELS, 'monitor="sight", outcome="breach"')
LATCHED = narrowed(CHOSEN_MODELS, 'state="latched"')
FAILED = narrowed(CHOSEN_MODELS, 'outcome="server_error"')
SAFE_SCOPES = f"{ANSWERED_BY} == 1"
BLIND_MODELS = (
    f"max {BY_MODEL} (tightrope_blind{CHOSEN_MODELS}) == 1 or max {BY_MODEL} (tightrope_verdict{WITHOUT_SIGHT}) == 1"
)
LATCHED_SCOPES = f"max {BY_SCOPE} (tightrope_scope_state{LATCHED}) == 1"


def _counted(expression: str) -> str:
    return f"count({expression}) or vector(0)"


def _now() -> PanelRow:
    ok = [
        single_value(
            "Groups with the full model",
            "Groups, and models as a whole, that the full model answers: by evidence or by an order.",
            _counted(SAFE_SCOPES),
            {1: ORANGE},
        ),
        single_value(
            "Waiting for a person",
            "Groups that stay with the full model until a person decides, because the small one failed too often.",
            _counted(LATCHED_SCOPES),
            {1: RED},
        ),
        single_value(
            "Models that nobody sees",
            "Models whose answers are not judged, so that harm would go unnoticed.",
            _counted(BLIND_MODELS),
            {1: RED},
        ),
        single_value(
            "Alerts that page",
            "Firing alerts that call a person now.",
            _counted("ALERTS" + narrowed(FIRING, 'severity="page"')),
            {1: RED},
        ),
        single_value(
            "Requests",
            "Requests per second to all chosen models.",
            f"sum(rate(tightrope_requests_total{CHOSEN_MODELS}{RATE_INTERVAL}))",
            {},
            REQUESTS,
        ),
        single_value(
            "Failed requests",
            "Share of the last hour's requests that failed with a server error; the budget is 0.1 %.",
            f"sum(increase(tightrope_requests_total{FAILED}[1h]))"
            f" / sum(increase(tightrope_requests_total{CHOSEN_MODELS}[1h]))",
            {0.0005: ORANGE, 0.001: RED},
            "percentunit",
        ),
    ]
    return PanelRow("Is all well?", ok)


CALLER_PANELS = [
    lines(
        "Requests",
        "Requests per second, by model and outcome.",
        REQUESTS,
        {f"{LEGEND} {{{{outcome}}}}": rate_by("tightrope_requests_total", f"{MODEL}, outcome", CHOSEN_MODELS) + " > 0"},
    ),
    lines(
        "Failed runs of a model",
        "Failed runs per second; the other model answered these requests.",
        RUNS,
        {
            f"{LEGEND} {name}": rate_by("tightrope_model_failures_total", MODEL, CHOSEN_MODELS, f'role="{role}"')
            for role, (name, _) in ROLE_NAMES.items()
        },
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
        CORES,
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
    "Who answers",
    "Whether the full model answers any group of a model, all of it, or some answers of the small one.",
    Query(f"max {BY_MODEL} (tightrope_safe_mode_active{CHOSEN_MODELS})", LEGEND),
    {0: ("small model", GREEN), 1: ("full model, for some or all", ORANGE)},
    width=24,
    height=6,
)


def fleet() -> Json:
    """Build the dashboard."""
    return dashboard(
        "tightrope-fleet",
        "Tightrope / Fleet",
        "All models at a glance: who is answered by which model, what a person must do, how callers are served.",
        [
            *installation_variables(several=True),
            variable("model", "Model", served_models(CHOSEN_INSTALLATIONS), several=True),
        ],
        [
            _now(),
            PanelRow("Models", [models_table(), alerts_table(), SAFE_MODE_TIMELINE]),
            PanelRow("How callers are served", CALLER_PANELS),
            PanelRow("Processes", PROCESS_PANELS, folded=True),
        ],
    )
