"""The shape of what a model costs is a contract."""

from tightrope.service.api.cost.documents import EnergyStatus, ModelCost, PartCpu, ProcessCpu, ShareStatus


def test_fields_that_readers_use_stay() -> None:
    """Those of the first release, at least."""
    assert {"model", "sentence", "runs", "shares", "process", "energy"} <= ModelCost.__annotations__.keys()
    assert {"part", "role", "cpu_seconds", "estimate"} <= PartCpu.__annotations__.keys()
    assert {"saved", "watching", "fallbacks", "escalations", "in_all"} <= ShareStatus.__annotations__.keys()
    assert {"cpu_seconds", "runs_cpu_seconds", "remainder_cpu_seconds"} <= ProcessCpu.__annotations__.keys()
    assert {"joules", "says"} <= EnergyStatus.__annotations__.keys()
