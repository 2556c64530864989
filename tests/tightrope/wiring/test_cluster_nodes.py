"""A cluster on three brokers, and what is left of it when some of them are killed under load, or refuse what they are
given: every sample is accounted for by its id.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster.cluster import cluster_on, until
from tests.support.cluster.sample_ledger import UNHINDERED, Load, balance, dropped
from tests.support.cluster.three_brokers import Trio, trio
from tightrope.demo.broker import why_not
from tightrope.service import outbox
from tightrope.service.adapters.topics import SAMPLES
from tightrope.wiring import shadow_processes

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
"""The client leaves the sockets of connections that were refused to the garbage collector."""


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trio]:
    """Three of this file's own."""
    missing = why_not()
    if missing:
        pytest.skip(missing)
    with trio(tmp_path_factory.mktemp("brokers")) as made:
        yield made


def test_leader_of_the_samples_killed_under_load(brokers: Trio, tmp_path: Path) -> None:
    """Another takes over the partition: nothing fails, nothing waits, nothing is dropped, lost or counted twice."""
    with cluster_on(tmp_path, brokers.address) as made:
        made.make_topics()
        asked = made.gateway()
        for part in (shadow_processes.judge, shadow_processes.worker):
            made.start(part)
        until(lambda: asked.knows)
        leader = brokers.leader(made.prefix)
        with Load(asked, 100.0):
            until(lambda: len(made.samples()) > 50)
            brokers.nodes[leader].kill()
            until(lambda: brokers.leader(made.prefix) not in {leader, -1})
            time.sleep(1.0)
        assert {record.partition for record in made.records(SAMPLES)} == {0, 1}
        assert balance(made, asked) == {"sampled": len(asked.ids), "dropped": {}, "dead": 0, "lost": 0, "twice": 0}
        assert asked.slowest < UNHINDERED
        brokers.nodes[leader].start()
        brokers.wait()


def test_brokers_that_refuse_what_they_are_given(
    brokers: Trio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a full disk: one node is gone, and the others may not take samples with one copy less; then a second is
    gone too. What finds no room in the buffers is dropped with its reason, and requests notice nothing; what was taken
    is compared when all are back.
    """
    monkeypatch.setattr(outbox, "MOST_BYTES", 4096)
    with cluster_on(tmp_path, brokers.address, bus={"buffer_records": 10}) as made:
        made.make_topics()
        asked = made.gateway()
        for part in (shadow_processes.judge, shadow_processes.worker):
            made.start(part)
        until(lambda: asked.knows)
        with Load(asked, 100.0):
            until(lambda: len(made.samples()) > 50)
            brokers.demand(made.prefix, 3)
            others = [node for node in brokers.nodes if node != brokers.leader(made.prefix)]
            brokers.nodes[others[0]].kill()
            until(lambda: brokers.copies(made.prefix) == 2)
            before = dropped(asked)["buffer_full"]
            until(lambda: dropped(asked)["buffer_full"] > before + 100)
            brokers.nodes[others[1]].kill()
            time.sleep(2.0)
            brokers.start()
            brokers.demand(made.prefix, 2)
            taken = len(made.samples())
            until(lambda: len(made.samples()) > taken + 100)
        book = balance(made, asked)
        lost = dropped(asked)
        assert set(lost) == {"buffer_full"}
        assert book == {"sampled": len(asked.ids), "dropped": lost, "dead": 0, "lost": 0, "twice": 0}
        assert asked.slowest < UNHINDERED
