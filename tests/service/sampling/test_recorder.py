"""Every request that was answered is sampled and counted once, soon, at nobody's cost."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.service.inference.test_batch import REQUESTS, request
from tests.support.serving.model_pairs import CALM, REFUSAL, SUBGROUPS, copier, sure_and_unsure
from tests.support.serving.service_harness import Bench
from tightrope.monitors.records import Floats, Role, Sample
from tightrope.service.inference import engine
from tightrope.service.inference.autotune import Pace
from tightrope.service.inference.batch import Asking, response_of
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.sampling import recorder
from tightrope.service.sampling.recorder import MOST_UNCOUNTED


def test_every_request_is_sampled_and_counted_once(tmp_path: Path) -> None:
    """With its own rows, subgroups and answer."""
    bench = Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS}})
    asked = [request([[5.0, 1.0], [50.0, 2.0]], "a", "north"), request([[10.0, -1.0]], "b")]
    bench.gateway.answer(bench.pairs["m"], asked, [None] * 2)
    bench.gateway.afterwards()
    samples, _ = bench.published()
    assert [(s.request_id, s.inputs["input"].tolist()) for s in samples] == [
        ("a", [[5.0, 1.0], [50.0, 2.0]]),
        ("b", [[10.0, -1.0]]),
    ]
    scopes = samples[0].scopes
    assert [[{s for s, is_in in zip(scopes, row, strict=True) if is_in} for row in of.member] for of in samples] == [
        [{"region=north", "band=low"}, {"region=north"}],
        [{"band=high"}],
    ]
    assert [len(sample.outputs["probabilities"]) for sample in samples] == [2, 1]
    assert bench.count("rows", model="m", role="compressed") == 3
    assert bench.count("samples", model="m") == 2


def test_what_cannot_be_sampled_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted all the same, and the log says why there is no sample of it."""
    bench = Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    for name in "abc":
        bench.gateway.answer(bench.pairs["m"], [request([[1.0, 1.0]], name)], [None])
    real = recorder.draw

    def refuses(request_id: str, salt: str) -> float:
        if request_id == "b":
            raise RuntimeError("a mistake of ours")
        return real(request_id, salt)

    monkeypatch.setattr(recorder, "draw", refuses)
    bench.gateway.afterwards()
    assert [sample.request_id for sample in bench.published()[0]] == ["a", "c"]
    assert bench.count("rows", model="m", role="compressed") == 3
    assert "a mistake of ours" in caplog.text


def test_batch_that_could_not_be_answered_together_is_sampled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far it came: each of its requests is asked again, alone."""
    bench = Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})

    def alone(asking: Asking, place: int) -> InferResponse:
        assert len(asking.ids) == 1, "a mistake of ours"
        return response_of(asking, place)

    monkeypatch.setattr(engine, "response_of", alone)
    answers = bench.gateway.answer(bench.pairs["m"], [request([[1.0, 1.0]], name) for name in "ab"], [None] * 2)
    bench.gateway.afterwards()
    assert [answer.id for answer in answers if isinstance(answer, InferResponse)] == ["a", "b"]
    assert [sample.request_id for sample in bench.published()[0]] == ["a", "b"]
    assert bench.count("rows", model="m", role="compressed") == 2


def test_paces_learn_from_every_run_of_many_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rows; nobody has to look."""
    bench = Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    seen = Counter[int]()
    pace = Pace()
    monkeypatch.setattr(pace, "took", lambda rows, *seconds: seen.update({rows: len(seconds)}))
    kept = recorder.Answered(bench.outbox, bench.metrics, {"m": pace})
    monkeypatch.setattr(bench.gateway, "_answered", kept)
    for count in range(MOST_UNCOUNTED):
        assert not seen
        rows = [[1.0, 1.0]] * (1 + count % 2)
        bench.gateway.answer(bench.pairs["m"], [request(rows)], [None])
        bench.gateway.afterwards()
    assert seen == {1: MOST_UNCOUNTED // 2, 2: MOST_UNCOUNTED // 2}


def test_whoever_looks_at_the_metrics_sees_what_was_just_answered(tmp_path: Path) -> None:
    """It need not wait until that is due."""
    bench = Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    bench.gateway.answer(bench.pairs["m"], [request([[1.0, 1.0]])], [None])
    assert bench.count("rows", model="m", role=Role.COMPRESSED) == 1


def test_those_answered_alone_are_sampled_together_each_with_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time, seconds and model; other models' beside them."""
    bench = Bench(tmp_path, {name: {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS} for name in "mn"})
    bench.safe("m", "region=north")
    times = iter(range(100, 200))
    monkeypatch.setattr(bench.gateway, "_clock", lambda: float(next(times)))
    for number, (model, region) in enumerate([("m", "north"), ("n", "north"), ("m", "south"), ("m", "north")]):
        bench.gateway.answer(bench.pairs[model], [request([[5.0, 1.0 + number]], str(number), region)], [None])
    bench.gateway.afterwards()
    samples = sorted(bench.published()[0], key=lambda sample: sample.request_id)
    assert [(s.model, s.time, str(s.served_by)) for s in samples] == [
        ("m", 100.0, "baseline"),
        ("n", 101.0, "compressed"),
        ("m", 102.0, "compressed"),
        ("m", 103.0, "baseline"),
    ]
    assert [s.inputs["input"][0, 1] for s in samples] == [1.0, 2.0, 3.0, 4.0]
    assert len({s.seconds for s in samples}) == 4
    assert all(s.seconds > 0.0 for s in samples)


@pytest.mark.parametrize(("most", "bytes_", "cut"), [(3, 1 << 20, [3, 3, 2]), (9, 8, [1, 1, 1, 2, 1, 1, 1])])
def test_what_is_sampled_together_has_its_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, bytes_: int, cut: list[int]
) -> None:
    """In samples and in bytes, where it is more than one batch: what is large is kept, or dropped, by itself."""
    monkeypatch.setattr(recorder, "MOST_TOGETHER", most)
    monkeypatch.setattr(recorder, "MOST_BYTES", bytes_)
    bench = Bench(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    offered: list[int] = []
    monkeypatch.setattr(bench.outbox, "offer", lambda samples: offered.append(len(samples)) or len(samples))
    for names in ("a", "b", "c", "de", "f", "g", "h"):
        asked = [request([[1.0, 1.0]], name) for name in names]
        bench.gateway.answer(bench.pairs["m"], asked, [None] * len(asked))
    bench.gateway.afterwards()
    assert offered == cut


def test_those_that_differ_in_width_are_sampled_each_by_itself(tmp_path: Path) -> None:
    """They cannot stand below each other."""
    models = {role: str(copier(tmp_path / f"{role}.onnx", "rows", "width")) for role in ("baseline", "compressed")}
    bench = Bench(tmp_path, {"m": {**models, **CALM, "decision": {"scale": "logits"}}})
    for width in (2, 3, 2):
        bench.gateway.answer(bench.pairs["m"], [request([[1.0] * width])], [None])
    bench.gateway.afterwards()
    assert sorted(sample.inputs["input"].shape for sample in bench.published()[0]) == [(1, 2), (1, 2), (1, 3)]
    assert bench.count("samples", model="m") == 3


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=REQUESTS, names=st.lists(st.uuids().map(str), min_size=6, max_size=6, unique=True))
@pytest.mark.parametrize("action", ["flag", "escalate"])
def test_what_is_answered_together_is_sampled_as_alone(
    tmp_path: Path, requests: list[InferRequest], names: list[str], action: str
) -> None:
    """The same requests are kept, with the same rows, subgroups, rates and answers, whoever answered each of them."""
    pair = {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS, "refusal": {**REFUSAL, "action": action}}
    sampling = {"rate": 0.3, "floors": {"region=north": 0.9}}
    found = []
    for most in (len(requests), 1, 2):
        bench = Bench(tmp_path, {"m": {**pair, "sampling": sampling}})
        bench.safe("m", "band=high")
        asked = [replace(one, id=name) for one, name in zip(requests, names, strict=False)]
        for some in (asked[at : at + most] for at in range(0, len(asked), most)):
            bench.gateway.answer(bench.pairs["m"], some, [None] * len(some))
        bench.gateway.afterwards()
        assert bench.count("rows", model="m", role=Role.COMPRESSED) + bench.count(
            "rows", model="m", role=Role.BASELINE
        ) == sum(len(one.inputs["input"]) for one in asked)
        samples = sorted(bench.published()[0], key=lambda sample: names.index(sample.request_id))
        assert bench.count("samples", model="m") == len(samples)
        found.append(samples)
    together, *others = found
    for apart in others:
        assert [_plain(sample) for sample in together] == [_plain(sample) for sample in apart]
        for one, other in zip(together, apart, strict=True):
            assert np.allclose(_said(one), _said(other), rtol=1e-4), "up to the rounding of another batch size"


def _plain(sample: Sample) -> dict[str, object]:
    """All but what it was answered, and how long that took."""
    names = ("request_id", "served_by", "draw", "inclusion", "time", "scopes")
    told: dict[str, object] = {name: getattr(sample, name) for name in names}
    return told | {"inputs": sample.inputs["input"].tolist(), "member": sample.member.tolist()}


def _said(sample: Sample) -> Floats:
    return np.asarray(sample.outputs["probabilities"], float)
