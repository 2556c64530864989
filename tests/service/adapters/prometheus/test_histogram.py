"""Bulk observations equal single ones."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

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
