"""The role that wrote a state answers it, in safe mode too; only requests with fresh states are compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.serving import row_models
from tests.support.serving.engine_requests import answer_together
from tests.support.serving.graph_models import remembering
from tests.support.serving.model_pairs import CALM
from tests.support.serving.service_harness import GatewayHarness, pair_of
from tests.support.serving.transports import everywhere, over_http, together
from tightrope.monitors.records import MODEL_SCOPE, Role
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.states.not_comparable import NotComparableCount
from tightrope.service.inference.states.state_tensors import OWNED_STATE
from tightrope.service.protocol.rest import InferRequest, InferResponse, OutputRequest, Scalar
from tightrope.service.protocol.tensors import Tensor

NUDGES = {"baseline": 0.0, "compressed": 0.5}
ROLES = {True: "baseline", False: "compressed"}


def voice(folder: Path, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any key of a model
    """A pair of voice detectors with a state on axis 1."""
    files = {
        "baseline": row_models.listening(folder / "b.onnx"),
        "compressed": row_models.listening(folder / "c.onnx", 0.5),
    }
    section = {"decision": {"output": "probabilities"}, "state_tensors": {"stateN": "state"}, "probe": {"seconds": 60}}
    return {**{role: str(path) for role, path in files.items()}, **section, **CALM, **more}


@pytest.fixture
def bench(tmp_path: Path) -> GatewayHarness:
    """A gateway of that pair."""
    return GatewayHarness(tmp_path, {"m": voice(tmp_path)})


def chunk(seed: int, state: Tensor | None = None, rows: int = 1) -> dict[str, Tensor]:
    """A chunk of sound, with a state or a fresh one."""
    sound = np.random.default_rng(seed).normal(2.0, 1.0, (rows, 6)).astype(np.float32)
    fresh = np.zeros((2, rows, 8), np.float32)
    return {"input": sound, "state": fresh if state is None else state, "sr": np.array(16000)}


def ask(bench: GatewayHarness, tensors: dict[str, Tensor], **parameters: Scalar) -> InferResponse:
    """The answer to one request."""
    pair = bench.pairs["m"]
    request = InferRequest(None, parameters, tensors, (), binary_default=False)
    return bench.engine.infer(pair, pair.rows_first(request))


@pytest.mark.parametrize("begins_safe", [False, True])
@pytest.mark.parametrize("with_parameter", [False, True])
def test_state_stays_with_the_role_that_wrote_it(
    bench: GatewayHarness, *, begins_safe: bool, with_parameter: bool
) -> None:
    """Into safe mode and out of it: by the parameter of the answer, or by the digest of the state."""
    bench.safe("m", *[MODEL_SCOPE] * begins_safe)
    answer = ask(bench, chunk(0))
    owner = ROLES[begins_safe]
    assert (answer.parameters["served_by"], answer.parameters["state_of"]) == (owner, owner)
    bench.safe("m", *[MODEL_SCOPE] * (not begins_safe))
    for seed in range(1, 4):
        sent = {"state_of": str(answer.parameters["state_of"])} if with_parameter else {}
        answer = ask(bench, chunk(seed, answer.outputs["stateN"]), **sent)
        assert (answer.parameters["served_by"], answer.parameters["state_of"]) == (owner, owner)
        assert answer.parameters["safe_mode"] is not begins_safe
        assert "state_unknown" not in answer.parameters
    assert ask(bench, chunk(9)).parameters["served_by"] == ROLES[not begins_safe]


def test_state_of_the_compressed_model_is_unmonitored_in_safe_mode(bench: GatewayHarness) -> None:
    """The answer says so, and the metric counts it; in normal mode, and with a fresh state, it is as any other."""
    answer = ask(bench, chunk(0))
    assert "monitored" not in ask(bench, chunk(1, answer.outputs["stateN"])).parameters
    bench.safe("m", MODEL_SCOPE)
    told = ask(bench, chunk(2, answer.outputs["stateN"])).parameters
    assert (told["served_by"], told["monitored"], told["fault"]) == ("compressed", False, OWNED_STATE)
    assert "monitored" not in ask(bench, chunk(3)).parameters
    NotComparableCount(bench.pairs, bench.metrics).update()
    labels = {"model": "m", "role": "compressed", "reason": OWNED_STATE}
    assert bench.metrics.total("unmonitored_answers", **labels) == 1


@pytest.mark.parametrize("with_parameter", [False, True])
def test_state_of_a_model_that_is_not_qualified_is_unknown(bench: GatewayHarness, *, with_parameter: bool) -> None:
    """The baseline goes on with it, and its own states stay with it; the compressed model answers nothing."""
    state = ask(bench, chunk(0)).outputs["stateN"]
    bench.engine.router.set_unqualified("m", "expired on 2026-01-01")
    answer = ask(bench, chunk(1, state), **({"state_of": "compressed"} if with_parameter else {}))
    told = answer.parameters
    assert (told["served_by"], told["state_of"], told["state_unknown"]) == ("baseline", "baseline", True)
    assert not {"monitored", "fault"} & told.keys()
    after = ask(bench, chunk(2, answer.outputs["stateN"])).parameters
    assert (after["served_by"], "state_unknown" in after) == ("baseline", False)
    bench.engine.router.set_unqualified("m", "")
    assert ask(bench, chunk(3, state)).parameters["served_by"] == "compressed"


def test_unknown_state_is_routed_and_told(tmp_path: Path, bench: GatewayHarness) -> None:
    """Such as one that another gateway's answer had, without its parameter; with it, the state is known."""
    state = ask(GatewayHarness(tmp_path, {"m": voice(tmp_path)}), chunk(0)).outputs["stateN"]
    bench.safe("m", MODEL_SCOPE)
    told = ask(bench, chunk(1, state), state_of="somebody").parameters
    assert (told["served_by"], told["state_unknown"], told["state_of"]) == ("baseline", True, "baseline")
    known = ask(bench, chunk(1, state), state_of="compressed").parameters
    assert (known["served_by"], "state_unknown" in known) == ("compressed", False)


def test_rows_of_two_roles_have_no_owner(bench: GatewayHarness) -> None:
    """One run cannot be of both models; rows with fresh states go with the others."""
    one = ask(bench, chunk(0)).outputs["stateN"]
    bench.safe("m", MODEL_SCOPE)
    other = ask(bench, chunk(7)).outputs["stateN"]
    both = ask(bench, chunk(1, np.concatenate([one, other], 1), 2)).parameters
    assert (both["served_by"], both["state_unknown"]) == ("baseline", True)
    mixed = ask(bench, chunk(1, np.concatenate([one, np.zeros_like(one)], 1), 2)).parameters
    assert (mixed["served_by"], "state_unknown" in mixed) == ("compressed", False)


def test_sixteen_callers_are_each_answered_by_their_own_role(tmp_path: Path, bench: GatewayHarness) -> None:
    """In one batch, with their own rows; so they are over every transport."""
    owners, states = [], []
    for n in range(16):
        bench.safe("m", *[MODEL_SCOPE] * (n % 2))
        answer = ask(bench, chunk(n, rows=1 + n % 3))
        owners.append(answer.parameters["served_by"])
        states.append(answer.outputs["stateN"])
    every = [chunk(n + 50, state, 1 + n % 3) for n, state in enumerate(states)]
    models = {"baseline": OnnxModel(tmp_path / "b.onnx"), "compressed": OnnxModel(tmp_path / "c.onnx")}
    for answer, owner, tensors in zip(together(bench, every), owners, every, strict=True):
        assert answer.parameters["served_by"] == owner
        for name, output in models[str(owner)].run(tensors, ["probabilities", "stateN"]).items():
            np.testing.assert_allclose(answer.outputs[name], output, rtol=1e-5)
    for found in everywhere(bench, every[0]):
        np.testing.assert_allclose(
            found["stateN"], models[str(owners[0])].run(every[0], ["stateN"])["stateN"], rtol=1e-5
        )


@pytest.mark.parametrize("binary", [False, True])
def test_states_are_known_after_a_transport(bench: GatewayHarness, *, binary: bool) -> None:
    """JSON writes floats so that they are read as they were."""
    state = None
    for seed in range(3):
        tensors = chunk(seed, state)
        found = over_http(bench, tensors, binary=binary)
        state = found["stateN"]
        bench.safe("m", MODEL_SCOPE)
    assert "state_unknown" not in ask(bench, chunk(9, state)).parameters


def sampled(bench: GatewayHarness, requests: Sequence[dict[str, Tensor]]) -> int:
    """The samples of these requests."""
    pair = bench.pairs["m"]
    asked = [InferRequest(f"s{n}", {}, one, (), binary_default=False) for n, one in enumerate(requests)]
    answer_together(bench.engine, "m", [pair.rows_first(request) for request in asked])
    bench.engine.sample_answers()
    return len(bench.published()[0])


def test_only_fresh_states_are_compared(bench: GatewayHarness) -> None:
    """The others are counted, not sampled, and nothing is an error."""
    NotComparableCount(bench.pairs, bench.metrics)
    used = np.full((2, 1, 8), 0.5, np.float32)
    half = np.concatenate([used, np.zeros_like(used)], 1)
    assert sampled(bench, [chunk(0), chunk(1, used), chunk(2, half, 2), chunk(3)]) == 2
    assert bench.count("not_comparable", model="m") == 2


def test_first_past_is_fresh(tmp_path: Path) -> None:
    """A state without entries has no owner; one with entries has one."""
    files = {"baseline": remembering(tmp_path / "b.onnx"), "compressed": remembering(tmp_path / "c.onnx", 0.05)}
    section = {"decision": {"output": "p"}, "state_tensors": {"present": "past"}, "probe": {"seconds": 60}}
    bench = GatewayHarness(tmp_path, {"m": {**files, **section}})
    past = np.zeros((1, 0, 3), np.float32)
    for _ in range(3):
        answer = ask(bench, {"x": np.ones((1, 4), np.float32), "past": past})
        assert (answer.parameters["served_by"], "state_unknown" in answer.parameters) == ("compressed", False)
        past = answer.outputs["present"]
        bench.safe("m", MODEL_SCOPE)
    fresh = ask(bench, {"x": np.ones((1, 4), np.float32), "past": np.zeros((1, 0, 3), np.float32)})
    assert fresh.parameters["served_by"] == "baseline"


def test_answer_without_its_state_has_an_owner_by_the_parameter_only(bench: GatewayHarness) -> None:
    """A caller that did not ask for the state cannot send it."""
    pair = bench.pairs["m"]
    names = (OutputRequest("probabilities", binary=False),)
    answer = bench.engine.infer(pair, pair.rows_first(InferRequest(None, {}, chunk(0), names, binary_default=False)))
    assert list(answer.outputs) == ["probabilities"]
    assert answer.parameters["state_of"] == "compressed"


def _asked(*names: str) -> list[Any]:
    from tightrope.service.protocol.rest import OutputRequest

    return [OutputRequest(name, binary=False) for name in names]


def test_owned_requests_are_neither_rationed_nor_escalated(tmp_path: Path) -> None:
    """The other model does not know their state."""
    refusal = {"score": "max_probability", "threshold": 0.999999, "action": "escalate"}
    bench = GatewayHarness(tmp_path, {"m": voice(tmp_path, refusal=refusal, fallback_seconds=0.001)})
    first = ask(bench, chunk(0), state_of="compressed")
    assert first.parameters["served_by"] == "baseline"  # escalated, with a fresh state
    state = np.full((2, 1, 8), 0.1, np.float32)
    owned = ask(bench, chunk(1, state), state_of="compressed").parameters
    assert (owned["served_by"], owned["refused"]) == ("compressed", True)
    assert "escalated" not in owned


def test_pair_without_states_has_none(tmp_path: Path) -> None:
    """Its requests are not looked at."""
    section = voice(tmp_path)
    section.pop("state_tensors")
    pair: ModelPair = pair_of(tmp_path, **section)
    assert pair.states is None
    assert Role.BASELINE in pair.models
