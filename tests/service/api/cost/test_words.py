"""The sentence of what a model costs says a loss as plainly as a saving."""

import pytest

from tightrope.monitors.cost.shares import CpuShares
from tightrope.service.api.cost.words import UNKNOWN_COST, cost_sentence


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        (
            CpuShares(0.41, 0.09, 0.02, 0.0, 0.3),
            "Compression saves about 41 % of the model's CPU; watching it costs about 9 %; fallbacks cost about 2 %.",
        ),
        (
            CpuShares(-0.27, 0.3, -0.05, 0.1, -0.6),
            (
                "The small model costs about 27 % more CPU than the full model; watching it costs about 30 %; "
                "fallbacks save about 5 %; asking again costs about 10 %."
            ),
        ),
        (
            CpuShares(0.5, None, 0.0, 0.0, 0.5),
            (
                "Compression saves about 50 % of the model's CPU; watching it is counted by its worker; "
                "fallbacks cost 0 %."
            ),
        ),
        (
            CpuShares(-0.04, 0.004, 0.0, 0.0, -0.02),
            (
                "The small model costs about as much CPU as the full model; watching it costs about 0.4 %; "
                "fallbacks cost 0 %."
            ),
        ),
        (None, UNKNOWN_COST),
    ],
)
def test_sentence_says_what_is_saved_and_what_it_costs(shares: CpuShares | None, sentence: str) -> None:
    """Also where the small model is the slower one, and where a part is another process's."""
    assert cost_sentence(shares) == sentence
