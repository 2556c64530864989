"""The stored modes of a cluster, read from a real broker."""

from dataclasses import replace
from pathlib import Path

from tests.support.cluster.cluster import cluster_on
from tightrope.demo.broker import Broker
from tightrope.monitors.plan import initial_state
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.service.adapters.kafka.snapshot_store import Snapshot, encode_snapshot
from tightrope.service.adapters.topics import SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.wiring.cluster_modes import cluster_modes
from tightrope.wiring.mode_mapping import stored_modes


def test_modes_of_the_latest_snapshot_are_read(kafka: Broker, tmp_path: Path) -> None:
    """Each model has those of its latest snapshot, also one whose scope is held."""
    with cluster_on(tmp_path, kafka.address) as cluster:
        cluster.make_topics()
        with cluster_modes(cluster.path) as (store, plans):
            assert list(stored_modes(store, plans["m"])) == []
            plan = plans["m"]
        with cluster.bus() as bus:
            for held in (False, True):
                modes = (Mode(ModeState.SAFE, held=held), *initial_state(plan).modes[1:])
                state = record_codec.encode_state(replace(initial_state(plan), modes=modes))
                bus.publish(topic(SNAPSHOTS), encode_snapshot(Snapshot(bus.log, state, {})), "m")
            bus.flush(10.0)
        with cluster_modes(cluster.path) as (store, plans):
            stored = {each.scope: each.record.mode for each in stored_modes(store, plans["m"])}
        assert (stored["model"].state, stored["model"].held) == (ModeState.SAFE, True)
        assert set(stored) == set(plan.scopes)
