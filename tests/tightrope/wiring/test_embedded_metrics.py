"""The page that a running server shows to Prometheus."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.harmful_pair import config, request, traffic
from tests.support.observability import debian_servers
from tests.support.servers import Server, serving, write_config
from tightrope.service.adapters.prometheus.catalogue import CATALOGUE, Kind, most_series

INFER = "/v2/models/m/infer"
OPEN = {"Accept": "application/openmetrics-text; version=1.0.0"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has answered some requests, failed some callers, and sent the minority to the baseline."""
    folder = tmp_path_factory.mktemp("metrics")
    with serving(write_config(folder, config(folder, labels={}))) as running:
        for number in range(8):
            running.client.post(INFER, json=request(traffic(30, harm=True, seed=number), f"id-{number}"))
        running.client.post(INFER, content=b"{")
        running.client.post("/v2/models/nobody/infer", json=request(traffic(1, harm=False)))
        while 'tightrope_safe_mode_active{model="m",scope="group=minority"} 1.0' not in page(running):
            running.client.post(INFER, json=request(traffic(30, harm=True)))
        yield running


def page(server: Server, **headers: str) -> str:
    """What a scraper gets."""
    return server.client.get("/metrics", headers=headers).text


def test_promtool_finds_nothing_to_criticise(server: Server) -> None:
    """Names, suffixes, help texts; of Tightrope's, and of the interpreter's."""
    assert debian_servers.said("promtool", "check", "metrics", stdin=page(server)) == (0, "")


def test_promtool_would_criticise() -> None:
    """A metric that breaks the rules is seen."""
    code, words = debian_servers.said("promtool", "check", "metrics", stdin="# TYPE wrong_ms counter\nwrong_ms 1\n")
    assert code != 0
    assert "wrong_ms" in words


def test_everything_shown_is_in_the_catalogue_with_its_labels(server: Server) -> None:
    """No metric, label or label value that the page of metrics does not list."""
    for family in text_string_to_metric_families(page(server)):
        if family.name.startswith(("process_", "python_")):
            continue
        metric = CATALOGUE[family.name.removeprefix("tightrope_")]
        assert family.type == metric.kind
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels)
            for label, value in sample.labels.items():
                assert value in metric.labels.get(label, ()) or not metric.labels.get(label)


def test_series_of_a_model_stay_within_the_bound(server: Server) -> None:
    """As many as scopes and monitors allow, whatever callers send."""
    samples = [s for f in text_string_to_metric_families(page(server)) for s in f.samples]
    count = Counter(s.labels["model"] for s in samples if "model" in s.labels)
    monitors = {s.labels["monitor"] for s in samples if "monitor" in s.labels}
    assert set(count) == {"m", "unknown"}
    assert 100 < count["m"] <= most_series(3, len(monitors))
    assert count["unknown"] <= most_series(0, 0)


def test_counters_of_a_served_model_exist_from_the_start(server: Server) -> None:
    """Also of what has not happened: a first failure is an increase, not a new series."""
    text = page(server)
    for name, metric in CATALOGUE.items():
        if metric.kind is Kind.COUNTER:
            for labels in metric.label_values({"model": ("m",), "scope": ("model", "group=minority")}):
                inner = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
                assert f"{metric.full_name(name)}{{{inner}}} " in text


def test_request_id_is_in_exemplars_and_nowhere_else(server: Server) -> None:
    """Only in the format that has exemplars."""
    server.client.post(INFER, json=request([1, 0, 0, 0], "id-7"))
    assert re.search(r'tightrope_request_seconds_bucket{[^}]*} [\d.]+ # {request_id="id-\d"} ', page(server, **OPEN))
    without = re.sub(r" # {.*", "", page(server, **OPEN))
    assert "id-" not in without
    assert "id-" not in page(server)


@pytest.mark.parametrize("id_", ["x" * 128, "a\u2028b", 'quote"\n', "tab\t", "é"])
def test_odd_request_id_breaks_no_page(server: Server, id_: str) -> None:
    """It is not shown; the request is answered and counted as ever."""
    assert server.client.post(INFER, json=request([1, 0, 0, 0], id_)).json()["id"] == id_
    assert page(server, **OPEN).endswith("# EOF\n")
    assert id_ not in page(server, **OPEN)


def test_nothing_is_shown_twice(server: Server) -> None:
    """No `_created` beside the counters."""
    assert "_created" not in page(server)
    assert "_created" not in page(server, **OPEN)
