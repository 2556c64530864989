"""The metrics of hanging models are brought up to date by a scrape."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.support.serving.model_pairs import sure_and_unsure
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Role
from tightrope.service.adapters.prometheus.metric import Component
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.prometheus.run_catalogue import BREAKER_GAUGES, EXPIRED_COUNTERS
from tightrope.service.adapters.runs.breaker import MAX_EXPIRED
from tightrope.service.adapters.runs.health import RunHealth
from tightrope.service.adapters.runs.watched_runs import runs_of


@pytest.mark.parametrize("component", list(EXPIRED_COUNTERS))
def test_scrape_shows_models_that_hang(tmp_path: Path, component: Component) -> None:
    """By role; an expired run counts once."""
    pair, metrics = pair_of(tmp_path, **sure_and_unsure(tmp_path)), Metrics(CollectorRegistry())
    RunHealth(component, {"m": pair}, metrics)
    runs = runs_of(pair.models[Role.BASELINE])
    assert runs is not None
    for _ in range(MAX_EXPIRED):
        runs.breaker.record_expired()
    for _ in range(2):
        text = metrics.exposition("")[0].decode()
    assert f'tightrope_{EXPIRED_COUNTERS[component]}_total{{model="m",role="baseline"}} 3.0' in text
    for role, value in ((Role.BASELINE, 1.0), (Role.COMPRESSED, 0.0)):
        assert f'tightrope_{BREAKER_GAUGES[component]}{{model="m",role="{role}"}} {value}' in text
