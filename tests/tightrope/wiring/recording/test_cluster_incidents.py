import secrets
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.support.cluster.cluster import (
    Cluster,
    ClusterGateway,
    cluster_on,
    get_page,
    wait_until,
    write_cluster_config,
)
from tests.support.harmful_pair import traffic
from tightrope.demo.broker import Broker
from tightrope.offline.incidents.export import export_incident
from tightrope.offline.incidents.record_files import all_incidents, read_export, record_of_incident
from tightrope.offline.incidents.replay import replay
from tightrope.service.adapters.journal.incident import INCIDENTS_FOLDER, Incident
from tightrope.service.adapters.journal.recorder import JOURNAL_FOLDER
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import INCIDENTS
from tightrope.service.config.loader import Settings, load
from tightrope.wiring import shadow_processes
from tightrope.wiring.recording import incident_publisher
from tightrope.wiring.recording.cluster_incidents import follow_incidents, publish_incidents
from tightrope.wiring.topics import wanted_specs

TOKEN = "a-control-token-of-these-tests-0"


def settings_with(folder: Path, **changes: object) -> Settings:
    """Settings of a cluster without a broker."""
    return load(write_cluster_config(folder, "127.0.0.1:1"), {}).model_copy(update=changes)


def test_without_a_record_nothing_is_published_or_followed(tmp_path: Path) -> None:
    """The topic is the same, so that a later record needs no other one."""
    settings, metrics = settings_with(tmp_path), Metrics(CollectorRegistry())
    unrecorded = settings.model_copy(update={"record": None})
    assert publish_incidents(unrecorded, metrics) is None
    assert follow_incidents(unrecorded, MemoryBus(), metrics) is None
    assert wanted_specs(unrecorded) == wanted_specs(settings)


def test_incidents_stay_on_the_topic_as_long_as_in_the_record(tmp_path: Path) -> None:
    """`record.keep_days` is the retention, so that what a lost judge published ends, too."""
    settings = settings_with(tmp_path)
    assert settings.record is not None
    two_days = settings.model_copy(update={"record": settings.record.model_copy(update={"keep_days": 2.0})})
    (spec,) = [spec for spec in wanted_specs(two_days) if spec.name.endswith(INCIDENTS)]
    assert spec.settings["retention.ms"] == str(2 * 24 * 3_600_000)


def test_another_secret_is_another_signer(tmp_path: Path) -> None:
    """Without a secret the name is empty; the list of what was sent does not tell the secret."""
    signers = []
    for number, section in enumerate([None, "a" * 64, "b" * 64]):
        folder = tmp_path / str(number)
        folder.mkdir()
        if section is not None:
            (folder / "fleet.secret").touch(mode=0o600)
            (folder / "fleet.secret").write_text(section)
        bus = {"signing": {"secret_file": "fleet.secret"}} if section else {}
        settings = load(write_cluster_config(folder, "127.0.0.1:1", bus), {})
        publisher = publish_incidents(settings, Metrics(CollectorRegistry()))
        assert publisher is not None
        signers.append(publisher._signer)
        publisher.stop(1.0)
    assert signers[0] == ""
    assert len(set(signers)) == 3


@pytest.fixture
def cluster(kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster with signed records, whose judge publishes soon, in pieces of a few kilobytes."""
    monkeypatch.setenv("TIGHTROPE_CONTROL_TOKEN", TOKEN)
    monkeypatch.setattr(incident_publisher, "PUBLISH_CHECK_SECONDS", 0.1)
    monkeypatch.setattr(incident_publisher, "UNCHANGED_SECONDS", 0.3)
    monkeypatch.setattr("tightrope.service.adapters.incident_copies.pieces.INCIDENT_PIECE_BYTES", 4_000)
    (tmp_path / "fleet.secret").touch(mode=0o600)
    (tmp_path / "fleet.secret").write_text(secrets.token_hex(32))
    with cluster_on(tmp_path, kafka.address, bus={"signing": {"secret_file": "fleet.secret"}}) as one:
        one.make_topics()
        yield one


def end_of_incident(cluster: Cluster, gateway: ClusterGateway) -> Incident:
    """The incident of harm to the minority, once it has closed."""
    seeds = count()  # a repeated row is no evidence

    def goes_on(*, harm: bool) -> bool:
        gateway.ask(traffic(60, harm=harm, seed=next(seeds)))
        found = all_incidents(cluster.settings)
        return (found == []) if harm else found[0].closed is None

    wait_until(lambda: not goes_on(harm=True), 30)
    wait_until(lambda: not goes_on(harm=False))
    return all_incidents(cluster.settings)[0]


def test_any_gateway_serves_the_incident_of_the_judge(cluster: Cluster, tmp_path: Path) -> None:
    """Its file is equal in bytes to that of the judge's state folder and replays, its report and its entry are there;
    the file takes the control token. A gateway that starts later has it, also after the judge has ended. What the
    budget of the record deletes, no gateway has any more.
    """
    first = cluster.gateway()
    cluster.start(shadow_processes.worker)
    judge = cluster.start(shadow_processes.judge)
    wait_until(lambda: first.has_modes)
    incident = end_of_incident(cluster, first)
    path = f"/v1/incidents/{incident.id}"
    wait_until(lambda: get_page(first.app, f"{path}.zip", token=TOKEN).status_code == 200)
    cluster.stop(judge)
    judge = cluster.start(shadow_processes.judge)  # the segment has ended with the first one

    export_incident(record_of_incident(cluster.settings, incident.id), tmp_path / "own.zip")
    own, second = (tmp_path / "own.zip").read_bytes(), cluster.gateway()
    for gateway in (first, second):
        wait_until(lambda gateway=gateway: get_page(gateway.app, f"{path}.zip", token=TOKEN).content == own)
    replayed = replay(read_export(tmp_path / "own.zip"))
    assert (replayed.differs, replayed.answers > 100) == (0, True)
    assert get_page(second.app, f"{path}.zip").status_code == 401
    assert f"<title>Incident {incident.id}</title>" in get_page(second.app, f"{path}.html").text
    listed = get_page(second.app, "/v1/incidents").json()
    assert (listed["recorded"], [each["id"] for each in listed["incidents"]]) == (
        True,
        [each.id for each in reversed(all_incidents(cluster.settings))],
    )

    (cluster.settings.state / JOURNAL_FOLDER / "m" / INCIDENTS_FOLDER / f"{incident.id}.json").unlink()
    for gateway in (first, second):
        wait_until(lambda gateway=gateway: get_page(gateway.app, path).status_code == 404)
