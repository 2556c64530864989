"""The metrics page of a running server."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.configs import write_config
from tests.support.harmful_pair import config, request, traffic
from tests.support.observability import debian_servers
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import eventually
from tightrope.service.adapters.prometheus.catalogue import METRICS, max_series
from tightrope.service.adapters.prometheus.metric import MetricKind

INFER = "/v2/models/m/infer"
OPEN = {"Accept": "application/openmetrics-text; version=1.0.0"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has answered some requests, failed some callers, and sent the minority to the baseline."""
    folder = tmp_path_factory.mktemp("metrics")
    with serving(write_config(folder, config(folder, labels={}, owner="team-m", page="never"))) as running:
        for number in range(8):
            running.client.post(INFER, json=request(traffic(30, harm=True, seed=number), f"id-{number}"))
        running.client.post(INFER, content=b"{")
        running.client.post("/v2/models/nobody/infer", json=request(traffic(1, harm=False)))
        for number in range(8, 80):  # evidence comes by request
            running.client.post(INFER, json=request(traffic(30, harm=True, seed=number)))
        eventually(lambda: 'tightrope_safe_mode_active{model="m",scope="group=minority"} 1.0' in page(running))
        running.client.post(INFER, json=request(traffic(30, harm=True)))  # the baseline answers its minority
        yield running


def page(server: Server, **headers: str) -> str:
    """Return the page as a scraper gets it."""
    return server.client.get("/metrics", headers=headers).text


def test_promtool_accepts_the_page(server: Server) -> None:
    """Names, suffixes and help texts, of Tightrope's metrics and of the interpreter's."""
    assert debian_servers.run_tool("promtool", "check", "metrics", stdin=page(server)) == (0, "")


def test_promtool_finds_errors() -> None:
    """A metric that breaks the rules is reported."""
    code, words = debian_servers.run_tool("promtool", "check", "metrics", stdin="# TYPE wrong_ms counter\nwrong_ms 1\n")
    assert code != 0
    assert "wrong_ms" in words


def test_page_matches_the_catalogue(server: Server) -> None:
    """Every metric, label and label value is in the documented catalogue."""
    for family in text_string_to_metric_families(page(server)):
        if family.name.startswith(("process_", "python_")):
            continue
        metric = METRICS[family.name.removeprefix("tightrope_")]
        assert family.type == metric.kind
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels)
            for label, value in sample.labels.items():
                assert value in metric.labels.get(label, ()) or not metric.labels.get(label)


def test_series_of_a_model_are_bounded(server: Server) -> None:
    """Their number depends on scopes and monitors, not on callers' input."""
    samples = [s for f in text_string_to_metric_families(page(server)) for s in f.samples]
    count = Counter(s.labels["model"] for s in samples if "model" in s.labels)
    monitors = {s.labels["monitor"] for s in samples if "monitor" in s.labels}
    assert set(count) == {"m", "unknown"}
    assert 100 < count["m"] <= max_series(3, len(monitors))
    assert count["unknown"] <= max_series(0, 0)


def test_counters_of_a_served_model_exist_from_the_start(server: Server) -> None:
    """A first failure must be an increase, not a new series."""
    text = page(server)
    for name, metric in METRICS.items():
        if metric.kind is MetricKind.COUNTER:
            for labels in metric.label_values({"model": ("m",), "scope": ("model", "group=minority")}):
                inner = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
                assert metric.full_name(name) + (f"{{{inner}}} " if inner else " ") in text


def test_page_tells_who_answers_for_a_model(server: Server) -> None:
    """The rules look owner and policy up there, from the configuration."""
    assert re.search(r'tightrope_model_info{mode="\w+",model="m",owner="team-m",page="never"} 1.0\n', page(server))
    assert page(server).count("tightrope_model_info{") == 1


def test_request_id_is_in_exemplars_only(server: Server) -> None:
    """Only the format with exemplars has it."""
    server.client.post(INFER, json=request([1, 0, 0, 0], "id-7"))
    assert re.search(r'tightrope_request_seconds_bucket{[^}]*} [\d.]+ # {request_id="id-\d"} ', page(server, **OPEN))
    without = re.sub(r" # {.*", "", page(server, **OPEN))
    assert "id-" not in without
    assert "id-" not in page(server)


@pytest.mark.parametrize("id_", ["x" * 128, "a\u2028b", 'quote"\n', "tab\t", "é"])
def test_odd_request_id_does_not_break_the_page(server: Server, id_: str) -> None:
    """It is left out; the request is answered and counted."""
    assert server.client.post(INFER, json=request([1, 0, 0, 0], id_)).json()["id"] == id_
    assert page(server, **OPEN).endswith("# EOF\n")
    assert id_ not in page(server, **OPEN)


def test_page_has_no_duplicates(server: Server) -> None:
    """There is no `_created` beside the counters."""
    assert "_created" not in page(server)
    assert "_created" not in page(server, **OPEN)
