"""The wiring: every mistake of every model before anything starts, and parts that start and stop in order."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from tests.support.servers import serving, write_config
from tests.support.serving.fake_oip_server import certain, far
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import body, eventually, kept, settings_of
from tightrope.monitors.records import Routes
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import CONTROL, SAMPLES, topic
from tightrope.service.adapters.wire.record_codec import decode_samples, encode_routes
from tightrope.service.app import build_service, load_model, load_pairs
from tightrope.service.config.loader import ConfigError, load
from tightrope.service.inference.autotune import Pace, learn
from tightrope.service.inference.model_pair import build


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


def test_service_starts_and_stops_with_what_waits(tmp_path: Path) -> None:
    """Requests are answered, modes are followed, and the last sample is published before the end."""
    settings = settings_of(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    bus, metrics = MemoryBus(), Metrics(CollectorRegistry())
    nothing: Any = None
    service = build_service(settings, load_pairs(settings), {"m": Pace()}, bus, nothing, nothing, nothing, metrics)
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
    assert decode_samples(record.value).request_id == ("last",)


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
        assert not learn(pair).is_short(1)
        assert "POST /v2/models/m/infer" not in server.asked
