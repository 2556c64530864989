"""A part is silent from ten seconds on; a silent judge says nothing about the worker."""

import pytest

from tightrope.service.api.overview.facts import Freshness, ModelFacts
from tightrope.service.api.overview.sight_states import judge_is_silent, worker_is_silent


@pytest.mark.parametrize(
    ("freshness", "judge", "worker"),
    [
        (Freshness(), False, False),
        (Freshness(heard_seconds=9.9), False, False),
        (Freshness(heard_seconds=10.0), True, False),
        (Freshness(waiting=8, seconds=60.0), False, False),
        (Freshness(waiting=9, seconds=9.9), False, False),
        (Freshness(waiting=9, seconds=10.0), False, True),
        (Freshness(waiting=9, seconds=30.0, heard_seconds=30.0), True, False),
    ],
)
def test_silence_is_told_of_one_part(freshness: Freshness, *, judge: bool, worker: bool) -> None:
    """The one that does not answer."""
    model = ModelFacts("m", freshness=freshness)
    assert (judge_is_silent(model), worker_is_silent(model)) == (judge, worker)


def test_judge_that_is_missing_is_silent() -> None:
    """No matter when the watch heard one."""
    assert judge_is_silent(ModelFacts("m", judge_missing=True))
