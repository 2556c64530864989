"""The demo's harmed group is found over HTTP with nothing declared, and its declaration comes from the gateway."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.support.cluster.cluster import wait_until
from tests.support.commands import tightrope
from tests.support.configs import TOKEN
from tests.support.servers import Server, serving
from tightrope.demo.replay import DEMO_FOLDER, DEMO_MODEL, traffic
from tightrope.offline.group_declaration import Gateway, NoDeclarationError
from tightrope.offline.running_gateway import RefusedRequestError

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


SCOPE = "residence=group_quarters"


def test_group_is_named_by_its_titles(server: Server) -> None:
    """With its figures, in the list, the audit trail and the metrics."""
    group = Gateway(server.address).group(DEMO_MODEL, "1")
    assert group["words"] == "residence: group quarters"
    assert (group["scope"], group["watched"]) == (SCOPE, False)
    assert group["now"]["lower"] > group["limit"]
    assert group["row"] <= ROWS
    events = server.client.get("/v1/events").json()["events"]
    assert next(event["reason"] for event in events if event["kind"] == "group-found").startswith(group["words"])
    assert f'tightrope_found_groups{{model="{DEMO_MODEL}"}} 1.0' in server.client.get("/metrics").text


def test_command_prints_the_lines_of_configuration(server: Server) -> None:
    """As a comment for people, and as YAML; nothing is watched by that."""
    printed = tightrope("watch-group", "--url", server.address, "1")
    assert printed.returncode == 0
    declared = YAML(typ="safe").load(printed.stdout)["models"][DEMO_MODEL]["subgroups"]
    assert declared == {"residence": {"column": 3, "values": {"group_quarters": [17]}}}
    assert printed.stdout.startswith("# residence: group quarters: ")
    assert json.loads(tightrope("watch-group", "--url", server.address, SCOPE, "--json").stdout)["number"] == 1
    assert server.client.get(f"/v1/models/{DEMO_MODEL}").json()["added"] == {}


def test_what_is_missing_is_told(server: Server) -> None:
    """With what there is."""
    gateway = Gateway(server.address)
    with pytest.raises(NoDeclarationError, match="has no found group 7; 1: residence: group quarters"):
        gateway.group(DEMO_MODEL, "7")
    with pytest.raises(RefusedRequestError, match="nope"):
        gateway.group("nope", "1")
    with pytest.raises(RefusedRequestError, match="TIGHTROPE_CONTROL_TOKEN: is not set"):
        gateway.watch(DEMO_MODEL, SCOPE, "incident 7")
    with pytest.raises(NoDeclarationError, match="CONFIG: give the configuration file"):
        Gateway.of(None, None)
    with pytest.raises(NoDeclarationError, match="CONFIG: give the configuration file"):
        Gateway.of(Path("config.yaml"), server.address)


def test_group_is_watched_by_an_order_and_then_no_more(server: Server) -> None:
    """Its verdicts, its mode and its metrics are there at once, and orders reach it as any scope; all of it ends."""
    environ = {"TIGHTROPE_CONTROL_TOKEN": TOKEN}
    watched = tightrope("watch-group", "--url", server.address, "1", "--reason", "incident 7", **environ)
    assert (watched.returncode, watched.stdout.split()[:2]) == (0, ["watched", SCOPE])
    status = server.client.get(f"/v1/models/{DEMO_MODEL}").json()
    assert (status["scopes"][SCOPE], status["added"]) == ("normal", {SCOPE: "residence: group quarters"})
    verdicts = server.client.get(f"/v1/models/{DEMO_MODEL}/verdicts", params={"scope": SCOPE}).json()["verdicts"]
    assert "disagreement" in {verdict["monitor"] for verdict in verdicts}
    gateway = Gateway(server.address, TOKEN)
    assert gateway.group(DEMO_MODEL, SCOPE)["watched"]
    with pytest.raises(RefusedRequestError, match="is watched already"):
        gateway.watch(DEMO_MODEL, SCOPE, "incident 8")
    headers, body = {"Authorization": f"Bearer {TOKEN}"}, {"scope": SCOPE, "reason": "incident 8", "actor": "eve"}
    forced = server.client.post(f"/v1/models/{DEMO_MODEL}/force-safe", json=body, headers=headers).json()
    assert (forced["safe"], forced["confirmed"]) == ([SCOPE], True)
    series = f'tightrope_safe_mode_active{{model="{DEMO_MODEL}",scope="{SCOPE}"}} 1.0'
    wait_until(lambda: series in server.client.get("/metrics").text)
    assert served_by(server, 17.0) == "baseline"
    assert served_by(server, 2.0) == "compressed"
    with pytest.raises(RefusedRequestError, match="is in safe mode: give the order force-normal first"):
        gateway.watch(DEMO_MODEL, SCOPE, "over", undo=True)
    server.client.post(f"/v1/models/{DEMO_MODEL}/force-normal", json=body, headers=headers)
    order = gateway.watch(DEMO_MODEL, SCOPE, "over", "eve", undo=True)
    assert SCOPE not in server.client.get(f"/v1/models/{DEMO_MODEL}").json()["scopes"]
    wait_until(lambda: not gauges_of_the_scope(server))
    events = server.client.get("/v1/events").json()["events"]
    told = {event["id"]: (event["kind"], event["actor"], event["reason"]) for event in events}
    assert told[order] == ("group-unwatched", "eve", "over")
    refused = server.client.post(f"/v1/models/{DEMO_MODEL}/watch-group", json=body)
    assert refused.status_code == 401


def gauges_of_the_scope(server: Server) -> list[str]:
    """The lines of gauges that name the scope."""
    gauges = ("safe_mode", "scope_state", "verdict", "evidence", "monitor", "held_breach")
    lines = server.client.get("/metrics").text.splitlines()
    return [line for line in lines if SCOPE in line and line.removeprefix("tightrope_").startswith(gauges)]


def served_by(server: Server, residence: float) -> str:
    """The role that answers a row with this residence."""
    row = next(row.codes for row in traffic() if row.codes[3] == residence)
    content = {"name": "codes", "shape": [1, 16], "datatype": "FP32", "data": row}
    (content["name"],) = (each["name"] for each in server.client.get(f"/v2/models/{DEMO_MODEL}").json()["inputs"])
    answer = server.client.post(f"/v2/models/{DEMO_MODEL}/infer", json={"inputs": [content]}).json()
    return str(answer["parameters"]["served_by"])
