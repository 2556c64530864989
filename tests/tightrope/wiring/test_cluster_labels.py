"""Labels in a cluster: rows and labels that wait outlive the judge that knew them."""

import time
from pathlib import Path

from tests.support.cluster.cluster import Asked, Cluster, cluster_on, until
from tests.support.harmful_pair import traffic
from tightrope.demo.broker import Broker
from tightrope.monitors.records import Label
from tightrope.service.adapters.topics import LABELS, topic
from tightrope.service.adapters.wire.record_codec import encode_labels
from tightrope.wiring import shadow_processes

HORIZON = 3600.0


def test_labels_are_joined_after_the_judge_was_killed(kafka: Broker, tmp_path: Path) -> None:
    """Whichever came first, row or label, and whichever judge saw it: every label is joined once, and what was joined
    before is a duplicate when it is told again.
    """
    with cluster_on(tmp_path, kafka.address, labels={"horizon_seconds": HORIZON}) as made:
        made.make_topics()
        asked = made.gateway()
        worker = made.start(shadow_processes.worker)
        with made.process("judge") as first:
            until(lambda: asked.knows)
            asked.ask(traffic(60, harm=False))
            until(lambda: made.judged() == 60)
            made.stop(worker)
            asked.ask(traffic(20, harm=False))  # which wait for a worker, while their labels wait for them
            _tell(made, asked, range(20))
            _tell(made, asked, range(60, 70))
            until(lambda: _labels(made) == {"joined": 20})
            time.sleep(3.0)  # what was known of labels is in the snapshot, or in the log
            first.kill()
        second = made.start(shadow_processes.judge)
        made.start(shadow_processes.worker)
        _tell(made, asked, range(20, 60))
        _tell(made, asked, range(5))
        until(lambda: made.judged() == 80)
        _tell(made, asked, range(70, 80))
        until(lambda: _labels(made) == {"joined": 80, "duplicate": 5})
        made.stop(second)


def _tell(made: Cluster, asked: Asked, which: range) -> None:
    """The truth of some requests."""
    labels = [Label("m", asked.ids[number], 0, 0, time.time()) for number in which]
    with made.bus() as bus:
        bus.publish(topic(LABELS), encode_labels(labels), "m")
        bus.flush(10.0)


def _labels(made: Cluster) -> dict[str, int]:
    """What became of labels, as the judges wrote it down."""
    state = made.state()
    return {name: count for name, count in state.labels.items() if count} if state else {}
