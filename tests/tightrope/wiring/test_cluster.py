from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.service.test_outbox import sample
from tests.support.cluster.cluster import asked_of, cluster_on, until, written
from tests.support.harmful_pair import traffic
from tests.support.wired_samples import records
from tightrope.demo.broker import Broker
from tightrope.monitors.records import Label, Role
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import LABELS, SAMPLES, topic
from tightrope.service.adapters.wire.record_codec import encode_labels
from tightrope.service.config.loader import ConfigError, load
from tightrope.wiring import cluster, shadow_processes
from tightrope.wiring.cluster import NoDeployer


def test_one_process_alone_takes_no_other_artefact() -> None:
    """Its samples would be compared by nobody."""
    with pytest.raises(ConfigError, match="model m: in a cluster another artefact comes with the configuration"):
        NoDeployer().deploy("m", Role.COMPRESSED, "x.onnx", "a", "r")
    with pytest.raises(LookupError, match="m"):
        NoDeployer().roll_back("m", "a", "r")


def test_gateway_that_does_not_know_the_modes_is_not_ready(tmp_path: Path) -> None:
    """It is alive, and answers who asks nevertheless, by the baseline; `bootstrap_seconds` is how long it may wait."""
    path = written(tmp_path, "127.0.0.1:1")
    settings = load(path, {})
    assert settings.bus is not None
    for seconds, ready in ((600.0, False), (0.0, True)):
        kafka = settings.bus.kafka.model_copy(update={"bootstrap_seconds": seconds})
        part = cluster.gateway(settings.model_copy(update={"bus": settings.bus.model_copy(update={"kafka": kafka})}))
        answer = asked_of(part.app, "/v2/health/ready")
        assert (answer.status_code, answer.json()) == (200 if ready else 503, {"ready": ready})
        assert asked_of(part.app, "/v2/health/live").status_code == 200


def test_every_sample_of_a_lost_record_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As undeliverable, by its model; bytes that cannot be read are a lost record and no more."""
    told: list[Callable[[str, bytes, str], None]] = []
    monkeypatch.setattr(
        cluster, "KafkaBus", lambda _, lost, *__, **___: told.append(lost) or SimpleNamespace(waiting=0)
    )
    metrics = Metrics(CollectorRegistry())
    cluster.bus_of(load(written(tmp_path, "127.0.0.1:1"), {}), metrics, strict=False)
    (record,) = records([sample(number, rows=number + 1) for number in range(3)])
    for value in (record, record, b"garbage"):
        told[0](topic(SAMPLES), value, "shutdown")
    assert metrics.total("samples_dropped", model="m", reason="undeliverable") == 6
    assert metrics.total("undelivered_records", topic=topic(SAMPLES), reason="shutdown") == 3


def test_harmed_subgroup_is_saved_on_every_gateway(kafka: Broker, tmp_path: Path) -> None:
    """Two gateways, a worker, a judge: what one gateway's requests proved holds on both, each shows the verdicts and
    the audit trail, and a label is joined.
    """
    labelled = {"labels": {"horizon_seconds": 1000}}
    with cluster_on(tmp_path, kafka.address, **labelled) as made:
        made.make_topics()
        one, two = made.gateway(), made.gateway()
        judge = made.start(shadow_processes.judge)
        made.start(shadow_processes.worker)
        until(lambda: one.knows and two.knows)
        one.ask(traffic(600, harm=True))
        until(lambda: all("group=minority" in each.gateway.router.routes("m").safe for each in (one, two)))
        assert {a.parameters["served_by"] for a in two.ask(traffic(60, harm=True)[::6])} == {"baseline"}
        assert {a.parameters["served_by"] for a in two.ask(traffic(60, harm=True)[1::6])} == {"compressed"}
        for each in (one, two):
            until(lambda each=each: _asked(each.app, "/v1/events")["events"])  # type: ignore[misc]
            assert _asked(each.app, "/v1/models/m")["safe"] == ["group=minority"]
            verdicts = _asked(each.app, "/v1/models/m/verdicts?scope=group=minority")["verdicts"]
            assert any(verdict["outcome"] == "breach" for verdict in verdicts)
            assert _asked(each.app, "/v1/events")["events"][0]["kind"] == "breach"
        until(lambda: made.judged() == 620)
        with made.bus() as bus:
            bus.publish(topic(LABELS), encode_labels([Label("m", one.ids[0], 0, 1, 1.0)]), "m")
            bus.flush(5.0)
        until(lambda: (state := made.state()) is not None and state.labels.get("joined") == 1)
        page = asked_of(judge.app, "/metrics").text
        assert 'tightrope_transitions_total{input="breach",model="m",scope="group=minority"} 1.0' in page
        until(lambda: 'tightrope_lag_records{reader="judges"} 0.0' in asked_of(judge.app, "/metrics").text)


def _asked(app: object, path: str) -> dict[str, Any]:
    """One answer of the gateway's status API."""
    answer = asked_of(app, path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
