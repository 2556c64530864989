"""The PromQL of the panels."""

from tightrope.dashboards.queries import narrowed, of_role, percentile_95, rate_by


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
