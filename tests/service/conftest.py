"""A server that all service tests over HTTP share."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.configs import TOKEN, write_config
from tests.support.servers import Server, serving
from tests.support.serving.asgi_harness import InnerApp, LayerHarness, admission
from tests.support.serving.model_pairs import CALM, all_pairs, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness
from tightrope.service.transport.http.asgi import InferLayer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real `tightrope run` with every pair of `model_pairs.all_pairs`. A pair that fails on every row is not
    blind within a day: the tests that share it take longer than a minute.
    """
    folder: Path = tmp_path_factory.mktemp("server")
    (folder / "reviewer.token").write_text(TOKEN)
    pairs = all_pairs(folder)
    pairs["plain"]["review"] = {"reviewers": {"ana": "reviewer.token"}}
    sections = {"server": {"port": 0, "grpc_port": 0}, "safe_mode": {"blind_seconds": 86_400}}
    with serving(write_config(folder, {"models": pairs, "state": "state", **sections})) as running:
        yield running


@pytest.fixture
def client(server: Server) -> httpx.Client:
    """The shared server's client."""
    return server.client


@pytest.fixture
def world(tmp_path: Path) -> LayerHarness:
    """A fast pair, and bodies of at most MAX_BODY_BYTES bytes."""
    bench, inner = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}}), InnerApp()
    return LayerHarness(bench, inner, InferLayer(lambda: inner, bench.responder(), admission()))
