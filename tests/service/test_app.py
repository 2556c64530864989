"""The wiring: every mistake of every model before anything starts, and parts that start and stop in order."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from prometheus_client import CollectorRegistry

from monitors.records import Role, Routes, Tensors
from service.adapters.memory import MemoryBus
from service.adapters.metrics import Metrics
from service.adapters.onnx import OnnxModel
from service.adapters.ports import RunFailedError
from service.adapters.topics import CONTROL, SAMPLES, topic
from service.adapters.wire import decode_samples, encode_routes
from service.app import SLOW_SECONDS, build_service, is_slow, load_model, load_pairs
from service.pair import build
from service.settings import ConfigError, load
from service.tensors import TensorSpec
from tests.far import certain, far
from tests.servers import serving, write_config
from tests.service.models import CALM, ONNX_TYPES, copier, save, sure_and_unsure
from tests.service.support import body, eventually, kept, pair_of, settings_of


class Sleepy:
    """A model that takes its time for every row of zeros, and remembers the shapes it was given."""

    digest = "0" * 64
    inputs = (TensorSpec("x", "FP32", (-1, 3)), TensorSpec("t", "BYTES", (2, -1)))
    outputs = (TensorSpec("p", "FP32", (-1, 2)),)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.seen: list[dict[str, tuple[Any, ...]]] = []

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Sleep."""
        self.seen.append({name: (tensor.dtype.char, tensor.shape) for name, tensor in inputs.items()})
        time.sleep(self.seconds)
        return dict.fromkeys(outputs, np.array([[0.5, 0.5]]))


def test_mistakes_of_all_models_are_told_at_once(tmp_path: Path) -> None:
    """A good one among them does not hide the others."""
    files = sure_and_unsure(tmp_path)
    models = {
        "good": files,
        "one": {**files, "baseline": "nope.onnx"},
        "two": {**files, "decision": {"output": "x"}, "sampling": {"floors": {"a=b": 1}}},
    }
    with pytest.raises(ConfigError) as caught:
        load_pairs(settings_of(tmp_path, models))
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "models.one.baseline",
        "models.two.decision.output",
        "models.two.sampling.floors.a=b",
    ]


def test_pairs_are_loaded_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Which is the order in which they are shown."""
    sure_and_unsure(tmp_path)
    path = tmp_path / "tightrope.yaml"
    files = "{baseline: sure.onnx, compressed: unsure.onnx}"
    path.write_text(f"models: {{z: {files}, a: {files}, m: {files}}}")
    pairs = load_pairs(load(path, {}))
    assert list(pairs) == ["z", "a", "m"]
    assert [pair.name for pair in pairs.values()] == ["z", "a", "m"]


@pytest.mark.parametrize("role", Role)
def test_pair_is_slow_when_either_model_is(tmp_path: Path, role: Role) -> None:
    """The event loop waits for whichever answers."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    object.__setattr__(pair, "models", {role: Sleepy(2 * SLOW_SECONDS), role.other: Sleepy(0)})
    assert is_slow(pair)


def test_models_are_tried_with_one_row_of_their_own_datatypes(tmp_path: Path) -> None:
    """Free dimensions are one, fixed ones what they are."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    fast = Sleepy(0)
    object.__setattr__(pair, "models", dict.fromkeys(Role, fast))
    assert not is_slow(pair)
    assert fast.seen
    assert all(seen == {"x": ("f", (1, 3)), "t": ("O", (2, 1))} for seen in fast.seen)


@pytest.mark.parametrize("datatype", ONNX_TYPES)
def test_every_datatype_can_be_tried(tmp_path: Path, datatype: str) -> None:
    """A small model is fast, whatever it takes."""
    path = str(copier(tmp_path / "c.onnx", "rows", 2, kind=ONNX_TYPES[datatype]))
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    object.__setattr__(pair, "models", dict.fromkeys(Role, OnnxModel(Path(path))))
    object.__setattr__(pair, "output", "output")
    assert not is_slow(pair)


def test_model_that_refuses_zeros_counts_as_slow(tmp_path: Path) -> None:
    """Nobody knows how long it takes: it may not hold up the event loop."""
    nodes = [
        helper.make_node("Add", ["input", "five"], ["shifted"]),
        helper.make_node("Cast", ["shifted"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["output"]),
    ]
    path = save(
        tmp_path / "z.onnx",
        nodes,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["rows"])],
        [
            numpy_helper.from_array(np.array([5.0], np.float32), "five"),
            numpy_helper.from_array(np.array([0.1, 0.9], np.float32), "table"),
        ],
    )
    pair = pair_of(tmp_path, baseline=str(path), compressed=str(path))
    with pytest.raises(RunFailedError):
        pair.models[Role.BASELINE].run({"input": np.zeros(1, np.float32)}, ["output"])
    assert is_slow(pair)


def test_service_starts_and_stops_with_what_waits(tmp_path: Path) -> None:
    """Requests are answered, modes are followed, and the last sample is published before the end."""
    settings = settings_of(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    bus, metrics = MemoryBus(), Metrics(CollectorRegistry())
    nothing: Any = None
    service = build_service(settings, load_pairs(settings), {"m": False}, bus, nothing, nothing, nothing, metrics)
    samples = bus.subscribe(topic(SAMPLES))
    service.start()
    bus.publish(topic(CONTROL), encode_routes(Routes("m", 1, ("model",), {"model": "safe"})), "m")
    eventually(lambda: service.gateway.router.routes("m").epoch == 1)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://test") as client:
            return await client.post("/v2/models/m/infer", json=body([[0.0, 1.0]], id="last"))

    answer = asyncio.run(ask())
    service.stop(10.0)
    assert answer.json()["parameters"]["served_by"] == "baseline"
    (record,) = samples.poll(10, 0.0)
    assert [sample.request_id for sample in decode_samples(record.value)] == ["last"]


def test_restarted_server_keeps_the_same_requests(tmp_path: Path) -> None:
    """Another process, with other random seeds, samples as the one before and as a gateway in this process."""
    ids = [f"request-{number}" for number in range(60)]
    models = {"m": {**sure_and_unsure(tmp_path), **CALM, "sampling": {"rate": 0.3}}}
    expected = kept(tmp_path, ids, {"rate": 0.3})
    config = write_config(tmp_path, {"models": models})
    for seed in ("1", "2"):
        seen = []
        with serving(config, {"PYTHONHASHSEED": seed}) as server:
            count = 0
            for request_id in ids:
                server.client.post("/v2/models/m/infer", json=body([[0.0, 1.0]], id=request_id))
                now = server.client.get("/v1/models/m").json()["sampling"]["kept"]
                seen += [request_id] * (now - count)
                count = now
        assert seen == [request_id for request_id in ids if request_id in expected]


def test_pair_with_a_model_elsewhere_waits_in_threads(tmp_path: Path) -> None:
    """However fast that server is today; and its token is read from the file that the settings name."""
    with far() as server:
        server.pages["POST /v2/models/m/infer"] = certain
        role = {"endpoint": server.address, "model": "m", "token_file": "token"}
        files = sure_and_unsure(tmp_path)
        with pytest.raises(ConfigError, match=r"models\.m\.baseline: token_file: .*No such file"):
            build("m", settings_of(tmp_path, {"m": {**files, "baseline": role, **CALM}}), load_model)
        (tmp_path / "token").write_text("secret\n")
        pair = build("m", settings_of(tmp_path, {"m": {**files, "baseline": role, **CALM}}), load_model)
        assert server.headers[-1]["authorization"] == "Bearer secret"
        assert is_slow(pair)
        assert "POST /v2/models/m/infer" not in server.asked
