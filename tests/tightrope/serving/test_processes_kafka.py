"""Several gateways on one port and a real Kafka: modes, metrics, and the death of one of them."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import httpx

from tests.support.cluster.cluster import cluster_on, wait_until
from tests.support.configs import TOKEN
from tests.support.serving.multiprocess_server import REQUESTS, Callers, ProcessGroup, is_running, process_group
from tightrope.demo.broker import Broker
from tightrope.wiring import shadow_processes

CALLERS = 8
SAFE = 'tightrope_safe_mode_active{model="m",scope="model"}'
ORDER = {"scope": "model", "reason": "a test says so", "actor": "a test"}


def order(address: str, verb: str) -> None:
    """Send an operator's order."""
    url, token = f"{address}/v1/models/m/{verb}", {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.post(url, json=ORDER, headers=token).status_code == 200


def connect(group: ProcessGroup, member: int, stack: ExitStack) -> Callers:
    """Start callers whose connections all lead to one member."""
    with group.only(member):
        callers = stack.enter_context(Callers(group.address, CALLERS))
        callers.wait_for(1)
    return callers


def test_metrics_add_up_and_all_follow_one_order(kafka: Broker, tmp_path: Path) -> None:
    """Each member shows exactly as many requests as all have answered; an order that one of them took is followed by
    both. On SIGTERM both end, and no file is left.
    """
    with cluster_on(tmp_path, kafka.address) as cluster:
        cluster.make_topics()
        cluster.start(shadow_processes.judge)
        with process_group(cluster.path, tmp_path) as group:
            members = group.members
            assert len(members) == 2
            with ExitStack() as stack:
                callers = [connect(group, member, stack) for member in members]
                for each in callers:
                    each.wait_for(20)
            assert [each.lost for each in callers] == [[0] * CALLERS] * 2
            total = sum(sum(each.answered) for each in callers)
            wait_until(lambda: sum(group.counted.values()) == total)
            assert min(group.counted.values()) >= 20 * CALLERS
            for member in members:
                with group.only(member):
                    page = group.page()
                assert page[REQUESTS] == total
                assert page['tightrope_request_seconds_count{model="m"}'] == total
                assert page['tightrope_request_seconds_bucket{le="+Inf",model="m"}'] == total
            order(group.address, "force-safe")
            wait_until(lambda: group.page().get(SAFE) == 1)
            wait_until(lambda: group.roles() == {"baseline"})
            order(group.address, "force-normal")
            wait_until(lambda: group.roles() == {"compressed"})
            wait_until(lambda: group.page()[SAFE] == 0)
            wait_until(lambda: group.page()[REQUESTS] >= total + 2 * len(members))
            wait_until(lambda: sum(cluster.samples().values()) == group.page()['tightrope_samples_total{model="m"}'])
            group.process.send_signal(signal.SIGTERM)
            assert group.process.wait(60) == 0
        assert [is_running(pid) for pid in members] == [False, False]
        assert list(tmp_path.glob("tightrope-*")) == []


def test_killed_member_costs_its_own_callers_one_request_each(kafka: Broker, tmp_path: Path) -> None:
    """The other member's callers lose nothing, no counter falls, and no mode changes; a replacement takes the slot and
    knows the modes before it answers.
    """
    with cluster_on(tmp_path, kafka.address, bus={"bootstrap_seconds": 60}) as cluster:
        cluster.make_topics()
        cluster.start(shadow_processes.judge)
        with process_group(cluster.path, tmp_path) as group, ExitStack() as stack:
            wait_until(lambda: group.roles() == {"compressed"})
            killed, survivor = sorted(group.members)
            cut_off, others = (connect(group, member, stack) for member in (killed, survivor))
            cut_off.wait_for(20)
            counts = [group.page()[REQUESTS]]
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: len(group.members - {killed}) == 2)
            counts.append(group.page()[REQUESTS])
            (replacement,) = group.members - {killed, survivor}
            with group.only(replacement):
                assert group.served_by() == "compressed"
                counts.append(group.page()[REQUESTS])
            wait_until(lambda: any(name.endswith("-2.json") and count > 0 for name, count in group.counted.items()))
            counts.append(group.page()[REQUESTS])
            stack.close()
            assert max(cut_off.lost) <= 1
            assert others.lost == [0] * CALLERS
            assert counts == sorted(counts)
            assert cut_off.served_by | others.served_by == {"compressed"}
            assert group.members == {survivor, replacement}
