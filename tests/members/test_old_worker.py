"""Gateways and a judge of this release beside a worker of the first one, on samples that it cannot read or run."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_of, get_page, wait_until, write_config_on
from tests.support.harmful_pair import HARM, config, traffic
from tests.support.members.member import Member
from tests.support.members.releases import first_release, limits_of_first_release
from tests.support.observability.firing import firing
from tightrope.demo.broker import Broker
from tightrope.monitors.records import Fault
from tightrope.wiring import shadow_processes

pytestmark = pytest.mark.upgrades

BLIND_SECONDS = 4.0
LIMIT_SECONDS = 2 * BLIND_SECONDS
"""The longest time for which a harmful model may answer: `safe_mode.silent_seconds`."""

OLD_WORKER = {"limits", "subgroup_limits", "subgroups", "baseline", "compressed"}
"""The settings of a model that both releases know."""

Change = Callable[[dict[str, Any]], dict[str, Any]]


def half(model: dict[str, Any]) -> dict[str, Any]:
    """Make both files FP16: this release takes FP32 for them, and its samples carry that."""
    from onnxruntime.transformers.float16 import convert_float_to_float16  # it needs seconds

    for role in ("baseline", "compressed"):
        onnx.save(convert_float_to_float16(onnx.load(model[role])), model[role])
    return model


def positions(model: dict[str, Any]) -> dict[str, Any]:
    """Give it a kind whose samples carry readings in place of the output."""
    return model | {"decision": {"kind": "positions", "threshold": 0.5}}


@contextmanager
def beside_an_old_worker(folder: Path, broker: Broker, change: Change) -> Iterator[tuple[Cluster, Member]]:
    """A gateway's and a judge's configuration, and a worker of the first release on the same topics and files."""
    whole = config(folder)
    whole["safe_mode"]["blind_seconds"] = BLIND_SECONDS
    new = change(whole["models"]["m"])
    path = write_config_on(broker.address, folder, whole | {"models": {"m": new}})
    with cluster_of(path) as cluster:
        (folder / "old").mkdir()
        old = limits_of_first_release({name: value for name, value in new.items() if name in OLD_WORKER})
        prefix = {"prefix": cluster.prefix}
        old_path = write_config_on(broker.address, folder / "old", whole | {"models": {"m": old}}, prefix)
        cluster.make_topics()
        worker = Member("worker", first_release(), old_path, folder / "worker.log")
        try:
            worker.wait_ready()
            yield cluster, worker
        finally:
            worker.kill()


def harmed_seconds(gateway: ClusterGateway, seconds: float) -> float:
    """Send rows that the compressed model fails; returns after how many seconds it gave its last answer."""
    rows = traffic(4, harm=False)
    rows[:, HARM] = 1.0
    began, last = time.monotonic(), 0.0
    while (now := time.monotonic() - began) < seconds:
        if any(answer.parameters["served_by"] == "compressed" for answer in gateway.ask(rows)):
            last = now
        time.sleep(0.05)
    return last


def served_by_compressed(gateway: ClusterGateway) -> bool:
    """Whether the compressed model answers healthy rows."""
    return all(answer.parameters["served_by"] == "compressed" for answer in gateway.ask(traffic(4, harm=False)))


@pytest.mark.parametrize("change", [half, positions])
def test_samples_that_an_old_worker_cannot_compare(kafka: Broker, tmp_path: Path, change: Change) -> None:
    """It lives, each row is parked or has a fault, and the baseline answers after the limit, with an alert. A worker of
    this release ends that.
    """
    with beside_an_old_worker(tmp_path, kafka, change) as (cluster, worker):
        cluster.start(shadow_processes.judge)
        gateway = cluster.gateway()
        wait_until(lambda: gateway.has_modes)
        before = get_page(gateway.app, "/metrics").text
        assert harmed_seconds(gateway, 2 * LIMIT_SECONDS) <= LIMIT_SECONDS
        assert "TightropeBlind" in firing(before, get_page(gateway.app, "/metrics").text)
        assert worker.process.poll() is None, worker.log.read_text()[-2000:]
        if change is positions:
            wait_until(lambda: any("probabilities" in reason for reason in cluster.dead()))
            assert not cluster.batches()
        else:
            wait_until(lambda: bool(cluster.batches()))
            assert all((batch.fault == Fault.RUN_FAILED).all() for batch in cluster.batches())
        assert worker.stop() == 0
        cluster.start(shadow_processes.worker)
        wait_until(lambda: served_by_compressed(gateway))
