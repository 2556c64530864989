"""The wiring: errors of all models at once, and start and stop of the service."""

import asyncio
import time
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from tests.support.configs import write_config
from tests.support.servers import serving
from tests.support.serving.fake_oip_server import class_zero, fake_server
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import DRAW_KEY, body, eventually, settings_of
from tightrope.monitors.intake.sampling import SECRET_BYTES, input_digest
from tightrope.monitors.records import Routes
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import CONTROL, SAMPLES, topic
from tightrope.service.adapters.wire.heartbeat import HEARTBEAT_KEY, Heartbeat, encode_heartbeat
from tightrope.service.adapters.wire.record_codec import decode_samples, encode_routes
from tightrope.service.app import build_service, load_pairs
from tightrope.service.config.loader import ConfigError, load
from tightrope.service.inference.autotune import RunProfile, measure_profile
from tightrope.service.inference.loading.pair_building import build
from tightrope.service.inference.loading.pair_loading import load_model


def test_errors_of_all_models_are_reported_at_once(tmp_path: Path) -> None:
    """A valid model among them does not hide the others."""
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
    """It is the order of the status, too."""
    sure_and_unsure(tmp_path)
    path = tmp_path / "tightrope.yaml"
    files = "{baseline: sure.onnx, compressed: unsure.onnx}"
    path.write_text(f"models: {{z: {files}, a: {files}, m: {files}}}")
    pairs = load_pairs(load(path, {}))
    assert list(pairs) == ["z", "a", "m"]
    assert [pair.name for pair in pairs.values()] == ["z", "a", "m"]


def test_stop_publishes_the_waiting_samples(tmp_path: Path) -> None:
    """A started service answers requests and follows modes."""
    settings = settings_of(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    bus, metrics = MemoryBus(), Metrics(CollectorRegistry())
    unused: Any = None
    service = build_service(settings, load_pairs(settings), {"m": RunProfile()}, bus, unused, unused, unused, metrics)
    samples = bus.subscribe(topic(SAMPLES))
    service.start()
    bus.publish(topic(CONTROL), encode_routes(Routes("m", 1, ("model",), {"model": "safe"})), "m")
    eventually(lambda: service.engine.router.routes("m").epoch == 1)

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://test") as client:
            return await client.post("/v2/models/m/infer", json=body([[0.0, 1.0]], id="last"))

    answer = asyncio.run(call())
    service.stop(10.0)
    assert answer.json()["parameters"]["served_by"] == "baseline"
    (record,) = samples.poll(10, 0.0)
    assert decode_samples(record.value).request_id == ("last",)


@pytest.mark.parametrize(("readiness", "status"), [("serving", 200), ("strict", 503)])
def test_gateway_of_a_cluster_waits_for_the_word_of_a_judge(tmp_path: Path, readiness: str, status: int) -> None:
    """Until then the baseline answers; where the operator asks for it, the gateway is not ready, and says why."""
    models = {"m": {**sure_and_unsure(tmp_path), **CALM}}
    settings = settings_of(tmp_path, models, server={"port": 0, "readiness": readiness})
    bus, metrics = MemoryBus(), Metrics(CollectorRegistry())
    pairs, unused = load_pairs(settings), cast("Any", None)
    plan = pairs["m"].plan.coverage
    service = build_service(settings, pairs, {"m": RunProfile()}, bus, unused, unused, unused, metrics, 0.0)

    def ready() -> httpx.Response:
        async def get() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://test") as client:
                return await client.get("/v2/health/ready")

        return asyncio.run(get())

    bus.publish(topic(CONTROL), encode_routes(Routes("m", 1, (), {"model": "normal"}, plan=plan)), "m")
    service.start()
    eventually(lambda: service.control.caught_up.is_set() and service.engine.router.routes("m").epoch == 1)
    answer = ready()
    assert answer.status_code == status
    reason = "blind: no judge of this plan has been heard since the start, the baseline answers"
    assert answer.json() == {"ready": status == 200, "models": {"m": reason}}
    for clock in (1.0, 2.0):
        heartbeat = Heartbeat("m", "a judge", clock, 0, plan=plan)
        bus.publish(topic(CONTROL), encode_heartbeat(heartbeat), f"m{HEARTBEAT_KEY}")
    eventually(lambda: not service.engine.router.blindness("m"))
    assert ready().json() == {"ready": True}
    service.stop(10.0)


@pytest.mark.parametrize("safe_mode", [{"when_silent": "stay"}, {"silent_seconds": 0}, {"silent_seconds": 5}])
def test_allowed_silence_is_told_as_a_risk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, safe_mode: dict[str, Any]
) -> None:
    """In the log of each gateway of a cluster."""
    settings = settings_of(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}}, safe_mode=safe_mode)
    metrics, unused = Metrics(CollectorRegistry()), cast("Any", None)
    pairs = load_pairs(settings)
    build_service(settings, pairs, {"m": RunProfile()}, MemoryBus(), unused, unused, unused, metrics, 0.0)
    assert ("the modes stay when a judge falls silent" in caplog.text) is (safe_mode != {"silent_seconds": 5})


def test_restarted_server_samples_the_same_requests(tmp_path: Path) -> None:
    """Processes with other hash seeds and one secret sample as the formula says; the secret is in no response."""
    ids = [f"request-{number}" for number in range(60)]
    models = {"m": {**sure_and_unsure(tmp_path), **CALM, "sampling": {"rate": 0.3}}}
    digest, secret = input_digest({"input": np.array([[0.0, 1.0]], np.float32)}), bytes(range(SECRET_BYTES)).hex()
    config = write_config(tmp_path, {"models": models})
    for seed in ("1", "2"):
        seen = []
        began = time.time()
        with serving(config, {"PYTHONHASHSEED": seed, "TIGHTROPE_DRAW_SECRET": secret}) as server:
            count = 0
            for request_id in ids:
                server.client.post("/v2/models/m/infer", json=body([[0.0, 1.0]], id=request_id))
                now = server.client.get("/v1/models/m").json()["sampling"]["kept"]
                seen += [request_id] * (now - count)
                count = now
            assert secret not in server.client.get("/metrics").text
        expected = [[i for i in ids if DRAW_KEY.draw("m", at_, i, digest) < 0.3] for at_ in (began, time.time())]
        assert seen in expected or expected[0] != expected[1], "a new era may have begun between"


def test_pair_with_an_endpoint_runs_in_threads(tmp_path: Path) -> None:
    """For any speed of the server; its token is read from the configured file."""
    with fake_server() as server:
        server.pages["POST /v2/models/m/infer"] = class_zero
        role = {"endpoint": server.address, "model": "m", "token_file": "token"}
        files = sure_and_unsure(tmp_path)
        with pytest.raises(ConfigError, match=r"models\.m\.baseline: token_file: .*No such file"):
            build("m", settings_of(tmp_path, {"m": {**files, "baseline": role, **CALM}}), load_model)
        (tmp_path / "token").write_text("secret\n")
        pair = build("m", settings_of(tmp_path, {"m": {**files, "baseline": role, **CALM}}), load_model)
        assert server.headers[-1]["authorization"] == "Bearer secret"
        probed = len(server.requests)
        assert not measure_profile(pair).is_short(1)
        assert len(server.requests) == probed, "its speed is not measured"
