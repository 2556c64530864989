"""Workers that join and leave at random, and members that pause beyond their session: every sample is accounted for by
its id.
"""

import logging
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_on, wait_until
from tests.support.cluster.sample_ledger import UNBLOCKED_SECONDS, Load, balance
from tightrope.demo.broker import Broker
from tightrope.service.adapters.topics import WORKERS_GROUP
from tightrope.wiring import shadow_processes

log = logging.getLogger(__name__)

ALONE = 6
"""Batches of one worker after which the other is taken to have stopped."""

ENDS = (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)


@contextmanager
def loaded(folder: Path, kafka: Broker, session: float = 6.0) -> Iterator[tuple[Cluster, ClusterGateway]]:
    """A gateway and a judge; at the end every sample must be accounted for."""
    with cluster_on(folder, kafka.address, bus={"session_seconds": session}) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        cluster.start(shadow_processes.judge)
        wait_until(lambda: gateway.has_modes)
        yield cluster, gateway
        assert balance(cluster, gateway) == {
            "sampled": len(gateway.ids),
            "dropped": {},
            "dead": 0,
            "lost": 0,
            "twice": 0,
        }
        assert gateway.slowest < UNBLOCKED_SECONDS


def test_workers_join_and_leave_at_random(kafka: Broker, tmp_path: Path) -> None:
    """Workers are stopped or killed in a random order; two run, or one, or none."""
    seed = random.SystemRandom().randrange(1 << 32)
    log.warning("seed %d", seed)  # printed when the test fails
    chance = random.Random(seed)  # noqa: S311 - nothing is secret here
    with loaded(tmp_path, kafka) as (cluster, gateway), ExitStack() as stack:
        workers = [stack.enter_context(cluster.process("worker")) for _ in range(2)]
        with Load(gateway, 100.0):
            for number in chance.sample(ENDS, len(ENDS)):
                time.sleep(chance.uniform(0.2, 1.5))
                end = workers.pop(chance.randrange(len(workers)))
                end.send_signal(number)
                workers.append(stack.enter_context(cluster.process("worker")))
                assert end.wait(90) == (0 if number == signal.SIGTERM else -number)
        wait_until(lambda: len(cluster.compared()) == len(gateway.ids))


def test_paused_worker_resumes(kafka: Broker, tmp_path: Path) -> None:
    """As when a machine swaps or a container is paused: its partition waits, then the other worker has both, and what
    the first does when it resumes is counted once.
    """
    with loaded(tmp_path, kafka, 12.0) as (cluster, gateway), cluster.process("worker") as first:
        cluster.start(shadow_processes.worker)
        with Load(gateway, 100.0):
            wait_until(
                lambda: cluster.assigned_partitions(WORKERS_GROUP) == [1, 1] and len(_partitions(cluster, 0)) == 2
            )
            with _stopped(first):
                before = len(cluster.batches())
                wait_until(lambda: len(cluster.batches()) > before + ALONE)
                wait_until(lambda: len(_partitions(cluster, len(cluster.batches()) - ALONE)) == 1)  # the other alone
                alone = len(cluster.batches())
                wait_until(lambda: len(_partitions(cluster, alone)) == 2)
            time.sleep(1.0)
        wait_until(lambda: len(cluster.compared()) == len(gateway.ids))
        assert first.poll() is None


def test_paused_judge_writes_nothing(kafka: Broker, tmp_path: Path) -> None:
    """Another judge continues from its snapshot; the first notices when it resumes, and writes nothing more."""
    with cluster_on(tmp_path, kafka.address) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        cluster.start(shadow_processes.worker)
        with cluster.process("judge") as first:
            wait_until(lambda: gateway.has_modes)
            with Load(gateway, 50.0):
                wait_until(lambda: cluster.judged() > 0)
                with _stopped(first):
                    cluster.start(shadow_processes.judge)
                    before = cluster.judged()
                    wait_until(lambda: cluster.judged() > before)
                time.sleep(1.0)
            assert balance(cluster, gateway) == {
                "sampled": len(gateway.ids),
                "dropped": {},
                "dead": 0,
                "lost": 0,
                "twice": 0,
            }
            assert first.poll() is None


@contextmanager
def _stopped(process: subprocess.Popen[str]) -> Iterator[None]:
    """Pause while the event is cleared."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def _partitions(cluster: Cluster, begin: int) -> set[int]:
    """Return the ids of the samples compared in the batches from ``begin`` on."""
    return {int(partition) for batch in cluster.batches()[begin:] for partition in batch.partition}
