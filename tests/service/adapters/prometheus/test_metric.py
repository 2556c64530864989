"""A metric of the catalogue knows its label values and the number of its series."""

from tightrope.service.adapters.prometheus.catalogue import METRICS
from tightrope.service.adapters.prometheus.metric import LATENCY_BUCKETS


def test_label_values_are_every_combination() -> None:
    """The values are listed or configured; without either there is no combination."""
    labels = list(METRICS["rows"].label_values({"model": ("m",)}))
    assert labels == [{"model": "m", "role": "baseline"}, {"model": "m", "role": "compressed"}]
    assert list(METRICS["rows"].label_values({})) == []
    assert list(METRICS["reports"].label_values({})) == [{"outcome": o} for o in ("made", "refused", "failed")]


def test_histogram_has_a_series_for_every_bucket() -> None:
    """And three more: the bucket without a bound, the sum, and the count."""
    assert METRICS["request_seconds"].max_series({"model": 2}) == 2 * (len(LATENCY_BUCKETS) + 3)
    assert METRICS["rows"].max_series({"model": 2}) == 4


def test_counter_has_the_suffix_of_its_kind() -> None:
    """A gauge has none."""
    assert METRICS["rows"].full_name("rows") == "tightrope_rows_total"
    assert METRICS["blind"].full_name("blind") == "tightrope_blind"
