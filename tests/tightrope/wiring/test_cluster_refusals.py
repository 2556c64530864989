"""Records of any program that may write the topics of a cluster without signatures: they stop no member, and those that
are not plausible are refused, parked and counted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_on, get_page, wait_until
from tests.support.cluster.foreign_records import ForeignRecord, write_records
from tests.support.harmful_pair import MINORITY, traffic
from tests.support.in_process import infer_request
from tightrope.demo.broker import Broker
from tightrope.monitors.label_records import Label
from tightrope.monitors.records import Comparisons, Routes
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, LABELS, SAMPLES, topic
from tightrope.service.adapters.wire.envelope import pack
from tightrope.service.adapters.wire.record_codec import (
    ROUTES_SCHEMA,
    encode_comparisons,
    encode_labels,
    encode_routes,
)
from tightrope.service.config.loader import load
from tightrope.wiring import shadow_processes
from tightrope.wiring.cluster import ClusterProcess
from tightrope.wiring.topics import kafka_options


@contextmanager
def running(kafka: Broker, folder: Path) -> Iterator[tuple[Cluster, ClusterGateway, ClusterProcess]]:
    """A cluster of two models, ``m`` and ``n``, with labels: a gateway, a worker and a judge that has judged rows."""
    with cluster_on(folder, kafka.address, labels={"horizon_seconds": 3600.0}) as cluster:
        document = YAML(typ="safe").load(cluster.path)
        document["models"]["n"] = dict(document["models"]["m"])
        YAML(typ="safe").dump(document, cluster.path)
        cluster.settings = load(cluster.path, {})
        cluster.make_topics()
        gateway = cluster.gateway()
        cluster.start(shadow_processes.worker)
        judge = cluster.start(shadow_processes.judge)
        wait_until(lambda: gateway.has_modes)
        gateway.ask(traffic(60, harm=False))
        wait_until(lambda: len(cluster.compared()) == 60)
        yield cluster, gateway, judge


def shown(part: ClusterProcess, metric: str) -> float:
    """The sum of a metric on the page of a process."""
    lines = get_page(part.app, "/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric))


def dead(part: ClusterProcess, name: str) -> float:
    """The counter of a topic's dead records on the page of a process."""
    return shown(part, f'tightrope_dead_records_total{{topic="{topic(name)}"}}')


def write(cluster: Cluster, name: str, key: str, *values: bytes) -> None:
    """Write records without a signature."""
    write_records(kafka_options(cluster.settings), [ForeignRecord(topic(name), key, value) for value in values])


def require_guard(gateway: ClusterGateway, model: str) -> None:
    """Send harmful traffic until its subgroup is safe."""
    engine = gateway.gateway
    for row in traffic(600, harm=True, seed=1):
        engine.infer(engine.pair(model), infer_request(row[None]))
    wait_until(lambda: MINORITY in engine.router.routes(model).safe)


def test_label_beyond_64_bits_does_not_stop_the_judge(kafka: Broker, tmp_path: Path) -> None:
    """Labels of its model are joined, harm in this model and in another is found, and the judge never started again."""
    with running(kafka, tmp_path) as (cluster, gateway, judge):
        label = Label("m", gateway.ids[0], 0, 0, 1.0)
        bad = [replace(label, row=row) for row in (2**63, 2**31, -1)] + [replace(label, label=-(2**63))]
        write(cluster, LABELS, "m", *(encode_labels([one]) for one in bad), encode_labels([label]))
        wait_until(lambda: dead(judge, LABELS) == len(bad))
        wait_until(lambda: 'tightrope_labels{model="m",outcome="joined"} 1.0' in get_page(judge.app, "/metrics").text)
        for model in ("m", "n"):
            require_guard(gateway, model)
        reasons = cluster.dead()
        assert len(reasons) == len(bad)
        assert all(reason.startswith("tightrope.labels/") and "label." in reason for reason in reasons)
        assert shown(judge, "tightrope_judge_failures_total") == 0
        assert shown(judge, "tightrope_judge_failing") == 0
        assert get_page(judge.app, "/v2/health/ready").status_code == 200


def forged(batch: Comparisons, offset: int | None = None, time: float | None = None) -> bytes:
    """A batch with other offsets or times."""
    offsets = batch.offset if offset is None else np.full(len(batch), offset)
    return encode_comparisons(replace(batch, offset=offsets, time=batch.time if time is None else batch.time + time))


def test_records_that_are_not_plausible_are_refused(kafka: Broker, tmp_path: Path) -> None:
    """Modes with an epoch far ahead make no gateway deaf, and comparisons of samples that do not exist, from before the
    log or of the far future, hide no row; modes that a gateway took are replaced by the judge's own.
    """
    with running(kafka, tmp_path) as (cluster, gateway, judge):
        router, metrics = gateway.gateway.router, gateway.gateway.metrics
        normal = {"model": "normal"}
        plan = gateway.gateway.pair("m").plan.coverage
        highest = {"model": "m", "epoch": 2**64 - 1, "safe": [], "states": normal, "order": "", "plan": plan}
        far, near = Routes("m", 2**60, (), normal, plan=plan), Routes("m", 50, (), normal, plan=plan)
        write(cluster, CONTROL, "m", pack(ROUTES_SCHEMA, highest), encode_routes(far), encode_routes(near))
        wait_until(lambda: metrics.total("dead_records", topic=topic(CONTROL)) == 2)
        wait_until(lambda: dead(judge, CONTROL) == 2)
        wait_until(lambda: router.routes("m").epoch == 51)

        batch = cluster.batches()[0]
        write(cluster, COMPARISONS, "m", forged(batch, 2**63 - 1), forged(batch, 2**60), forged(batch, time=1e18))
        write(cluster, COMPARISONS, "m", forged(batch, -1), forged(batch, -(2**63)), forged(batch, time=1e9))
        wait_until(lambda: dead(judge, COMPARISONS) == 5)
        require_guard(gateway, "m")
        with cluster.bus() as bus:
            ends = bus.ends([topic(SAMPLES)])
        state = cluster.state()
        assert state is not None
        assert all(last < ends[topic(SAMPLES), partition] for partition, last in state.watermarks.items())
        assert router.routes("m").epoch > 51
        assert len(cluster.dead()) == 7
        assert shown(judge, "tightrope_judge_failures_total") == 0
