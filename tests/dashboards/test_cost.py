"""The shares of the row about costs are those of the API, computed by Prometheus from the same counters."""

import json
from pathlib import Path

import pytest

from tests.support.observability import debian_servers
from tests.support.observability.dashboard_queries import PanelQuery
from tightrope.dashboards.cost import COST_PANELS, COST_ROW
from tightrope.monitors.cost.shares import ModelCpu, cpu_shares

SPENT = ModelCpu(answer=40, fallback=20, escalation=4, shadow=12, answer_by_baseline=60, fallback_by_compressed=8)
OTHER = 'tightrope_other_model_cpu_seconds_total{{model="m",role="{}",part="{}"}}'
COUNTERS = {
    'tightrope_cpu_seconds_total{model="m",role="compressed",part="answer"}': SPENT.answer,
    'tightrope_cpu_seconds_total{model="m",role="baseline",part="fallback"}': SPENT.fallback,
    'tightrope_cpu_seconds_total{model="m",role="baseline",part="escalation"}': SPENT.escalation,
    'tightrope_shadow_cpu_seconds_total{model="m",role="baseline"}': SPENT.shadow,
    OTHER.format("baseline", "answer"): SPENT.answer_by_baseline,
    OTHER.format("compressed", "fallback"): SPENT.fallback_by_compressed,
}
SHARES = cpu_shares(SPENT)
assert SHARES is not None
EXPECTED = {
    "Saved by the small model": SHARES.saved,
    "Spent on watching": SHARES.watching,
    "Spent on fallbacks": SHARES.fallbacks,
    "Spent on asking again": SHARES.escalations,
}


def proves(folder: Path, expr: str, value: float | None) -> bool:
    """Whether Prometheus computes this value from the counters."""
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": f"0+{seconds}x90"} for name, seconds in COUNTERS.items()],
        "promql_expr_test": [
            {
                "expr": f"round({PanelQuery('', expr).plain}, 0.000001)",
                "eval_time": "80m",
                "exp_samples": [{"labels": "{}", "value": value}],
            }
        ],
    }
    (folder / "test.yml").write_text(json.dumps({"evaluation_interval": "1m", "tests": [case]}))
    return debian_servers.run_tool("promtool", "test", "rules", folder / "test.yml")[0] == 0


@pytest.mark.parametrize("title", EXPECTED)
def test_share_is_that_of_the_api(tmp_path: Path, title: str) -> None:
    """The last hour's, and the line of the same share over five minutes."""
    (panel,) = (panel for panel in COST_PANELS if panel.title == title)
    assert proves(tmp_path, panel.queries[0].expr, EXPECTED[title])
    assert not proves(tmp_path, panel.queries[0].expr, 0.123)
    (line,) = (
        query
        for query in COST_ROW.panels[4].queries
        if query.expr == panel.queries[0].expr.replace("increase", "rate").replace("[1h]", "[5m]")
    )
    assert proves(tmp_path, line.expr, EXPECTED[title])


def test_parts_add_up_to_what_is_saved_in_all() -> None:
    """A reader may subtract the costs from the savings."""
    assert SHARES is not None
    costs = SHARES.escalations + SHARES.fallbacks + (SHARES.watching or 0.0)
    assert SHARES.in_all == pytest.approx(SHARES.saved - costs)
