"""The gauges of a qualification show one verdict, and the latest numbers."""

from prometheus_client import CollectorRegistry

from tightrope.service.adapters.prometheus.qualification_metrics import QualificationMetrics


def test_owner_and_policy_of_a_model_are_one_series() -> None:
    """A model without an owner has an empty one."""
    metrics = QualificationMetrics(CollectorRegistry())
    metrics.set_model_info("m", "team-credit", "large", "armed")
    metrics.set_model_info("n", "", "never", "unset")
    for labels in (("m", "team-credit", "large", "armed"), ("n", "", "never", "unset")):
        named = dict(zip(("model", "owner", "page", "mode"), labels, strict=True))
        assert metrics.registry.get_sample_value("tightrope_model_info", named) == 1


def test_only_the_latest_verdict_is_one() -> None:
    """A model without a statement has no expiry."""
    metrics = QualificationMetrics(CollectorRegistry())
    value = metrics.registry.get_sample_value
    metrics.set_qualification("m", "unqualified", None, {})
    assert value("tightrope_qualification_expiry_timestamp_seconds", {"model": "m"}) is None
    metrics.set_qualification("m", "qualified", 1e9, {"compressed": (0.25, 0.5)})
    verdicts = {
        verdict: value("tightrope_qualification_info", {"model": "m", "verdict": verdict})
        for verdict in ("qualified", "unqualified", "breach")
    }
    assert verdicts == {"qualified": 1, "unqualified": 0, "breach": 0}
    assert value("tightrope_qualification_expiry_timestamp_seconds", {"model": "m"}) == 1e9
    labels = {"model": "m", "role": "compressed"}
    assert value("tightrope_numerics_distance", labels) == 0.25
    assert value("tightrope_numerics_bound", labels) == 0.5
