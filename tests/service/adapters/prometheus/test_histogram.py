"""Bulk observations equal single ones."""

import string

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tightrope.service.adapters.prometheus.histogram import MAX_EXEMPLAR_CHARS, ManyHistogram

BUCKETS = (0.1, 1.0, 10.0)


def exposed(registry: CollectorRegistry) -> list[tuple[str, float, str | None]]:
    """All series with their exemplars."""
    return [
        (f"{sample.name}{sample.labels}", round(sample.value, 6), sample.exemplar and str(sample.exemplar.labels))
        for family in registry.collect()
        for sample in family.samples
        if "created" not in sample.name
    ]


@given(
    st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["", "an-id", "other", "x" * 200, "n\u00f6"])), max_size=40)
)
def test_bulk_observations_equal_single_ones(observed: list[tuple[float, str]]) -> None:
    """A bucket's exemplar is its latest observation with a valid id."""
    at_once, one_by_one = CollectorRegistry(), CollectorRegistry()
    ManyHistogram("seconds", "", registry=at_once, buckets=BUCKETS).observe_many(observed)
    plain = Histogram("seconds", "", registry=one_by_one, buckets=BUCKETS)
    for seconds, request_id in observed:
        plain.observe(seconds, {"request_id": request_id} if request_id in {"an-id", "other"} else None)
    assert exposed(at_once) == exposed(one_by_one)


def test_longest_exemplar_is_shown() -> None:
    """A longer one is left out: the format has a limit, and the client would raise."""
    registry = CollectorRegistry()
    histogram = ManyHistogram("seconds", "", registry=registry, buckets=BUCKETS)
    histogram.observe_many([(0.5, "x" * MAX_EXEMPLAR_CHARS), (5.0, "x" * (MAX_EXEMPLAR_CHARS + 1))])
    shown = [exemplar for _, _, exemplar in exposed(registry) if exemplar]
    assert shown == [str({"request_id": "x" * MAX_EXEMPLAR_CHARS})]


def test_exemplar_of_any_id_can_be_read() -> None:
    """Ids with quotes, backslashes, braces and the like are left out: some readers of the format stumble over them."""
    usual = "Pod-7_a.b:c/d=e@f+g~h,(i);!$%&*<>?[]^`|"
    for request_id in (*map(chr, range(256)), *(f"a{chr(code)}b" for code in range(256)), 'x"} 1 2', "a # b", usual):
        registry = CollectorRegistry()
        ManyHistogram("seconds", "", registry=registry, buckets=BUCKETS).observe_many([(0.5, request_id)])
        samples = [s for f in text_string_to_metric_families(generate_latest(registry).decode()) for s in f.samples]
        assert [s.value for s in samples if s.name == "seconds_count"] == [1.0]
        shown = [s.exemplar.labels["request_id"] for s in samples if s.exemplar]
        assert shown == ([request_id] if {*request_id} <= {*usual, *string.ascii_letters, *string.digits} else [])
