"""The chart's values: what it does not understand it refuses, in a line that says what would be right."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.support.charts import CHART, CLUSTER, SHAPES, helm, of_kind, pods, refused, rendered
from tests.support.servers import ROOT

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = YAML(typ="safe").load(CHART / "values.yaml")
SMALL, SMALL_CLUSTER = "embedded-values.yaml", "cluster-values.yaml"
JOB = "metrics.grafana.enabled=true,metrics.grafana.address=http://g:3000,metrics.grafana.existingSecret=g"

WRONG = [
    (SMALL, "shape=clustr", "shape"),
    (SMALL, "replicas=3", "replicas"),
    (SMALL, "embedded.persistence.sise=3Gi", "sise"),
    (SMALL, "config.state=elsewhere", "config"),
    (SMALL, "config.server.port=80", "port"),
    (SMALL, "config.server.grpc_port=0,gateway.grpc.enabled=true", "grpc_port"),
    (
        SMALL,
        "config.server.grpc_port=8001",
        "config.server.grpc_port: is set, but nobody could reach it",
    ),
    (SMALL, "config.server.port=8001,gateway.grpc.enabled=true", "config.server.grpc_port: is 8001, which is HTTP's"),
    (SMALL, "gateway.grpc.port=8001", "port"),
    (SMALL, "image.digest=latest", "digest"),
    (SMALL, "config.models=null", "models"),
    (SMALL, "config.bus.kafka.prefix=x", "config.bus: the embedded shape has no bus; set shape: cluster"),
    (
        SMALL,
        "config.server.processes=2",
        "config.server.processes: the embedded shape is one process; set shape: cluster, or leave it out",
    ),
    (SMALL_CLUSTER, "config.server.processes=0", "processes"),
    (SMALL_CLUSTER, "config.bus=null", "bus"),
    (
        SMALL_CLUSTER,
        "config.bus.kafka.servers=null",
        "config.bus.kafka.servers: is missing; shape: cluster needs a Kafka",
    ),
    (SMALL_CLUSTER, "worker.replicas=7", "worker.replicas: is 7, but config.bus.kafka.partitions is 6"),
    (SMALL_CLUSTER, "judge.replicas=9", "judge.replicas: is 9, but config.bus.kafka.partitions is 6"),
    (
        SMALL_CLUSTER,
        "worker.keda.enabled=true,worker.keda.maxReplicas=8",
        "worker.keda.maxReplicas: is 8, but config.bus.kafka.partitions is 6",
    ),
    (SMALL, "metrics.grafana.enabled=true", "metrics.grafana.address: is empty; metrics.grafana.enabled needs it"),
    (SMALL, f"{JOB},metrics.grafana.existingSecret=", "metrics.grafana.existingSecret: is empty"),
    (SMALL, f"{JOB},metrics.grafana.address=grafana:3000", "address"),
    (SMALL, f"{JOB},metrics.grafana.folder=a folder", "folder"),
    (SMALL, f"{JOB},metrics.dashboards.enabled=true", "metrics.grafana.enabled: the sidecar brings the dashboards"),
    (SMALL_CLUSTER, "config.reports.every_seconds=60", "config.reports.every_seconds: drift reports are made in the"),
]


def walk(schema: dict[str, Any], values: object, path: str = "") -> list[str]:
    """Places where the schema is open, and keys of values.yaml that it does not know; Kubernetes' own it passes on."""
    if not isinstance(values, dict) or "properties" not in schema or path == ".models.volume":
        return []
    closed = schema.get("additionalProperties") is False or path in {".config", ".config.server"}
    found = [] if closed else [f"{path}: open"]
    for key, value in values.items():
        inner = schema["properties"].get(key)
        found += [f"{path}.{key}: unknown"] if inner is None else walk(inner, value, f"{path}.{key}")
    return found


def test_schema_knows_every_value_and_nothing_else() -> None:
    """A misspelt key is refused wherever the chart has keys of its own, and every key of the schema has a default."""
    assert walk(SCHEMA, VALUES) == []
    assert set(SCHEMA["properties"]) - {"global"} == set(VALUES)
    for key, section in SCHEMA["properties"].items():
        if key not in {"global", "config"} and "properties" in section:
            assert set(section["properties"]) == set(VALUES[key]), key


@pytest.mark.parametrize(("shape", "setting", "words"), WRONG)
def test_what_cannot_work_is_refused(shape: str, setting: str, words: str) -> None:
    """Before anything is installed, naming the key."""
    assert words in refused(shape, "--set", setting)


def test_as_many_workers_as_partitions_are_allowed() -> None:
    """The bound is a bound, not an aversion."""
    deployments = of_kind(rendered(SMALL_CLUSTER, "--set", "worker.replicas=6"), "Deployment")
    assert 6 in [found["spec"]["replicas"] for found in deployments]


def test_gateways_of_a_cluster_may_be_several_processes() -> None:
    """The configuration says so; pods are as many as ever."""
    manifests = rendered(SMALL_CLUSTER, "--set", "config.server.processes=2")
    (config,) = [found for found in of_kind(manifests, "ConfigMap") if "tightrope.yaml" in found["data"]]
    assert YAML(typ="safe").load(config["data"]["tightrope.yaml"])["server"]["processes"] == 2
    assert (
        of_kind(manifests, "Deployment")[0]["spec"]["replicas"]
        == of_kind(rendered(SMALL_CLUSTER), "Deployment")[0]["spec"]["replicas"]
    )


def test_chart_makes_no_secret() -> None:
    """Secrets are named, and mounted as files where the configuration looks for them."""
    for shape in SHAPES:
        assert not of_kind(rendered(shape), "Secret")
        for _, pod in pods(rendered(shape)):
            for variable in pod["spec"]["containers"][0].get("env", []):
                assert "secretKeyRef" not in variable.get("valueFrom", {})


def test_image_is_by_digest_where_one_is_given() -> None:
    """With drift reports it is the image that can draw them; the tag is the chart's otherwise."""
    for shape, image in (
        (SMALL, "tightrope:0.1.0"),
        ("embedded-full-values.yaml", "tightrope-reports@sha256:" + 64 * "0"),
    ):
        assert {pod["spec"]["containers"][0]["image"] for _, pod in pods(rendered(shape))} == {image}


def test_network_policy_names_who_comes_in_and_what_goes_out() -> None:
    """Nobody else: an empty list would mean everybody, so it is left out; Kafka's ports come from the configuration."""
    closed = "networkPolicy.scrapers=null,networkPolicy.callers=null,metrics.grafana.enabled=false"
    manifests = rendered("cluster-full-values.yaml", "--set", closed)
    everything, callers = (found["spec"] for found in of_kind(manifests, "NetworkPolicy"))
    assert everything["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in everything
    assert [rule["ports"] for rule in everything["egress"]][2] == [
        {"port": 9093, "protocol": "TCP"},
        {"port": 9094, "protocol": "TCP"},
    ]
    (rule,) = callers["ingress"]
    assert rule["ports"] == [{"port": "http"}, {"port": "grpc"}]
    assert [peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in rule["from"]] == ["test"]


@pytest.mark.parametrize(
    ("address", "port"), [("http://g:3000/grafana", 3000), ("http://g", 80), ("https://g.example.org/g", 443)]
)
def test_only_the_job_that_brings_the_dashboards_may_go_to_grafana(address: str, port: int) -> None:
    """By its port; without a network policy there is nothing to allow."""
    more = ("--set", f"{JOB},metrics.grafana.address={address}")
    (found,) = [m["spec"] for m in of_kind(rendered(SMALL, *more), "NetworkPolicy") if "dashboards" in str(m["spec"])]
    assert found["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "dashboards"
    assert found["egress"] == [{"ports": [{"port": port, "protocol": "TCP"}]}]
    without = rendered(SMALL, "--set", f"{JOB},networkPolicy.enabled=false")
    assert (len(of_kind(without, "Job")), len(of_kind(without, "NetworkPolicy"))) == (1, 0)


def test_every_shape_has_values_of_its_own() -> None:
    """What is installed somewhere is proved here: the smallest and the fullest of either shape."""
    assert len(SHAPES) == 2 * len(CLUSTER) == 4


def test_values_of_the_page_are_taken(tmp_path: Path) -> None:
    """What a reader of docs/install.md copies first must work."""
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "install.md").read_text(), flags=re.DOTALL)
    (tmp_path / "values.yaml").write_text(block)
    ended = helm("helm3", "template", "demo", CHART, "-f", tmp_path / "values.yaml")
    assert ended.returncode == 0, ended.stderr
    assert "registry.example.org/tightrope:0.1.0" in ended.stdout
