"""Draws are keyed by a secret and cover id and inputs: equal on every replica, chosen by no caller."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from tightrope.monitors.intake.sampling import (
    ERA_SECONDS,
    MAX_UNHASHED_BYTES,
    SECRET_BYTES,
    DrawKey,
    Sampler,
    draw,
    input_digest,
    row_digests,
)
from tightrope.monitors.records import MODEL_SCOPE

ROOT = Path(__file__).parents[3]
IDS = [f"request-{number}" for number in range(20_000)]
SCOPES = ("a=1", "b=1", "c=1")
SHARES = st.floats(0, 1)


@pytest.mark.parametrize("seed", ["1", "4242"])
def test_every_process_draws_alike(seed: str) -> None:
    """A new interpreter with another hash seed computes the same numbers, to the last bit."""
    draws = "[draw(f'request-{n}', 'census').hex() for n in range(50)]"
    code = f"from tightrope.monitors.intake.sampling import draw; print({draws})"
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


KEY = DrawKey(bytes(range(SECRET_BYTES)))
DIGEST = bytes.fromhex("00112233445566778899aabbccddeeff")


def test_keyed_draw_is_pinned() -> None:
    """BLAKE2b-64 over model, era, id and digest, each with its length: 94d2060318dc8ae3 of 2^64 for these fields."""
    number = KEY.draw("employment", 480_000 * ERA_SECONDS + 599.9, "req-1", DIGEST)
    assert number == 0.5813297040520969
    assert number == (0x94D2060318DC8AE3 >> 11) / 2**53


def test_keyed_draw_covers_every_field() -> None:
    """Secret, model, era, id and inputs: a retry in the same era has the same draw, anything else another one."""
    draws = [
        KEY.draw("m", 0.0, "a", DIGEST),
        KEY.draw("m", ERA_SECONDS, "a", DIGEST),
        KEY.draw("n", 0.0, "a", DIGEST),
        KEY.draw("m", 0.0, "b", DIGEST),
        KEY.draw("m", 0.0, "a", DIGEST[::-1]),
        DrawKey(bytes(SECRET_BYTES)).draw("m", 0.0, "a", DIGEST),
    ]
    assert len(set(draws)) == len(draws)
    assert KEY.draw("m", ERA_SECONDS - 1.0, "a", DIGEST) == draws[0]


def test_constant_id_has_uniform_draws() -> None:
    """A caller who always sends one id cannot keep other inputs out of the sample."""
    draws = [KEY.draw("m", 0.0, "pod-a", input_digest({"x": np.array([[float(n)]])})) for n in range(5_000)]
    assert kstest(draws, "uniform").pvalue > 0.001


def test_input_digest_covers_names_types_shapes_and_content() -> None:
    """Equal tensors in any order and memory layout have equal digests; texts are told apart by their lengths."""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    same = [{"a": x, "b": x[:1]}, {"b": x[:1].copy(), "a": np.asfortranarray(x)}]
    others: list[dict[str, np.ndarray]] = [
        {"a": x, "c": x[:1]},
        {"a": x.astype(np.float64), "b": x[:1]},
        {"a": x.reshape(3, 2), "b": x[:1]},
        {"a": x + 1, "b": x[:1]},
        {"a": np.array([["ab", "c"]], object)},
        {"a": np.array([["a", "bc"]], object)},
    ]
    assert input_digest(same[0]) == input_digest(same[1])
    assert len({input_digest(inputs) for inputs in (same[0], *others)}) == 1 + len(others)


@pytest.mark.parametrize(
    "rows",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 2, 2)),
        np.arange(3),
        np.zeros((3, 0)),
        np.zeros((0, 4)),
        np.ones((2, MAX_UNHASHED_BYTES + 1), np.int8),
        np.array([["a", "bc"], ["ab", "c"]], object),
    ],
)
def test_digests_of_rows_are_those_of_requests_with_one_row(rows: np.ndarray) -> None:
    """Whether they are short, long, empty or texts."""
    assert row_digests("x", rows) == [input_digest({"x": rows[i : i + 1]}) for i in range(len(rows))]


def test_callers_digest_shows_nothing_without_the_secret() -> None:
    """It is never 0, which means unknown; another model or secret gives another one."""
    digests = [KEY.caller("m", "ann"), KEY.caller("m", "eve"), KEY.caller("n", "ann")]
    digests.append(DrawKey(bytes(SECRET_BYTES)).caller("m", "ann"))
    assert len(set(digests)) == 4
    assert 0 not in digests
    assert KEY.caller("m", "ann") == digests[0]
    assert KEY.caller("m", "") == 0


def test_secret_has_its_length_and_is_not_shown() -> None:
    """A shorter one is refused without showing it, and no representation holds it."""
    with pytest.raises(ValueError, match="31 bytes; it must have 32"):
        DrawKey(bytes(31))
    assert not {bytes(range(SECRET_BYTES)).hex(), repr(bytes(range(SECRET_BYTES)))} & {repr(KEY), str(KEY)}
