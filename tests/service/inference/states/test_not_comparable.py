"""Requests whose states only one model knows are counted before every scrape; test_state_tensors.py makes them."""

from types import SimpleNamespace

from prometheus_client import CollectorRegistry

from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.inference.states.not_comparable import NotComparableCount
from tightrope.service.inference.states.state_tensors import StateTensors


def test_pairs_without_states_count_nothing() -> None:
    """And those with states, each request once."""
    metrics, states = Metrics(CollectorRegistry()), StateTensors({"stateN": "state"})
    NotComparableCount({"plain": SimpleNamespace(states=None), "m": SimpleNamespace(states=states)}, metrics)
    states._not_comparable = 3
    assert [metrics.total("not_comparable", model=name) for name in ("plain", "m", "m")] == [0, 3, 3]
