from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.service.test_outbox import sample
from tests.support.cluster.cluster import cluster_on, get_page, wait_until, write_cluster_config
from tests.support.harmful_pair import traffic
from tests.support.wired_samples import records
from tightrope.demo.broker import Broker
from tightrope.monitors.label_records import Label
from tightrope.monitors.records import Role
from tightrope.service.adapters.kafka.signature import SignatureCheck
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import CONTROL, LABELS, SAMPLES, topic
from tightrope.service.adapters.wire.record_codec import encode_labels
from tightrope.service.config.loader import ConfigError, load
from tightrope.wiring import cluster, shadow_processes
from tightrope.wiring.cluster import RefusingDeployer


def test_gateway_of_a_cluster_refuses_deployments() -> None:
    """No judge knows an artefact that only one process has."""
    with pytest.raises(ConfigError, match="model m: in a cluster another artefact comes with the configuration"):
        RefusingDeployer().deploy("m", Role.COMPRESSED, "x.onnx", "a", "r")
    with pytest.raises(LookupError, match="m"):
        RefusingDeployer().roll_back("m", "a", "r")


def test_gateway_without_modes_is_not_ready(tmp_path: Path) -> None:
    """It is live, answers by the baseline and says why; `bootstrap_seconds` is how long it may wait."""
    path = write_cluster_config(tmp_path, "127.0.0.1:1")
    settings = load(path, {})
    assert settings.bus is not None
    for seconds, ready in ((600.0, False), (0.0, True)):
        kafka = settings.bus.kafka.model_copy(update={"bootstrap_seconds": seconds})
        part = cluster.gateway(settings.model_copy(update={"bus": settings.bus.model_copy(update={"kafka": kafka})}))
        answer = get_page(part.app, "/v2/health/ready")
        assert (answer.status_code, answer.json()["ready"]) == (200 if ready else 503, ready)
        reason = "blind: no judge of this plan has been heard since the start, the baseline answers"
        assert answer.json()["models"] == {"m": reason}
        assert get_page(part.app, "/v2/health/live").status_code == 200


def test_every_sample_of_a_lost_record_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples count as undeliverable, by their model; unreadable bytes are only a lost record."""
    callbacks: list[Callable[[str, bytes, str], None]] = []
    monkeypatch.setattr(
        cluster, "KafkaBus", lambda _, lost, *__, **___: callbacks.append(lost) or SimpleNamespace(unacknowledged=0)
    )
    metrics = Metrics(CollectorRegistry())
    cluster.build_bus(load(write_cluster_config(tmp_path, "127.0.0.1:1"), {}), metrics, strict=False)
    (record,) = records([sample(number, rows=number + 1) for number in range(3)])
    for value in (record, record, b"garbage"):
        callbacks[0](topic(SAMPLES), value, "shutdown")
    assert metrics.total("samples_dropped", model="m", reason="undeliverable") == 6
    assert metrics.total("undelivered_records", topic=topic(SAMPLES), reason="shutdown") == 3


def test_bus_counts_refused_and_accepted_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each reason exists from the start, so that the first refusal is a rise; the log says what no secret means."""
    checked: list[Callable[[str, str], None]] = []
    monkeypatch.setattr(
        cluster, "KafkaBus", lambda *given, **_: checked.append(given[3]) or SimpleNamespace(unacknowledged=0)
    )
    metrics = Metrics(CollectorRegistry())
    cluster.build_bus(load(write_cluster_config(tmp_path, "127.0.0.1:1"), {}), metrics, strict=False)
    assert "bus.kafka.signing: is missing, so records are not signed" in caplog.text
    page = metrics.exposition("")[0].decode()
    for reason in ("unsigned", "forged", "old"):
        assert f'tightrope_records_refused_total{{reason="{reason}",topic="tightrope.control"}} 0.0' in page
    for result in (SignatureCheck.FORGED, SignatureCheck.ACCEPTED):
        checked[0](topic(CONTROL), result)
    assert metrics.total("records_refused", topic=topic(CONTROL), reason="forged") == 1
    assert metrics.total("records_accepted_unsigned", topic=topic(CONTROL)) == 1


def test_harmed_subgroup_is_saved_on_every_gateway(kafka: Broker, tmp_path: Path) -> None:
    """Two gateways, a worker, a judge: evidence from one gateway's requests holds on both, each shows the verdicts and
    the audit trail, and a label is joined.
    """
    labelled = {"labels": {"horizon_seconds": 1000}}
    with cluster_on(tmp_path, kafka.address, **labelled) as parts:
        parts.make_topics()
        one, two = parts.gateway(), parts.gateway()
        judge = parts.start(shadow_processes.judge)
        parts.start(shadow_processes.worker)
        wait_until(lambda: one.has_modes and two.has_modes)
        one.ask(traffic(600, harm=True))
        wait_until(lambda: all("group=minority" in each.gateway.router.routes("m").safe for each in (one, two)))
        assert {a.parameters["served_by"] for a in two.ask(traffic(60, harm=True)[::6])} == {"baseline"}
        assert {a.parameters["served_by"] for a in two.ask(traffic(60, harm=True)[1::6])} == {"compressed"}
        for each in (one, two):
            wait_until(lambda each=each: len(_page(each.app, "/v1/events")["events"]) > 1)  # type: ignore[misc]
            assert _page(each.app, "/v1/models/m")["safe"] == ["group=minority"]
            verdicts = _page(each.app, "/v1/models/m/verdicts?scope=group=minority")["verdicts"]
            assert any(verdict["outcome"] == "breach" for verdict in verdicts)
            assert [event["kind"] for event in _page(each.app, "/v1/events?after=0")["events"]][:2] == [
                "fresh-state",
                "breach",
            ]
        wait_until(lambda: parts.judged() == 620)
        with parts.bus() as bus:
            bus.publish(topic(LABELS), encode_labels([Label("m", one.ids[0], 0, 1, 1.0)]), "m")
            bus.flush(5.0)
        wait_until(lambda: (state := parts.state()) is not None and state.labels.get("joined") == 1)
        transitions = [
            line for line in get_page(judge.app, "/metrics").text.splitlines() if "_transitions_total{" in line
        ]
        assert 'tightrope_transitions_total{input="breach",model="m",scope="group=minority"} 1.0' in transitions
        wait_until(lambda: 'tightrope_lag_records{reader="judges"} 0.0' in get_page(judge.app, "/metrics").text)


def _page(app: object, path: str) -> dict[str, Any]:
    """Return a page of the gateway's status API."""
    answer = get_page(app, path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
