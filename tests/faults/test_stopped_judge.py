"""A judge that a signal has stopped says nothing about itself: the gateway, another process, must act."""

import os
import signal
import time
from pathlib import Path

from tests.support.cluster.cluster import ClusterGateway, cluster_on, get_page, wait_until
from tests.support.harmful_pair import traffic
from tightrope.demo.broker import Broker
from tightrope.monitors.records import Role
from tightrope.wiring import shadow_processes

BLIND_SECONDS = 2.0
MARGIN_SECONDS = 1.0
"""Time that a check of the gateway and a busy machine may add."""


def served_by(gateway: ClusterGateway) -> set[object]:
    """Ask for a few rows and return the roles that answered."""
    return {answer.parameters["served_by"] for answer in gateway.ask(traffic(6, harm=True))}


def test_gateway_acts_while_the_judge_is_stopped(kafka: Broker, tmp_path: Path) -> None:
    """The baseline answers within `blind_seconds`, and readiness says why; once the judge goes on and has judged, the
    student answers again.
    """
    with cluster_on(tmp_path, kafka.address, blind_seconds=BLIND_SECONDS) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        cluster.start(shadow_processes.worker)
        with cluster.process("judge") as judge:
            wait_until(lambda: gateway.has_modes)
            gateway.ask(traffic(200, harm=False))
            wait_until(lambda: cluster.judged() >= 200)
            assert served_by(gateway) == {Role.COMPRESSED}
            os.kill(judge.pid, signal.SIGSTOP)
            try:
                began = time.monotonic()
                while served_by(gateway) != {Role.BASELINE}:
                    assert time.monotonic() - began < BLIND_SECONDS + MARGIN_SECONDS, "the student goes on answering"
                    time.sleep(0.05)
                ready = get_page(gateway.app, "/v2/health/ready")
                assert ready.status_code == 200
                assert "judged" in ready.json()["models"]["m"]
            finally:
                os.kill(judge.pid, signal.SIGCONT)
            wait_until(lambda: served_by(gateway) != {Role.BASELINE})
