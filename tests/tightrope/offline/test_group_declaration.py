"""The demo's harmed group is found over HTTP with nothing declared, and its declaration comes from the gateway."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.support.commands import tightrope
from tests.support.servers import Server, serving
from tightrope.demo.replay import DEMO_FOLDER, DEMO_MODEL, traffic
from tightrope.offline.group_declaration import NoDeclarationError, found_group

ROWS = 1_000
"""Requests within which the group has to be named."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway with the demo's model that was distilled on households alone, and requests of one row each."""
    folder = tmp_path_factory.mktemp("groups")
    pair = {
        "baseline": str(DEMO_FOLDER / "models/baseline_fp32.onnx"),
        "compressed": str(DEMO_FOLDER / "models/bad_distilled_households_only.onnx"),
        "golden": str(DEMO_FOLDER / "data/golden.csv"),
        "mode": "advisory",
        "limits": {"disagreement": 0.07},
        "subgroup_limits": {"disagreement": 0.1},
        "columns": {3: {"title": "residence", "codes": {17: "group quarters"}}},
    }
    config = {"models": {DEMO_MODEL: pair}, "server": {"port": 0}, "state": {"folder": str(folder / "state")}}
    with (folder / "config.yaml").open("w") as file:
        YAML(typ="safe").dump(config, file)
    with serving(folder / "config.yaml") as running:
        (tensor,) = running.client.get(f"/v2/models/{DEMO_MODEL}").json()["inputs"]
        for row in traffic()[:ROWS]:
            content = {"name": tensor["name"], "shape": [1, 16], "datatype": "FP32", "data": row.codes}
            sent = running.client.post(f"/v2/models/{DEMO_MODEL}/infer", json={"id": row.id, "inputs": [content]})
            sent.raise_for_status()
        yield running


def test_group_is_named_by_its_titles(server: Server) -> None:
    """With its figures, in the list, the audit trail and the metrics."""
    group = found_group(server.address, DEMO_MODEL, 1)
    assert group["words"] == "residence: group quarters"
    assert group["now"]["lower"] > group["limit"]
    assert group["row"] <= ROWS
    events = server.client.get("/v1/events").json()["events"]
    assert next(event["reason"] for event in events if event["kind"] == "group-found").startswith(group["words"])
    assert f'tightrope_found_groups{{model="{DEMO_MODEL}"}} 1.0' in server.client.get("/metrics").text


def test_order_prints_the_lines_of_configuration(server: Server) -> None:
    """As a comment for people, and as YAML."""
    printed = tightrope("watch-group", server.address, DEMO_MODEL, "1")
    assert printed.returncode == 0
    declared = YAML(typ="safe").load(printed.stdout)["models"][DEMO_MODEL]["subgroups"]
    assert declared == {"residence": {"column": 3, "values": {"group_quarters": [17]}}}
    assert printed.stdout.startswith("# residence: group quarters: ")
    assert json.loads(tightrope("watch-group", server.address, DEMO_MODEL, "1", "--json").stdout)["number"] == 1


@pytest.mark.parametrize(
    ("model", "number", "told"),
    [
        (DEMO_MODEL, 7, "has no found group 7; 1: residence: group quarters"),
        ("nope", 1, "nope"),
    ],
)
def test_what_is_missing_is_told(server: Server, model: str, number: int, told: str) -> None:
    """With what there is."""
    with pytest.raises(NoDeclarationError, match=told):
        found_group(server.address, model, number)


def test_gateway_of_a_configuration_is_asked(tmp_path: Path) -> None:
    """At its port; without an answer the address is told."""
    (tmp_path / "c.yaml").write_text("models: {m: {baseline: a, compressed: b}}\nserver: {host: '::', port: 9}\n")
    with pytest.raises(NoDeclarationError, match=r"http://127\.0\.0\.1:9: "):
        found_group(str(tmp_path / "c.yaml"), "m", 1)
