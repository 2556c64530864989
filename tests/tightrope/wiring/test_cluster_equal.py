"""Two workers who share the partitions come to the verdict of one, to the bit."""

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from kafka import KafkaAdminClient, OffsetAndMetadata, TopicPartition

from tests.support.cluster.cluster import Cluster, cluster_on, until
from tests.support.harmful_pair import MINORITY, traffic
from tightrope.demo.broker import Broker
from tightrope.monitors import watch
from tightrope.monitors.plan import Plan, State, Unanswered, start
from tightrope.monitors.records import Comparisons, Ints
from tightrope.monitors.status import verdicts
from tightrope.service.adapters.kafka.snapshot_store import Snapshot, decode, encode
from tightrope.service.adapters.topics import COMPARISONS, SAMPLES, SNAPSHOTS, WORKERS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.app import load_pairs
from tightrope.wiring import shadow_processes
from tightrope.wiring.cluster import Process

ROWS, PARTS = 600, 20


def test_two_workers_come_to_the_verdict_of_one(kafka: Broker, tmp_path: Path) -> None:
    """The same samples are judged twice, by real judges that know nothing: by the comparisons of two workers who have
    one partition each, then by those of one. Each judge is, to the bit, the fold over its own log; and with the rows of
    the two in the order of the one, so that ticks are the same, state and verdicts are to the bit those of the one.
    """
    with cluster_on(tmp_path, kafka.address) as made:
        made.make_topics()
        workers = [made.start(shadow_processes.worker) for _ in range(2)]
        until(lambda: made.dealt(WORKERS) == [1, 1])
        asked = made.gateway()
        for seed in range(PARTS):
            asked.ask(traffic(ROWS // PARTS, harm=True, seed=seed))
            time.sleep(0.2)  # so many records that it is by no chance that one partition has them all
        plan = load_pairs(made.settings)["m"].plan
        two, state_of_two = _judged(made, *workers)
        _forget(made, kafka.address, plan)
        before = len(made.batches())
        one, state_of_one = _judged(made, made.start(shadow_processes.worker), after=before)
        in_order = _in_the_order_of(one, two)
        assert _bits(_fold(plan, two)) == _bits(state_of_two)
        assert _bits(_fold(plan, one)) == _bits(state_of_one)
        assert _bits(_fold(plan, in_order)) == _bits(state_of_one)
        assert verdicts(plan, _fold(plan, in_order)) == verdicts(plan, replace(state_of_one, unanswered=Unanswered()))
        assert [mode.safe for mode in state_of_one.modes] == [scope == MINORITY for scope in plan.scopes]
        assert [mode.safe for mode in state_of_two.modes] == [mode.safe for mode in state_of_one.modes]


def _judged(made: Cluster, *workers: Process, after: int = 0) -> tuple[Comparisons, State]:
    """What these workers compare of all samples, in the order of the log, and what a judge makes of it."""
    judge = made.start(shadow_processes.judge)
    until(lambda: made.judged() == ROWS)
    for part in (judge, *workers):
        made.stop(part)
    batches, state = made.batches()[after:], made.state()
    assert state is not None
    assert {int(partition) for batch in batches for partition in batch.partition} == {0, 1}
    return batches[0].join(*batches[1:]), state


def _forget(made: Cluster, address: str, plan: Plan) -> None:
    """Samples are read again from their start, by workers; and a judge begins anew behind what was compared so far."""
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        name = made.prefix + topic(SAMPLES)
        places = {TopicPartition(name, partition): OffsetAndMetadata(0, "", -1) for partition in range(2)}
        admin.alter_group_offsets(made.prefix + WORKERS, places)
    latest = decode(made.records(SNAPSHOTS)[-1].value)
    end = made.records(COMPARISONS)[-1]
    positions = {**latest.positions, (topic(COMPARISONS), end.partition): end.offset + 1}
    with made.bus() as bus:
        fresh = Snapshot(latest.log, record_codec.encode_state(start(plan)), positions)
        bus.publish(topic(SNAPSHOTS), encode(fresh), plan.model)
        bus.flush(10.0)


def _fold(plan: Plan, rows: Comparisons) -> State:
    """The judgement itself, without anything around it."""
    state, _ = watch.step(plan, start(plan), rows)
    return replace(state, unanswered=Unanswered())


def _bits(state: State) -> bytes:
    """All of it but what it knows of the traffic, which is of the moment."""
    return record_codec.encode_state(replace(state, unanswered=Unanswered()))


def _in_the_order_of(one: Comparisons, other: Comparisons) -> Comparisons:
    """The rows of ``other`` as they stand in ``one``; they are the same but, as a rule, for that."""
    order, others = _by_place(one), _by_place(other)
    back = np.empty_like(order)
    back[order] = others
    assert tuple(other.request_id[row] for row in back) == one.request_id
    return replace(other.take(back), request_id=one.request_id)  # type: ignore[arg-type]


def _by_place(rows: Comparisons) -> Ints:
    return np.lexsort((np.arange(len(rows)), rows.offset, rows.partition))
