"""Statements in a cluster on a real broker: every member checks for itself; withheld scopes begin with the baseline."""

import itertools
from pathlib import Path

import pytest

from tests.support.cluster.cluster import (
    Cluster,
    ClusterGateway,
    cluster_of,
    get_page,
    wait_until,
    write_cluster_config,
)
from tests.support.harmful_pair import COMPRESSED, GROUP, HARM, MINORITY, OTHERS_OFF, Rows, traffic
from tests.support.qualification_files import write_statement
from tightrope.demo.broker import Broker
from tightrope.monitors.records import Event
from tightrope.service.adapters.topics import EVENTS
from tightrope.service.adapters.wire import record_codec
from tightrope.service.config.loader import ConfigError, load
from tightrope.wiring import cluster as gateways
from tightrope.wiring import shadow_processes

CALM: Rows = traffic(30, harm=False)
LIMITS = {"mode": None, "limits": {**OTHERS_OFF, "disagreement": 0.07}, "subgroup_limits": {"disagreement": 0.1}}
MEMBERS = (gateways.gateway, shadow_processes.worker, shadow_processes.judge)


def of_other_bytes(path: Path, **changes: str) -> Path:
    """Write the configuration of a member whose compressed model differs by a byte; ``changes`` replace its words."""
    folder, content = path.parent / "other", path.read_text()
    folder.mkdir(exist_ok=True)
    model = path.parent / "compressed.onnx"
    changed = bytearray(model.read_bytes())
    changed[changed.index(COMPRESSED[HARM][:1].tobytes())] ^= 1
    (folder / model.name).write_bytes(changed)
    statement = f"{model.name}.intoto.jsonl"
    (folder / statement).write_bytes((path.parent / statement).read_bytes())
    for old, new in {str(model): str(folder / model.name), **changes}.items():
        content = content.replace(old, new)
    (folder / path.name).write_text(content)
    return folder / path.name


def roles(gateway: ClusterGateway) -> dict[bool, set[str]]:
    """The roles that answer rows of the minority (True), and other rows."""
    answers = gateway.ask(CALM)
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for row, answer in zip(CALM, answers, strict=True):
        found[bool(row[GROUP])].add(str(answer.parameters["served_by"]))
    return found


def minority(seed: int) -> Rows:
    """Rows of the minority that were not sent before: repeated ones prove nothing."""
    rows = traffic(240, harm=False, seed=seed)
    return rows[rows[:, GROUP] == 1]


def events(cluster: Cluster) -> list[Event]:
    """All events of the model."""
    return [record_codec.decode_event(record.value) for record in cluster.records(EVENTS)]


def test_withheld_scope_begins_with_the_baseline_and_returns_by_evidence(kafka: Broker, tmp_path: Path) -> None:
    """A member of other bytes changes nothing: it does not start, or answers by the baseline alone and says so."""
    path = write_cluster_config(tmp_path, kafka.address, blind_seconds=600, qualification={"require": True}, **LIMITS)
    write_statement(path, withheld=[MINORITY])
    other = of_other_bytes(path)
    with cluster_of(path) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        for part in (shadow_processes.judge, shadow_processes.worker):
            cluster.start(part)
        wait_until(lambda: gateway.has_modes)
        assert roles(gateway) == {True: {"baseline"}, False: {"compressed"}}
        for wire_up in MEMBERS:
            with pytest.raises(ConfigError, match=r"compressed\.onnx\.intoto\.jsonl: is for .*, but compressed is "):
                wire_up(load(other, {}))
        lenient = of_other_bytes(path, **{"require: true": "require: true, otherwise: baseline"})
        member = ClusterGateway(gateways.gateway(load(lenient, {})))
        member.part.start()
        cluster.parts.append(member.part)
        wait_until(lambda: "unqualified" in {event.kind for event in events(cluster)})
        assert roles(member) == {True: {"baseline"}, False: {"baseline"}}
        told = get_page(member.app, "/v1/models/m").json()["qualification"]
        assert (told["verdict"], "but compressed is" in told["objections"][0]) == ("unqualified", True)
        assert roles(gateway) == {True: {"baseline"}, False: {"compressed"}}
        seeds = itertools.count(1)
        wait_until(lambda: {a.parameters["served_by"] for a in gateway.ask(minority(next(seeds)))} == {"compressed"})
        kinds = [(event.kind, event.scope) for event in events(cluster)]
        assert kinds.index(("withheld", MINORITY)) < kinds.index(("recovered", MINORITY))
