"""The dashboard *Fleet*: every model at a glance, whoever is on call looks here first."""

from tightrope.dashboards.grid import dashboard, variable
from tightrope.dashboards.panels import (
    FINE,
    MODELS,
    NEAR,
    OVER,
    Json,
    Look,
    Panel,
    Query,
    Row,
    by_name,
    figure,
    growth,
    lines,
    stained,
    table,
    timeline,
)

M = '{model=~"$model"}'
SAFE = 'max by (model, scope) (tightrope_safe_mode_active{model=~"$model"}) == 1'
BLIND = 'max by (model) (tightrope_verdict{model=~"$model", monitor="sight", outcome="breach"}) == 1'
LATCHED = 'max by (model, scope) (tightrope_scope_state{model=~"$model", state="latched"}) == 1'


def _counted(expression: str) -> str:
    return f"count({expression}) or vector(0)"


def _now() -> Row:
    ok = [
        figure("Scopes in safe mode", "The baseline answers for so many.", _counted(SAFE), {1: NEAR}),
        figure("Latched", "So many scopes wait for a person.", _counted(LATCHED), {1: OVER}),
        figure("Blind models", "Of so many nobody knows whether they are safe.", _counted(BLIND), {1: OVER}),
        figure(
            "Pages",
            "Alerts that fire now and wake somebody.",
            _counted('ALERTS{alertname=~"Tightrope.+", alertstate="firing", severity="page"}'),
            {1: OVER},
        ),
        figure(
            "Requests a second",
            "Of all models chosen.",
            'sum(rate(tightrope_requests_total{model=~"$model"}[$__rate_interval]))',
            {},
            "reqps",
        ),
        figure(
            "Failed by our fault",
            "Share of the requests of the last hour; the budget is 0.1 %.",
            'sum(increase(tightrope_requests_total{model=~"$model", outcome="server_error"}[1h]))'
            ' / sum(increase(tightrope_requests_total{model=~"$model"}[1h]))',
            {0.0005: NEAR, 0.001: OVER},
            "percentunit",
        ),
    ]
    return Row("Is all well?", ok)


def _models() -> Panel:
    """One row a model: modes, traffic, agreement, evidence."""
    asked = {
        "Scopes safe": 'sum by (model) (max by (model, scope) (tightrope_safe_mode_active{model=~"$model"}))',
        "Requests/s": 'sum by (model) (rate(tightrope_requests_total{model=~"$model"}[5m]))',
        "Baseline answers": 'sum by (model) (rate(tightrope_rows_total{model=~"$model", role="baseline"}[5m]))'
        ' / sum by (model) (rate(tightrope_rows_total{model=~"$model"}[5m]))',
        "Disagreement": "max by (model) "
        '(model_scope:tightrope_disagreements:ratio_rate5m{scope="model", model=~"$model"})',
        "Most evidence": 'max by (model) (model_scope_monitor:tightrope_evidence:ratio{model=~"$model"})',
    }
    refs = dict(zip("ABCDE", asked, strict=True))
    named = {f"Value #{ref}": name for ref, name in refs.items()} | {"model": "Model"}
    merged: list[Json] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"renameByName": named, "excludeByName": {"Time": True}}},
    ]
    link = {"title": "this model", "url": "/d/tightrope-model?var-model=${__value.text}&${__url_time_range}"}
    share = {"unit": "percentunit", "custom.width": 125}
    overrides = [
        by_name("Model", {"links": [link]}),
        by_name("Scopes safe", {"decimals": 0, "custom.width": 105, **stained({1: NEAR})}),
        by_name("Requests/s", {"decimals": 1, "custom.width": 100}),
        by_name("Baseline answers", share | {"custom.width": 140}),
        by_name("Disagreement", share),
        by_name("Most evidence", share | stained({0.5: NEAR, 0.75: OVER})),
    ]
    return table(
        "Models",
        "Evidence is the share of the way to an alarm, in powers of ten; at 100 % a scope goes to safe mode.",
        [Query(expr, table=True) for expr in asked.values()],
        merged,
        width=13,
        overrides=overrides,
    )


def _alerts() -> Panel:
    expr = 'ALERTS{alertname=~"Tightrope.+", alertname!="TightropeWatchdog", alertstate="firing"}'
    named_so = {"alertname": "Alert", "model": "Model", "scope": "Scope", "severity": "Severity"}
    hidden = dict.fromkeys(("Time", "Value", "__name__", "alertstate"), True)
    return table(
        "Firing alerts",
        "Each has a heading in the runbook.",
        [Query(expr, table=True)],
        [{"id": "organize", "options": {"excludeByName": hidden, "renameByName": named_so}}],
        width=11,
        overrides=[by_name("Severity", {"custom.width": 75}), by_name("Scope", {"custom.width": 190})],
    )


CALLERS = [
    lines(
        "Requests",
        "By model and what became of them.",
        "reqps",
        {"{{model}} {{outcome}}": growth("tightrope_requests_total", "model, outcome", M) + " > 0"},
    ),
    lines(
        "Failures of a model",
        "The other model of the pair answered these.",
        "ops",
        {"{{model}} {{role}}": growth("tightrope_model_failures_total", "model, role", M)},
        Look.QUIET,
    ),
    lines(
        "Time to answer",
        "The 95th percentile of all requests of a model.",
        "s",
        {"{{model}}": f"histogram_quantile(0.95, {growth('tightrope_request_seconds_bucket', 'le, model', M)})"},
    ),
]
PROCESSES = [
    lines(
        "Processor",
        "Of each process.",
        "short",
        {"{{instance}}": growth("process_cpu_seconds_total", "instance", '{job=~"tightrope.*"}')},
        width=12,
    ),
    lines(
        "Memory",
        "Of each process.",
        "bytes",
        {"{{instance}}": 'process_resident_memory_bytes{job=~"tightrope.*"}'},
        width=12,
    ),
]
WHO = timeline(
    "Scopes in safe mode",
    "Whether the baseline answered for any scope of a model.",
    Query(f"max by (model) (tightrope_safe_mode_active{M})", "{{model}}"),
    {0: ("all normal", FINE), 1: ("some in safe mode", NEAR)},
    width=24,
    height=6,
)


def fleet() -> Json:
    """The whole dashboard."""
    return dashboard(
        "tightrope-fleet",
        "Tightrope / Fleet",
        "Which models are safe, latched or blind, and how their callers fare.",
        [variable("model", "Model", MODELS, several=True)],
        [
            _now(),
            Row("Models", [_models(), _alerts(), WHO]),
            Row("Callers", CALLERS),
            Row("Processes", PROCESSES, folded=True),
        ],
    )
