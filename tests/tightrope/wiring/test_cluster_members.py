"""Workers that come and go at random, and members that stand still until they are thought dead: every sample is
accounted for by its id.
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

from tests.support.cluster.cluster import Asked, Cluster, cluster_on, until
from tests.support.cluster.sample_ledger import UNHINDERED, Load, balance
from tightrope.demo.broker import Broker
from tightrope.service.adapters.topics import WORKERS
from tightrope.wiring import shadow_processes

log = logging.getLogger(__name__)

ENDS = (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)


@contextmanager
def loaded(folder: Path, kafka: Broker, session: float = 6.0) -> Iterator[tuple[Cluster, Asked]]:
    """A gateway and a judge; in the end the books must balance."""
    with cluster_on(folder, kafka.address, bus={"session_seconds": session}) as made:
        made.make_topics()
        asked = made.gateway()
        made.start(shadow_processes.judge)
        until(lambda: asked.knows)
        yield made, asked
        assert balance(made, asked) == {"sampled": len(asked.ids), "dropped": {}, "dead": 0, "lost": 0, "twice": 0}
        assert asked.slowest < UNHINDERED


def test_workers_come_and_go_at_random(kafka: Broker, tmp_path: Path) -> None:
    """Told to stop or killed, in an order that is another every time; two are there, or one, or none that is alive."""
    seed = random.SystemRandom().randrange(1 << 32)
    log.warning("seed %d", seed)  # shown where the test fails
    chance = random.Random(seed)  # noqa: S311 - nothing is secret here
    with loaded(tmp_path, kafka) as (made, asked), ExitStack() as stack:
        workers = [stack.enter_context(made.process("worker")) for _ in range(2)]
        with Load(asked, 100.0):
            for number in chance.sample(ENDS, len(ENDS)):
                time.sleep(chance.uniform(0.2, 1.5))
                end = workers.pop(chance.randrange(len(workers)))
                end.send_signal(number)
                workers.append(stack.enter_context(made.process("worker")))
                assert end.wait(90) == (0 if number == signal.SIGTERM else -number)
        until(lambda: len(made.compared()) == len(asked.ids))


def test_worker_stopped_for_longer_than_its_session_then_resumed(kafka: Broker, tmp_path: Path) -> None:
    """As when a machine swaps, or a container is paused. Its partition stands still while the other goes on; then the
    other worker has both, and what the first does when it wakes up is counted once.
    """
    with loaded(tmp_path, kafka, 12.0) as (made, asked), made.process("worker") as first:
        made.start(shadow_processes.worker)
        with Load(asked, 100.0):
            until(lambda: made.dealt(WORKERS) == [1, 1] and len(_partitions(made, 0)) == 2)
            with _stopped(first):
                before = len(made.batches())
                until(lambda: len(made.batches()) > before + 5)
                assert len(_partitions(made, before + 2)) == 1, "the other goes on alone"
                until(lambda: len(_partitions(made, before + 2)) == 2)
            time.sleep(1.0)
        until(lambda: len(made.compared()) == len(asked.ids))
        assert first.poll() is None


def test_judge_stopped_for_longer_than_its_session_then_resumed(kafka: Broker, tmp_path: Path) -> None:
    """Another goes on from its snapshot; when it wakes up it finds out, and writes nothing any more."""
    with cluster_on(tmp_path, kafka.address) as made:
        made.make_topics()
        asked = made.gateway()
        made.start(shadow_processes.worker)
        with made.process("judge") as first:
            until(lambda: asked.knows)
            with Load(asked, 50.0):
                until(lambda: made.judged() > 0)
                with _stopped(first):
                    made.start(shadow_processes.judge)
                    before = made.judged()
                    until(lambda: made.judged() > before)
                time.sleep(1.0)
            assert balance(made, asked) == {"sampled": len(asked.ids), "dropped": {}, "dead": 0, "lost": 0, "twice": 0}
            assert first.poll() is None


@contextmanager
def _stopped(process: subprocess.Popen[str]) -> Iterator[None]:
    """It stands still."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def _partitions(made: Cluster, begin: int) -> set[int]:
    """Of samples that were compared in the batches from ``begin`` on."""
    return {int(partition) for batch in made.batches()[begin:] for partition in batch.partition}
