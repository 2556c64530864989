"""Sampling is a fixed property of the request id: equal in every process, independent of other floors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.monitors.sampling import Sampler, draw

ROOT = Path(__file__).parents[2]
IDS = [f"request-{number}" for number in range(20_000)]
SCOPES = ("a=1", "b=1", "c=1")
SHARES = st.floats(0, 1)


@pytest.mark.parametrize("seed", ["1", "4242"])
def test_every_process_draws_alike(seed: str) -> None:
    """A new interpreter with another hash seed computes the same numbers, to the last bit."""
    code = (
        "from tightrope.monitors.sampling import draw; print([draw(f'request-{n}', 'census').hex() for n in range(50)])"
    )
    environ = os.environ | {"PYTHONHASHSEED": seed}
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, check=True, text=True
    )
    assert output.stdout.strip() == str([draw(request_id, "census").hex() for request_id in IDS[:50]])


def test_draw_is_pinned() -> None:
    """Another hash would give replicas of two versions different samples."""
    assert [draw("request-1"), draw("request-1", "census"), draw("")] == [
        0.9785382927311853,
        0.02882109472337302,
        0.8931675160897388,
    ]


def test_draws_are_uniform() -> None:
    """Over 20,000 ids that differ in a few digits, with and without salt."""
    for salt in ("", "census"):
        draws = [draw(request_id, salt) for request_id in IDS]
        assert all(0 <= number < 1 for number in draws)
        assert kstest(draws, "uniform").pvalue > 0.001


def test_salt_gives_every_model_its_own_sample() -> None:
    """Another model keeps about 10 % of the ids that one model keeps at 10 %."""
    kept = [request_id for request_id in IDS if draw(request_id, "census") < 0.1]
    both = sum(draw(request_id, "housing") < 0.1 for request_id in kept)
    assert 0.08 < both / len(kept) < 0.12


@settings(deadline=None)
@given(request_id=st.text(st.characters(exclude_categories=["Cs"])), salt=st.text(max_size=40))
def test_any_id_and_salt_has_a_draw(request_id: str, salt: str) -> None:
    """The draw is in [0, 1) and repeatable."""
    assert 0 <= draw(request_id, salt) < 1
    assert draw(request_id, salt) == draw(request_id, salt)


def test_inclusion_is_the_largest_of_rate_and_floors() -> None:
    """Only floors of the request's subgroups count."""
    sampler = Sampler(0.1, {"age=old": 0.5, "sex=female": 0.3, "sex=male": 0.05})
    assert sampler.inclusion([]) == 0.1
    assert sampler.inclusion(["sex=male", "age=young"]) == 0.1
    assert sampler.inclusion(["sex=female"]) == 0.3
    assert sampler.inclusion(["sex=female", "age=old"]) == 0.5


def test_rate_of_a_scope_is_its_floor_or_the_base_rate() -> None:
    """Floors are for subgroups: the model as a whole always counts at the base rate."""
    sampler = Sampler(0.1, {"age=old": 0.5, "sex=male": 0.05, MODEL_SCOPE: 0.9})
    assert [sampler.scope_rate(scope) for scope in (MODEL_SCOPE, "age=old", "sex=male", "age=young")] == [
        0.1,
        0.5,
        0.1,
        0.1,
    ]


@settings(deadline=None, max_examples=50)
@given(
    rate=SHARES, floors=st.dictionaries(st.sampled_from(SCOPES), SHARES), member=st.sets(st.sampled_from(SCOPES[1:]))
)
def test_rows_that_a_scope_counts_do_not_depend_on_other_floors(
    rate: float, floors: dict[str, float], member: set[str]
) -> None:
    """All members with a draw below the rate of the scope are kept, in any other subgroups."""
    sampler = Sampler(rate, floors)
    own = max(rate, floors.get("a=1", 0.0))
    for number in map(draw, IDS[:200]):
        kept = number < sampler.inclusion(["a=1", *member])
        assert (kept and number < sampler.scope_rate("a=1")) == (number < own)


def test_oversampled_group_leaves_the_models_sample_as_it_was() -> None:
    """The model's cell counts the same rows with a floor as without."""
    floored, plain = Sampler(0.1, {"age=old": 1.0}), Sampler(0.1)
    kept = [i for i in IDS if draw(i) < floored.inclusion(["age=old"])]
    assert kept == IDS
    assert [i for i in kept if draw(i) < floored.scope_rate(MODEL_SCOPE)] == [
        i for i in IDS if draw(i) < plain.inclusion(["age=old"])
    ]
