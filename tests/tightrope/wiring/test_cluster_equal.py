"""Two workers that share the partitions reach the verdict of one, bit for bit."""

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from kafka import KafkaAdminClient, OffsetAndMetadata, TopicPartition

from tests.support.cluster.cluster import Cluster, cluster_on, wait_until
from tests.support.harmful_pair import MINORITY, traffic
from tightrope.demo.broker import Broker
from tightrope.monitors import watch
from tightrope.monitors.plan import Plan, State, UncomparedTraffic, initial_state
from tightrope.monitors.records import Comparisons, Ints
from tightrope.monitors.status.verdicts import verdicts
from tightrope.service.adapters.kafka.snapshot_store import Snapshot, decode_snapshot, encode_snapshot
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, SAMPLES, SNAPSHOTS, WORKERS_GROUP, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.app import load_pairs
from tightrope.wiring import shadow_processes
from tightrope.wiring.cluster import ClusterProcess

ROWS, PARTS = 600, 20


def test_two_workers_reach_the_verdict_of_one(kafka: Broker, tmp_path: Path) -> None:
    """New judges judge the same samples twice: by the comparisons of two workers with one partition each, then by those
    of one. Each judge's state is, bit for bit, the fold over its own log; and the rows of the two workers, in the order
    of the one, give its state and verdicts bit for bit.
    """
    with cluster_on(tmp_path, kafka.address) as cluster:
        cluster.make_topics()
        workers = [cluster.start(shadow_processes.worker) for _ in range(2)]
        wait_until(lambda: cluster.assigned_partitions(WORKERS_GROUP) == [1, 1])
        gateway = cluster.gateway()
        for seed in range(PARTS):
            gateway.ask(traffic(ROWS // PARTS, harm=True, seed=seed))
            time.sleep(0.2)  # enough records for both partitions
        plan = load_pairs(cluster.settings)["m"].plan
        two, state_of_two = _judged(cluster, *workers)
        _forget(cluster, kafka.address, plan)
        before = len(cluster.batches())
        one, state_of_one = _judged(cluster, cluster.start(shadow_processes.worker), after=before)
        in_order = _in_the_order_of(one, two)
        assert _bits(_fold(plan, two)) == _bits(state_of_two)
        assert _bits(_fold(plan, one)) == _bits(state_of_one)
        assert _bits(_fold(plan, in_order)) == _bits(state_of_one)
        assert verdicts(plan, _fold(plan, in_order)) == verdicts(
            plan, replace(state_of_one, unanswered=UncomparedTraffic())
        )
        assert [mode.safe for mode in state_of_one.modes] == [scope == MINORITY for scope in plan.scopes]
        assert [mode.safe for mode in state_of_two.modes] == [mode.safe for mode in state_of_one.modes]


def _judged(cluster: Cluster, *workers: ClusterProcess, after: int = 0) -> tuple[Comparisons, State]:
    """Return these workers' comparisons of all samples, in log order, and the judge's state and verdicts."""
    judge = cluster.start(shadow_processes.judge)
    wait_until(lambda: cluster.judged() == ROWS)
    for part in (judge, *workers):
        cluster.stop(part)
    batches, state = cluster.batches()[after:], cluster.state()
    assert state is not None
    assert {int(partition) for batch in batches for partition in batch.partition} == {0, 1}
    return batches[0].join(*batches[1:]), state


def _forget(cluster: Cluster, address: str, plan: Plan) -> None:
    """Let workers read the samples from their start again; a new judge begins after the comparisons so far, with a
    control topic on which no modes were published.
    """
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        name = cluster.prefix + topic(SAMPLES)
        places = {TopicPartition(name, partition): OffsetAndMetadata(0, "", -1) for partition in range(2)}
        admin.alter_group_offsets(cluster.prefix + WORKERS_GROUP, places)
        control = cluster.prefix + topic(CONTROL)
        admin.delete_topics([control])
        wait_until(lambda: control not in admin.list_topics())
    cluster.make_topics()
    latest = decode_snapshot(cluster.records(SNAPSHOTS)[-1].value)
    end = cluster.records(COMPARISONS)[-1]
    positions = {(topic(COMPARISONS), end.partition): end.offset + 1}
    with cluster.bus() as bus:
        fresh = Snapshot(latest.log, record_codec.encode_state(initial_state(plan)), positions)
        bus.publish(topic(SNAPSHOTS), encode_snapshot(fresh), plan.model)
        bus.flush(10.0)


def _fold(plan: Plan, rows: Comparisons) -> State:
    """Fold the comparisons without a judge process."""
    state, _ = watch.step(plan, initial_state(plan), rows)
    return replace(state, unanswered=UncomparedTraffic())


def _bits(state: State) -> bytes:
    """Return the state without the traffic, which depends on time."""
    return record_codec.encode_state(replace(state, unanswered=UncomparedTraffic()))


def _in_the_order_of(one: Comparisons, other: Comparisons) -> Comparisons:
    """Return the rows of ``other`` in the order of ``one``; otherwise they must be equal."""
    order, others = _by_place(one), _by_place(other)
    back = np.empty_like(order)
    back[order] = others
    assert tuple(other.request_id[row] for row in back) == one.request_id
    return replace(other.take(back), request_id=one.request_id)  # type: ignore[arg-type]


def _by_place(rows: Comparisons) -> Ints:
    return np.lexsort((np.arange(len(rows)), rows.offset, rows.partition))
