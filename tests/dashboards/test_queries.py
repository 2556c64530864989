"""The PromQL of the panels."""

import json
from pathlib import Path

from tests.support.observability import debian_servers
from tightrope.dashboards.queries import answered_by, narrowed, of_role, percentile_95, rate_by


def test_rate_by_keeps_the_selector() -> None:
    """It may add matchers."""
    assert rate_by("a_total", "x, y", '{m="1"}') == 'sum by (x, y) (rate(a_total{m="1"}[$__rate_interval]))'
    assert rate_by("a_total", "x", '{m="1"}', 's="2"') == 'sum by (x) (rate(a_total{m="1", s="2"}[$__rate_interval]))'


def test_percentile_is_of_the_buckets_by_the_labels() -> None:
    """Without labels it is that of all series."""
    assert percentile_95("a_bucket", "x", '{m="1"}') == (
        'histogram_quantile(0.95, sum by (le, x) (rate(a_bucket{m="1"}[$__rate_interval])))'
    )
    assert "by (le) " in percentile_95("a_bucket", "", "{}")
    assert of_role('{m="1"}', "baseline") == '{m="1", role="baseline"}'
    assert narrowed('{m="1"}', 's="2"') == '{m="1", s="2"}'


ANSWERED = {
    ("narrowed", "model"): (1, 2, 2), ("narrowed", "a=b"): (1, 2, 1), ("whole", "model"): (1, 0, 1),
    ("of an earlier release", "model"): (1, None, 1), ("small", "model"): (0, 0, 0),
}  # fmt: skip
"""By model and scope: whether it is safe, the classes that are asked again (None: not told), and who answers."""


def test_model_that_is_narrowed_is_told_from_one_that_the_full_model_answers(tmp_path: Path) -> None:
    """Its subgroups are not narrowed; a gateway of an earlier release has no such metric."""
    series, samples = {}, []
    for (model, scope), (safe, asked, answers) in ANSWERED.items():
        series[f'tightrope_safe_mode_active{{model="{model}",scope="{scope}",instance="g"}}'] = f"{safe}x5"
        samples.append({"labels": f'{{model="{model}",scope="{scope}"}}', "value": answers})
        if asked is not None:
            series[f'tightrope_asked_classes{{model="{model}",instance="g"}}'] = f"{asked}x5"
    expected = {"expr": answered_by("model, scope", "", ""), "eval_time": "2m", "exp_samples": samples}
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    case = {"interval": "1m", "input_series": inputs, "promql_expr_test": [expected]}
    (tmp_path / "test.yml").write_text(json.dumps({"evaluation_interval": "1m", "tests": [case]}))
    code, output = debian_servers.run_tool("promtool", "test", "rules", tmp_path / "test.yml")
    assert code == 0, output
