"""Labels in a cluster: pending rows and labels survive the judge that held them."""

import time
from pathlib import Path

import pytest

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_on, get_page, wait_until
from tests.support.configs import TOKEN
from tests.support.harmful_pair import traffic
from tightrope.demo.broker import Broker
from tightrope.monitors.label_records import Label
from tightrope.service.adapters.topics import LABELS, topic
from tightrope.service.adapters.wire.record_codec import encode_labels
from tightrope.service.config.loader import TOKEN_VARIABLE
from tightrope.wiring import shadow_processes

HORIZON = 3600.0


def test_labels_are_joined_after_the_judge_was_killed(kafka: Broker, tmp_path: Path) -> None:
    """Rows and labels may come in either order and to different judges: every label is joined once, and a repeated one
    is a duplicate.
    """
    with cluster_on(tmp_path, kafka.address, labels={"horizon_seconds": HORIZON}) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        worker = cluster.start(shadow_processes.worker)
        with cluster.process("judge") as first:
            wait_until(lambda: gateway.has_modes)
            gateway.ask(traffic(60, harm=False))
            wait_until(lambda: cluster.judged() == 60)
            cluster.stop(worker)
            gateway.ask(traffic(20, harm=False))  # these wait for a worker, and their labels wait for them
            _tell(cluster, gateway, range(20))
            _tell(cluster, gateway, range(60, 70))
            wait_until(lambda: _labels(cluster) == {"joined": 20})
            time.sleep(3.0)  # the state of labels is in the snapshot or in the log
            first.kill()
        second = cluster.start(shadow_processes.judge)
        cluster.start(shadow_processes.worker)
        _tell(cluster, gateway, range(20, 60))
        _tell(cluster, gateway, range(5))
        wait_until(lambda: cluster.judged() == 80)
        _tell(cluster, gateway, range(70, 80))
        wait_until(lambda: _labels(cluster) == {"joined": 80, "duplicate": 5})
        cluster.stop(second)


def test_judge_lists_the_rows_to_label(kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On its own port, with the control token; a row whose label came waits no more."""
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    with cluster_on(tmp_path, kafka.address, labels={"horizon_seconds": HORIZON}) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        cluster.start(shadow_processes.worker)
        judge = cluster.start(shadow_processes.judge).app
        wait_until(lambda: gateway.has_modes)
        gateway.ask(traffic(30, harm=True))
        wait_until(lambda: cluster.judged() == 30)

        def listed() -> list[str]:
            answer = get_page(judge, "/v1/models/m/labels", token=TOKEN)
            return [row["id"] for row in answer.json()["rows"] if row["probability"] == 1.0]

        waiting = listed()
        assert waiting
        assert {*waiting} <= {*gateway.ids}
        _tell(cluster, gateway, range(30))
        wait_until(lambda: listed() == [])
        assert get_page(judge, "/v1/models/m/labels").status_code == 401


def _tell(cluster: Cluster, gateway: ClusterGateway, which: range) -> None:
    """Send the labels of some requests."""
    labels = [Label("m", gateway.ids[number], 0, 0, time.time()) for number in which]
    with cluster.bus() as bus:
        bus.publish(topic(LABELS), encode_labels(labels), "m")
        bus.flush(10.0)


def _labels(cluster: Cluster) -> dict[str, int]:
    """Return the outcomes of labels, from the judges' snapshots."""
    state = cluster.state()
    return {name: count for name, count in state.labels.items() if count} if state else {}
