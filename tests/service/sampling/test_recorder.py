"""Every answered request is sampled and counted once, soon, and off the request path."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.service.inference.test_batch import REQUESTS, request
from tests.support.serving.engine_requests import answer_together
from tests.support.serving.model_pairs import CALM, REFUSAL, SUBGROUPS, copier, sure_and_unsure
from tests.support.serving.service_harness import DRAW_KEY, GatewayHarness
from tightrope.monitors.intake.sampling import DrawKey
from tightrope.monitors.records import Floats, Role, Sample
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.inference.batch import BatchExecution
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.sampling import draws, recorder
from tightrope.service.sampling.recorder import MAX_UNCOUNTED_RUNS


def test_every_request_is_sampled_and_counted_once(tmp_path: Path) -> None:
    """With its own rows, subgroups and outputs."""
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS}})
    asked = [request([[5.0, 1.0], [50.0, 2.0]], "a", "north"), request([[10.0, -1.0]], "b")]
    answer_together(bench.engine, "m", asked)
    bench.engine.sample_answers()
    samples, _ = bench.published()
    assert [(s.request_id, s.inputs["input"].tolist()) for s in samples] == [
        ("a", [[5.0, 1.0], [50.0, 2.0]]),
        ("b", [[10.0, -1.0]]),
    ]
    scopes = samples[0].scopes
    assert [[{s for s, is_in in zip(scopes, row, strict=True) if is_in} for row in of.member] for of in samples] == [
        [{"region=north", "band=low"}, {"region=north", "band=other"}],
        [{"region=other", "band=high"}],
    ]
    assert [len(sample.outputs["probabilities"]) for sample in samples] == [2, 1]
    assert bench.count("rows", model="m", role="compressed") == 3
    assert bench.count("samples", model="m") == 2


def test_sampling_error_does_not_affect_other_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The request is still counted, and the log has the error."""
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    for name in "abc":
        answer_together(bench.engine, "m", [request([[1.0, 1.0]], name)])
    real = recorder.draw_requests

    def refuses(key: DrawKey, executions: Sequence[BatchExecution]) -> object:
        if any("b" in execution.ids for execution in executions):
            raise RuntimeError("a mistake of ours")
        return real(key, executions)

    monkeypatch.setattr(recorder, "draw_requests", refuses)
    bench.engine.sample_answers()
    assert [sample.request_id for sample in bench.published()[0]] == ["a", "c"]
    assert bench.count("rows", model="m", role="compressed") == 3
    assert "a mistake of ours" in caplog.text
    assert bench.outbox.drawn == {"m": 3}, "a row that is lost here is not judged"


def test_batch_that_is_run_again_is_sampled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its requests is answered alone, after the batch failed at its last step."""
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})

    real = BatchExecution.responses

    def alone(execution: BatchExecution) -> Sequence[InferResponse]:
        assert len(execution.ids) == 1, "a mistake of ours"
        return real(execution)

    monkeypatch.setattr(BatchExecution, "responses", alone)
    answers = answer_together(bench.engine, "m", [request([[1.0, 1.0]], name) for name in "ab"])
    bench.engine.sample_answers()
    assert [answer.id for answer in answers if isinstance(answer, InferResponse)] == ["a", "b"]
    assert [sample.request_id for sample in bench.published()[0]] == ["a", "b"]
    assert bench.count("rows", model="m", role="compressed") == 2


def test_profiles_observe_runs_without_a_scrape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many at a time, each with its rows and elements."""
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    seen = Counter[tuple[int, int]]()
    profile = RunProfile()
    monkeypatch.setattr(
        profile, "observe", lambda rows, *seconds, elements: seen.update({(rows, elements): len(seconds)})
    )
    kept = recorder.AnswerRecorder(bench.outbox, bench.metrics, {"m": profile}, DRAW_KEY)
    monkeypatch.setattr(bench.engine, "_recorder", kept)
    for count in range(MAX_UNCOUNTED_RUNS):
        assert not seen
        rows = [[1.0, 1.0]] * (1 + count % 2)
        answer_together(bench.engine, "m", [request(rows)])
        bench.engine.sample_answers()
    assert seen == {(1, 2): MAX_UNCOUNTED_RUNS // 2, (2, 4): MAX_UNCOUNTED_RUNS // 2}


def test_scrape_counts_queued_requests_first(tmp_path: Path) -> None:
    """It does not wait for the next sampling."""
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    answer_together(bench.engine, "m", [request([[1.0, 1.0]])])
    assert bench.count("rows", model="m", role=Role.COMPRESSED) == 1


def test_batches_of_one_pair_are_sampled_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sample has its own time, seconds and role; another model's batches lie between."""
    bench = GatewayHarness(
        tmp_path, {name: {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS} for name in "mn"}
    )
    bench.safe("m", "region=north")
    times = iter(range(100, 200))
    monkeypatch.setattr(bench.engine, "_clock", lambda: float(next(times)))
    for number, (model, region) in enumerate([("m", "north"), ("n", "north"), ("m", "south"), ("m", "north")]):
        answer_together(bench.engine, model, [request([[5.0, 1.0 + number]], str(number), region)])
    bench.engine.sample_answers()
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
def test_joined_samples_are_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, bytes_: int, cut: list[int]
) -> None:
    """In samples and in bytes; a large batch is kept or dropped by itself."""
    monkeypatch.setattr(draws, "MAX_JOINED_SAMPLES", most)
    monkeypatch.setattr(draws, "MAX_JOINED_BYTES", bytes_)
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    offered: list[int] = []
    monkeypatch.setattr(bench.outbox, "offer", lambda samples: offered.append(len(samples)) or len(samples))
    for names in ("a", "b", "c", "de", "f", "g", "h"):
        asked = [request([[1.0, 1.0]], name) for name in names]
        answer_together(bench.engine, "m", asked)
    bench.engine.sample_answers()
    assert offered == cut


def test_requests_of_different_width_are_sampled_separately(tmp_path: Path) -> None:
    """Their rows cannot be concatenated."""
    models = {role: str(copier(tmp_path / f"{role}.onnx", "rows", "width")) for role in ("baseline", "compressed")}
    bench = GatewayHarness(tmp_path, {"m": {**models, **CALM, "decision": {"scale": "logits"}}})
    for width in (2, 3, 2):
        answer_together(bench.engine, "m", [request([[1.0] * width])])
    bench.engine.sample_answers()
    assert sorted(sample.inputs["input"].shape for sample in bench.published()[0]) == [(1, 2), (1, 2), (1, 3)]
    assert bench.count("samples", model="m") == 3


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=REQUESTS, names=st.lists(st.uuids().map(str), min_size=6, max_size=6, unique=True))
@pytest.mark.parametrize("action", ["flag", "escalate"])
def test_batch_is_sampled_as_its_single_requests(
    tmp_path: Path, requests: list[InferRequest], names: list[str], action: str
) -> None:
    """Batching changes neither which requests are kept, nor their rows, subgroups, inclusion and outputs."""
    pair = {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS, "refusal": {**REFUSAL, "action": action}}
    sampling = {"rate": 0.3, "floors": {"region=north": 0.9}}
    found = []
    for most in (len(requests), 1, 2):
        bench = GatewayHarness(tmp_path, {"m": {**pair, "sampling": sampling}})
        bench.safe("m", "band=high")
        asked = [replace(one, id=name) for one, name in zip(requests, names, strict=False)]
        for some in (asked[at : at + most] for at in range(0, len(asked), most)):
            answer_together(bench.engine, "m", some)
        bench.engine.sample_answers()
        assert bench.count("rows", model="m", role=Role.COMPRESSED) + bench.count(
            "rows", model="m", role=Role.BASELINE
        ) == sum(len(one.inputs["input"]) for one in asked)
        samples = sorted(bench.published()[0], key=lambda sample: names.index(sample.request_id))
        assert bench.count("samples", model="m") == len(samples)
        found.append(samples)
    together, *others = found
    for apart in others:
        assert [_without_outputs(sample) for sample in together] == [_without_outputs(sample) for sample in apart]
        for one, other in zip(together, apart, strict=True):
            assert np.allclose(_probabilities(one), _probabilities(other), rtol=1e-4), (
                "up to the rounding of another batch size"
            )


def _without_outputs(sample: Sample) -> dict[str, object]:
    """Everything but the outputs and their seconds."""
    names = ("request_id", "served_by", "draw", "inclusion", "time", "scopes")
    fields: dict[str, object] = {name: getattr(sample, name) for name in names}
    return fields | {"inputs": sample.inputs["input"].tolist(), "member": sample.member.tolist()}


def _probabilities(sample: Sample) -> Floats:
    return np.asarray(sample.outputs["probabilities"], float)
