"""The tables of the dashboard *Fleet*: the models, and the alerts that fire."""

from tightrope.dashboards.panels import ORANGE, RED, REQUESTS, SHARE, Json, Panel, Query, by_name, coloured_cells, table
from tightrope.dashboards.queries import ALL_PROCESSES, CHOSEN_MODELS, MODEL, answered_by, narrowed

INSTALLATION_COLUMNS = {"cluster": "Cluster", "namespace": "Namespace"}
BY_MODEL = f"by ({MODEL})"
BY_BASELINE = narrowed(CHOSEN_MODELS, 'role="baseline"')
AS_A_WHOLE = narrowed(CHOSEN_MODELS, 'scope="model"')
BY_SCOPE = f"by ({MODEL}, scope)"
ANSWERED_BY = answered_by(f"{MODEL}, scope", CHOSEN_MODELS, CHOSEN_MODELS)
DISAGREEMENT = narrowed(AS_A_WHOLE, 'monitor="disagreement"')
OWNERS = f"max by ({MODEL}, owner) (tightrope_model_info{CHOSEN_MODELS})"
FIRING = narrowed(ALL_PROCESSES, 'alertname=~"Tightrope.+", alertstate="firing"')


def models_table() -> Panel:
    """One row per model: who answers, how much is off with its interval, evidence, owner."""
    expressions = {
        "With the full model": f"sum {BY_MODEL} ({ANSWERED_BY} == bool 1)",
        "Requests": f"sum {BY_MODEL} (rate(tightrope_requests_total{CHOSEN_MODELS}[5m]))",
        "By the full model": f"sum {BY_MODEL} "
        f"(rate(tightrope_rows_total{BY_BASELINE}[5m]))"
        f" / sum {BY_MODEL} (rate(tightrope_rows_total{CHOSEN_MODELS}[5m]))",
        "Answers that differ": f"max {BY_MODEL} (tightrope_monitor_mean{DISAGREEMENT})",
        "At least": f"max {BY_MODEL} (tightrope_monitor_lower{DISAGREEMENT})",
        "At most": f"max {BY_MODEL} (tightrope_monitor_upper{DISAGREEMENT})",
        "Evidence of an alarm": f"max {BY_MODEL} (model_scope_monitor:tightrope_evidence:ratio{CHOSEN_MODELS})",
    }
    refs = dict(zip("ABCDEFG", expressions, strict=True))
    named = {f"Value #{ref}": name for ref, name in refs.items()} | INSTALLATION_COLUMNS
    named |= {"model": "Model", "owner": "Owner"}
    merged: list[Json] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"renameByName": named, "excludeByName": {"Time": True, "Value #H": True}}},
    ]
    link = {
        "title": "this model",
        "url": "/d/tightrope-model?var-cluster=${__data.fields.Cluster}&var-namespace=${__data.fields.Namespace}"
        "&var-model=${__value.text}&${__url_time_range}",
    }
    share = {"unit": SHARE, "decimals": 1, "custom.width": 150}
    overrides = [
        by_name("Model", {"links": [link]}),
        by_name("With the full model", {"decimals": 0, "custom.width": 160, **coloured_cells({1: ORANGE})}),
        by_name("Requests", {"unit": REQUESTS, "decimals": 1, "custom.width": 150}),
        by_name("By the full model", share),
        by_name("Answers that differ", share),
        *(by_name(end, share | {"custom.width": 100}) for end in ("At least", "At most")),
        by_name("Evidence of an alarm", share | {"custom.width": 175} | coloured_cells({0.75: ORANGE, 1: RED})),
    ]
    return table(
        "Models",
        "How many groups the full model answers, the share of answers that differ now with its 95 % "
        "interval, and the evidence of the group closest to an alarm, on a log scale: at 100 % the full "
        "model takes over.",
        [Query(expr, table=True) for expr in (*expressions.values(), OWNERS)],
        merged,
        width=24,
        height=7,
        overrides=overrides,
    )


def alerts_table() -> Panel:
    """One row per firing alert."""
    expr = "ALERTS" + narrowed(FIRING, 'alertname!="TightropeWatchdog"')
    named_so = {"alertname": "Alert", "model": "Model", "scope": "Group", "severity": "Severity"}
    named_so |= {"owner": "Owner"} | INSTALLATION_COLUMNS
    hidden = dict.fromkeys(("Time", "Value", "__name__", "alertstate"), True)
    return table(
        "Firing alerts",
        "Firing alerts; each has a heading in the runbook, and says there what to do.",
        [Query(expr, table=True)],
        [{"id": "organize", "options": {"excludeByName": hidden, "renameByName": named_so}}],
        width=24,
        height=7,
        overrides=[by_name("Severity", {"custom.width": 100}), by_name("Group", {"custom.width": 320})],
    )
