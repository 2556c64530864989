"""Logs that went back on a real broker: topics made anew, lost snapshots, positions beyond the end, a deleted group.

Every member runs in this process, and looks at the topics every second. Where what the judges know refers to a log that
is gone, every scope begins again in safe mode, and the student that fails marked rows answers no request. The minimum
dwell is longer than each test.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from kafka import KafkaAdminClient

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_on, get_page, wait_until
from tests.support.harmful_pair import traffic
from tightrope.demo.broker import Broker
from tightrope.monitors.plan import State
from tightrope.monitors.records import Event, Role
from tightrope.monitors.safemode import ModeState
from tightrope.service.adapters.kafka.snapshot_store import decode_snapshot, encode_snapshot
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, EVENTS, SAMPLES, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.api import orders
from tightrope.shadow.migration import FRESH, LOG_WENT_BACK
from tightrope.wiring import shadow_processes, topic_watch
from tightrope.wiring.cluster import ClusterProcess
from tightrope.wiring.topics import kafka_options

TOKEN = "t" * 32
BLIND_SECONDS = 4.0
LOOK_SECONDS = 1.0
MOST_HARMED_SECONDS = BLIND_SECONDS + LOOK_SECONDS + 2.0
"""Time for which harmful answers may go on after a log went back: the limit, one look, and a busy machine."""


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIGHTROPE_CONTROL_TOKEN", TOKEN)
    monkeypatch.setattr(topic_watch, "TOPICS_CHECK_SECONDS", LOOK_SECONDS)
    monkeypatch.setattr(topic_watch, "TOPICS_RETRY_SECONDS", LOOK_SECONDS / 2)
    monkeypatch.setattr(orders, "CONFIRMATION_SECONDS", 60.0)  # a judge on a busy machine


@contextmanager
def sighted(kafka: Broker, folder: Path) -> Iterator[tuple[Cluster, ClusterGateway, ClusterProcess, ClusterProcess]]:
    """A cluster, its gateway, worker and judge, with enough sound rows judged for the student to answer."""
    with cluster_on(folder, kafka.address, blind_seconds=BLIND_SECONDS) as cluster:
        policy = cluster.settings.safe_mode.model_copy(update={"min_dwell_seconds": 300.0})
        cluster.settings = cluster.settings.model_copy(update={"safe_mode": policy})
        cluster.make_topics()
        gateway = cluster.gateway()
        worker, judge = cluster.start(shadow_processes.worker), cluster.start(shadow_processes.judge)
        wait_until(lambda: gateway.has_modes)
        gateway.ask(traffic(200, harm=False))
        wait_until(lambda: cluster.judged() >= 200)
        wait_until(lambda: served_by(gateway) == {Role.COMPRESSED})
        yield cluster, gateway, worker, judge


def served_by(gateway: ClusterGateway, *, harm: bool = False) -> set[object]:
    """Ask for a few rows and return the roles that answered."""
    return {answer.parameters["served_by"] for answer in gateway.ask(traffic(6, harm=harm))}


def make_anew(cluster: Cluster, name: str) -> None:
    """Delete a topic and create it again, empty and with another id."""
    full = cluster.prefix + topic(name)
    with closing(KafkaAdminClient(bootstrap_servers=kafka_options(cluster.settings).servers)) as admin:
        admin.delete_topics([full])
        wait_until(lambda: full not in admin.list_topics())
    cluster.make_topics()


def resets(part: ClusterProcess, name: str, reason: str) -> float:
    """The metric of the alert on a member's own page."""
    series = f'tightrope_log_resets_total{{reason="{reason}",topic="{topic(name)}"}} '
    page = get_page(part.app, "/metrics").text
    return next((float(line.removeprefix(series)) for line in page.splitlines() if line.startswith(series)), 0.0)


def events(cluster: Cluster, kind: str) -> list[Event]:
    """The events of a kind in the audit trail."""
    found = [record_codec.decode_event(record.value) for record in cluster.records(EVENTS)]
    return [event for event in found if event.kind == kind]


def state(cluster: Cluster) -> State:
    """The latest saved state."""
    found = cluster.state()
    assert found is not None
    return found


def is_safe(gateway: ClusterGateway) -> bool:
    """Whether the judges have every scope in safe mode, as this gateway has read it."""
    routes = gateway.gateway.router.routes("m")
    return routes.epoch >= 0 and set(routes.states.values()) == {ModeState.SAFE}


def wait_for_baseline(gateway: ClusterGateway) -> None:
    """Send harmful rows until the baseline answers all of them, within the limit."""
    began = time.monotonic()
    while served_by(gateway, harm=True) != {Role.BASELINE}:
        assert time.monotonic() - began < MOST_HARMED_SECONDS, "the student goes on answering"
        time.sleep(0.1)


def order(gateway: ClusterGateway, kind: str, scope: str = "model") -> dict[str, Any]:
    """Give an order at the gateway's own door, and return its answer."""

    async def post() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway.app), base_url="http://part") as client:
            body = {"scope": scope, "reason": "as a test", "actor": "ann"}
            return await client.post(f"/v1/models/m/{kind}", json=body, headers={"Authorization": f"Bearer {TOKEN}"})

    response = asyncio.run(post())
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_comparisons_made_anew_with_the_judge_restarted(kafka: Broker, tmp_path: Path) -> None:
    """The judge neither waits for its old offset nor trusts what it knew."""
    with sighted(kafka, tmp_path) as (cluster, gateway, _, judge):
        before = state(cluster).epoch
        cluster.stop(judge)
        make_anew(cluster, COMPARISONS)
        again = cluster.start(shadow_processes.judge)
        wait_until(lambda: is_safe(gateway))
        assert served_by(gateway, harm=True) == {Role.BASELINE}
        assert [event.detail for event in events(cluster, LOG_WENT_BACK)] == [
            {"topic": topic(COMPARISONS), "cause": "made_anew"}
        ]
        assert state(cluster).epoch > before
        assert resets(again, COMPARISONS, "made_anew") == 1
        gateway.ask(traffic(60, harm=False))
        wait_until(lambda: cluster.judged() >= 60)


@pytest.mark.parametrize("name", [COMPARISONS, SAMPLES])
def test_topic_made_anew_under_running_members(kafka: Broker, tmp_path: Path, name: str) -> None:
    """They notice it themselves: harmful rows are answered no longer than the limit, and rows are judged again."""
    with sighted(kafka, tmp_path) as (cluster, gateway, worker, judge):
        make_anew(cluster, name)
        wait_for_baseline(gateway)
        wait_until(lambda: is_safe(gateway))
        assert events(cluster, LOG_WENT_BACK)[-1].detail == {"topic": topic(name), "cause": "made_anew"}
        wait_until(lambda: all(resets(part, name, "made_anew") for part in (gateway.part, worker, judge)))
        judged = cluster.judged()
        gateway.ask(traffic(60, harm=False, seed=1))
        wait_until(lambda: cluster.judged() >= judged + 60)


def test_snapshots_lost_and_orders_confirmed_truthfully(kafka: Broker, tmp_path: Path) -> None:
    """The judge passes the published epochs, so that gateways hear it; a confirmed order has moved the gateway."""
    with sighted(kafka, tmp_path) as (cluster, gateway, _, judge):
        for _ in range(5):
            assert order(gateway, "force-safe", "group=minority")["confirmed"]
            assert order(gateway, "release", "group=minority")["confirmed"]
        epoch = gateway.gateway.router.routes("m").epoch
        cluster.stop(judge)
        make_anew(cluster, SNAPSHOTS)
        again = cluster.start(shadow_processes.judge)
        wait_until(lambda: is_safe(gateway))
        assert gateway.gateway.router.routes("m").epoch > epoch
        assert resets(again, SNAPSHOTS, "lost") == 1
        assert [event.kind for event in events(cluster, FRESH)] == [FRESH], "only of the first start"
        assert order(gateway, "force-normal")["confirmed"]
        assert gateway.gateway.router.routes("m").states["model"] == ModeState.NORMAL
        assert order(gateway, "force-safe")["confirmed"]
        assert served_by(gateway, harm=True) == {Role.BASELINE}


def test_positions_beyond_the_end(kafka: Broker, tmp_path: Path) -> None:
    """A snapshot that is ahead of its logs is not continued."""
    with sighted(kafka, tmp_path) as (cluster, gateway, _, judge):
        cluster.stop(judge)
        latest = decode_snapshot(cluster.records(SNAPSHOTS)[-1].value)
        ahead = {
            source: 2**60 if source[0] == topic(COMPARISONS) else offset for source, offset in latest.positions.items()
        }
        with cluster.bus() as bus:
            bus.publish(topic(SNAPSHOTS), encode_snapshot(replace(latest, positions=ahead)), "m")
            bus.flush(10.0)
        again = cluster.start(shadow_processes.judge)
        wait_until(lambda: is_safe(gateway))
        assert resets(again, COMPARISONS, "beyond_end") == 1
        assert cluster.judged() <= gateway.kept, "rows are judged again, not twice"
        wait_until(lambda: cluster.judged() == gateway.kept)


def test_consumer_groups_deleted(kafka: Broker, tmp_path: Path) -> None:
    """Samples are compared again and count once; nothing begins again."""
    with sighted(kafka, tmp_path) as (cluster, gateway, worker, judge):
        cluster.stop(judge)
        cluster.stop(worker)
        with closing(KafkaAdminClient(bootstrap_servers=kafka_options(cluster.settings).servers)) as admin:
            admin.delete_groups([cluster.prefix + name for name in ("workers", "judges")])
        cluster.start(shadow_processes.worker)
        cluster.start(shadow_processes.judge)
        gateway.ask(traffic(60, harm=False, seed=1))
        wait_until(lambda: cluster.judged() >= gateway.kept)
        assert cluster.judged() == gateway.kept
        assert events(cluster, LOG_WENT_BACK) == []
        wait_until(lambda: served_by(gateway) == {Role.COMPRESSED})


def test_control_made_anew_under_a_running_gateway(kafka: Broker, tmp_path: Path) -> None:
    """The gateway is not deaf: the baseline answers until the judge's word on the new topic, which it takes."""
    with sighted(kafka, tmp_path) as (cluster, gateway, _, judge):
        make_anew(cluster, CONTROL)
        wait_for_baseline(gateway)
        wait_until(lambda: is_safe(gateway) and resets(gateway.part, CONTROL, "made_anew") == 1)
        assert order(gateway, "force-normal")["confirmed"]
        cluster.stop(judge)
        make_anew(cluster, CONTROL)
        make_anew(cluster, SNAPSHOTS)
        wait_for_baseline(gateway)
        cluster.start(shadow_processes.judge)
        wait_until(lambda: gateway.has_modes)
        assert gateway.gateway.router.routes("m").epoch < 100, "epochs begin anew with the topic"
        assert order(gateway, "force-safe")["confirmed"]
