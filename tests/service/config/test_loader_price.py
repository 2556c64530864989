"""A price of compute time comes with its currency."""

from pathlib import Path

import pytest

from tightrope.service.config.loader import ConfigError, load

MODELS = "models: {m: {baseline: b.onnx, compressed: c.onnx}}"


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        ("cost_per_hour: 0.05", "server: cost_per_hour needs currency, such as EUR"),
        (
            "cost_per_hour: -1, currency: EUR",
            "server.cost_per_hour: input should be greater than or equal to 0 (it is -1)",
        ),
        (
            "cost_per_hour: 1, currency: euros",
            "server.currency: string should match pattern '^[A-Z]{3}$' (it is 'euros')",
        ),
    ],
)
def test_price_of_compute_time_needs_its_currency(tmp_path: Path, server: str, problem: str) -> None:
    """Money without a unit says nothing."""
    path = tmp_path / "tightrope.yaml"
    path.write_text(f"{MODELS}\nserver: {{{server}}}\n")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert caught.value.problems == [f"{path}: {problem}"]
