"""Several gateways share a port as if they were one, on a real Kafka: modes, metrics, and the death of one of them."""

import os
import signal
import time
from pathlib import Path

import httpx

from tests.support.cluster.cluster import PATIENCE, cluster_on, until
from tests.support.servers import TOKEN
from tests.support.serving.multiprocess_server import REQUESTS, Callers, Several, alive, several
from tightrope.demo.broker import Broker
from tightrope.wiring import shadow_processes

CALLERS = 16
SAFE = 'tightrope_safe_mode_active{model="m",scope="model"}'
ORDER = {"scope": "model", "reason": "a test says so", "actor": "a test"}


def order(address: str, what: str) -> None:
    """Steer, as an operator would."""
    url, token = f"{address}/v1/models/m/{what}", {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.post(url, json=ORDER, headers=token).status_code == 200


def test_metrics_add_up_and_all_follow_one_order(kafka: Broker, tmp_path: Path) -> None:
    """Connections come to both; whoever is asked shows exactly as many requests as were answered; an order that one of
    them took is followed by both. Told to stop, both end, and nothing is left behind.
    """
    with cluster_on(tmp_path, kafka.address) as made_of:
        made_of.make_topics()
        made_of.start(shadow_processes.judge)
        with several(made_of.path, tmp_path) as made:
            members = made.members
            assert len(members) == 2
            with Callers(made.address, CALLERS) as callers:
                until(lambda: min(callers.answered) >= 20)
            assert callers.lost == [0] * CALLERS
            total = _adds_up(made, sum(callers.answered))
            order(made.address, "force-safe")
            until(lambda: made.page().get(SAFE) == 1)
            until(lambda: {made.served_by() for _ in range(CALLERS)} == {"baseline"})
            order(made.address, "force-normal")
            until(lambda: {made.served_by() for _ in range(CALLERS)} == {"compressed"})
            until(lambda: made.page()[SAFE] == 0)
            until(lambda: made.page()[REQUESTS] >= total + 2 * CALLERS)
            until(lambda: sum(made_of.samples().values()) == made.page()['tightrope_samples_total{model="m"}'])
            began = time.monotonic()
            made.process.send_signal(signal.SIGTERM)
            assert made.process.wait(60) == 0
            assert time.monotonic() - began < 45
        assert [alive(pid) for pid in members] == [False, False]
        assert list(tmp_path.glob("tightrope-*")) == []


def _adds_up(made: Several, total: int) -> int:
    """The requests that were answered, so many before this, once each has answered some."""
    _counted(made, total)
    assert len(made.counted) == 2
    deadline = time.monotonic() + PATIENCE
    while min(made.counted.values()) == 0:  # the other was so quick that it took all connections
        assert time.monotonic() < deadline, "one of them answers nobody"
        made.served_by()
        total += 1
        _counted(made, total)
    pages = [made.page() for _ in range(12)]
    assert {page[REQUESTS] for page in pages} == {total}
    assert {page['tightrope_request_seconds_count{model="m"}'] for page in pages} == {total}
    assert {page['tightrope_request_seconds_bucket{le="+Inf",model="m"}'] for page in pages} == {total}
    return total


def _counted(made: Several, total: int) -> None:
    until(lambda: sum(made.counted.values()) == total)


def test_one_is_killed_and_the_other_goes_on(kafka: Broker, tmp_path: Path) -> None:
    """What it was answering is lost, one request a connection at most; no sum falls, and no mode changes; another takes
    its place, and knows the modes before it answers.
    """
    with cluster_on(tmp_path, kafka.address, bus={"bootstrap_seconds": 60}) as made_of:
        made_of.make_topics()
        made_of.start(shadow_processes.judge)
        with several(made_of.path, tmp_path) as made:
            until(lambda: {made.served_by() for _ in range(CALLERS)} == {"compressed"})
            before = made.members
            with Callers(made.address, CALLERS) as callers:
                until(lambda: min(callers.answered) >= 20)
                seen = [made.page()[REQUESTS]]
                os.kill(min(before), signal.SIGKILL)
                until(lambda: _replaced(made, seen))
            assert max(callers.lost) <= 1
            assert sum(callers.lost) < CALLERS
            assert seen == sorted(seen)
            assert callers.served_by == {"compressed"}
            after = made.members
            assert len(after) == 2
            assert after & before == {max(before)}


def _replaced(made: Several, seen: list[float]) -> bool:
    """Whether one that began later answers whoever comes anew; what has been counted is noted."""
    assert made.served_by() == "compressed"
    seen.append(made.page()[REQUESTS])
    return any(count > 0 for name, count in made.counted.items() if not name.endswith(("-0.json", "-1.json")))
