"""Draws and callers of answered requests come from the decoded request, the secret and the configuration."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.support.serving.asgi_harness import admission
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import DRAW_KEY, GatewayHarness, body
from tightrope.monitors.intake.sampling import ERA_SECONDS
from tightrope.service.sampling.draws import caller_digests, caller_name
from tightrope.service.transport.http.codec import RequestDecoder


def bench(folder: Path, **section: object) -> GatewayHarness:
    """A gateway with one model ``m``."""
    return GatewayHarness(folder, {"m": {**sure_and_unsure(folder), **CALM, **section}})


def test_constant_id_is_sampled_like_any_other(tmp_path: Path) -> None:
    """At a rate of 0.3 about 30 % of requests with one id and different inputs are kept."""
    served = bench(tmp_path, sampling={"rate": 0.3})
    for number in range(400):
        served.infer("m", body([[float(number), 1.0]], id="pod-a"))
    assert 80 < len(served.published()[0]) < 160


def test_retry_has_the_draw_of_its_request(tmp_path: Path) -> None:
    """In the same era all ten are kept, or none; requests without an id have ids and draws of their own."""
    served = bench(tmp_path, sampling={"rate": 0.5})
    for name in "abcdefghijklmnop":
        for _ in range(10):
            served.infer("m", body([[5.0, 1.0]], id=name))
    for _ in range(100):
        served.infer("m", body([[5.0, 1.0]]))
    kept = Counter(sample.request_id for sample in served.published()[0])
    assert {kept[name] for name in "abcdefghijklmnop"} == {0, 10}
    assert 25 < sum(count for name, count in kept.items() if len(name) > 1) < 75


def test_another_era_draws_anew(tmp_path: Path) -> None:
    """A request that is not kept now may be kept ten minutes later."""
    served = bench(tmp_path, sampling={"rate": 0.5})
    for era in range(40):
        served.time = era * ERA_SECONDS
        served.infer("m", body([[5.0, 1.0]], id="a"))
    assert 8 < len(served.published()[0]) < 32


@pytest.mark.parametrize(("parameters", "name"), [({"account": "ann"}, "ann"), ({"account": 7}, "7"), ({}, "")])
def test_caller_is_a_keyed_digest_of_the_configured_parameter(
    tmp_path: Path, parameters: dict[str, object], name: str
) -> None:
    """The name itself is in no sample."""
    served = bench(tmp_path, caller={"parameter": "account"})
    served.infer("m", body([[5.0, 1.0]], parameters=parameters))
    ((sample,), _) = served.published()
    assert sample.caller == DRAW_KEY.caller("m", name)
    assert (sample.caller == 0) is (name == "")


def test_caller_is_unknown_unless_configured(tmp_path: Path) -> None:
    """No parameter is read, and no address."""
    served = bench(tmp_path)
    served.infer("m", body([[5.0, 1.0]], parameters={"account": "ann"}))
    ((sample,), _) = served.published()
    assert sample.caller == 0
    assert np.array_equal(sample.inputs["input"], [[5.0, 1.0]])


@pytest.mark.parametrize(("headers", "name"), [({b"x-account": b"ann"}, "ann"), ({b"x-other": b"ann"}, "")])
def test_caller_comes_from_the_configured_header(tmp_path: Path, headers: dict[bytes, bytes], name: str) -> None:
    """In any case of letters; without it the caller is unknown."""
    served = bench(tmp_path, caller={"header": "X-Account"})
    pair = served.pairs["m"]
    raw = json.dumps(body([[5.0, 1.0]])).encode()
    request = RequestDecoder(admission(10_000)).decode(pair, raw, headers)
    assert caller_name(pair, request) == name
    assert caller_digests(DRAW_KEY, pair, [request]).tolist() == [DRAW_KEY.caller("m", name)]
