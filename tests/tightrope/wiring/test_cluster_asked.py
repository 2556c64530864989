"""Gateways on a real broker ask the baseline again about the classes that the judge's modes name."""

from pathlib import Path

import numpy as np

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_of, wait_until, write_config_on
from tests.support.harmful_pair import Rows
from tests.support.in_process import infer_request
from tests.support.narrowed_pair import AT_ONCE, SAID, by_answer, config, rows
from tightrope.demo.broker import Broker
from tightrope.monitors.records import MODEL_SCOPE, Routes
from tightrope.service.adapters.topics import CONTROL
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import mapping, pack, unpack
from tightrope.service.routing.router import Router
from tightrope.wiring import shadow_processes

MOST_ROWS = 16_384
"""Rows after which the model must be narrowed."""

SMALL, AGAIN, FULL = ("compressed", None), ("baseline", True), ("baseline", None)
"""The model that answers, and whether it was asked again."""


def answers(gateway: ClusterGateway, sent: Rows) -> set[tuple[object, object]]:
    """The models that answer requests of one row each."""
    given = [answer.parameters for answer in gateway.ask(sent)]
    return {(each["served_by"], each.get("escalated")) for each in given}


def narrow(gateway: ClusterGateway) -> None:
    """Send rows until the modes from the topic narrow the model."""
    router = gateway.gateway.router
    for begin in range(0, MOST_ROWS, AT_ONCE):
        if router.asked_classes("m"):
            return
        gateway.gateway.infer(gateway.gateway.pair("m"), infer_request(rows(MOST_ROWS)[begin : begin + AT_ONCE]))
    wait_until(lambda: bool(router.asked_classes("m")))


def told(cluster: Cluster) -> tuple[bytes, Routes]:
    """The latest modes on the topic, as they are written and as they are read."""
    values = [record.value for record in cluster.records(CONTROL)]
    written = [value for value in values if record_codec.schema_of(value) == record_codec.ROUTES_SCHEMA]
    return written[-1], record_codec.decode_routes(written[-1])


def test_gateways_ask_again_once_the_modes_have_come(kafka: Broker, tmp_path: Path) -> None:
    """Before them the compressed model answers all; then what says the class is asked again, and nothing else. A
    gateway that starts later reads the same; one whose configuration asks nothing again has the baseline answer all.
    """
    path = write_config_on(kafka.address, tmp_path, config(tmp_path))
    said, others = by_answer(rows(4096))
    with cluster_of(path) as cluster:
        cluster.make_topics()
        for part in (shadow_processes.worker, shadow_processes.judge):
            cluster.start(part)
        gateway = cluster.gateway()
        wait_until(lambda: gateway.has_modes)
        assert answers(gateway, np.vstack([said, others])) == {SMALL}
        narrow(gateway)
        assert (answers(gateway, said), answers(gateway, others)) == ({AGAIN}, {SMALL})
        later = cluster.gateway()
        wait_until(lambda: later.has_modes)
        assert (answers(later, said), answers(later, others)) == ({AGAIN}, {SMALL})
        (tmp_path / "plain").mkdir()
        plain = config(tmp_path, class_gain="fall_back")
        with cluster_of(write_config_on(kafka.address, tmp_path / "plain", plain, {"prefix": cluster.prefix})) as other:
            whole = other.gateway()
            wait_until(lambda: whole.has_modes)
            assert answers(whole, np.vstack([said, others])) == {FULL}
        written, read = told(cluster)
    assert (read.safe, read.asked) == ((MODEL_SCOPE,), (SAID,))
    assert_whole_model_is_safe(written)


def assert_whole_model_is_safe(written: bytes) -> None:
    """Check that a reader of an earlier release, which knows no classes, has the baseline answer the whole model."""
    body = dict(mapping(unpack(written, record_codec.ROUTES_SCHEMA), "routes"))
    assert body.pop("asked") == [SAID]
    router = Router({"m": ()}, askable=("m",))
    router.apply(record_codec.decode_routes(pack(record_codec.ROUTES_SCHEMA, body)))
    assert router.baseline_scopes("m") == {MODEL_SCOPE}
    assert router.asked_classes("m") == frozenset()
