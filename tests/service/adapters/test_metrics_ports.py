"""`Metrics` implements the ports of all components."""

import inspect

import pytest

from tightrope.service.adapters.metrics_ports import GatewayMetrics, JudgeMetrics, ReaderMetrics, WorkerMetrics
from tightrope.service.adapters.prometheus.metrics import Metrics


@pytest.mark.parametrize("port", [ReaderMetrics, GatewayMetrics, WorkerMetrics, JudgeMetrics])
def test_metrics_have_every_method_of_the_port(port: type) -> None:
    """Names and parameters are equal."""
    methods = {name: member for name, member in inspect.getmembers(port, inspect.isfunction) if name[0] != "_"}
    assert "record_dead" in methods
    for name, method in methods.items():
        assert inspect.signature(getattr(Metrics, name)) == inspect.signature(method)
