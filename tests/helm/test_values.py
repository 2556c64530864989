"""The chart refuses unknown and impossible values, in a line that names the key and a valid value."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.support.charts import CHART, CLUSTER, SHAPES, helm, of_kind, pods, refused, rendered
from tests.support.configs import ROOT
from tightrope import __version__

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = YAML(typ="safe").load(CHART / "values.yaml")
SMALL, SMALL_CLUSTER = "embedded-values.yaml", "cluster-values.yaml"
JOB = "metrics.grafana.enabled=true,metrics.grafana.address=http://g:3000,metrics.grafana.existingSecret=g"

REFUSED_VALUES = [
    (SMALL, "shape=clustr", "shape"),
    (SMALL, "replicas=3", "replicas"),
    (SMALL, "embedded.persistence.sise=3Gi", "sise"),
    (SMALL, "config.state=elsewhere", "config"),
    (SMALL, "config.server.port=80", "port"),
    (SMALL, "config.server.grpc_port=0,gateway.grpc.enabled=true", "grpc_port"),
    (
        SMALL,
        "config.server.grpc_port=8001",
        "config.server.grpc_port: is set, but the pod does not expose it",
    ),
    (
        SMALL,
        "config.server.port=8001,gateway.grpc.enabled=true",
        "config.server.grpc_port: is 8001, which is the HTTP port",
    ),
    (SMALL, "gateway.grpc.port=8001", "port"),
    (SMALL, "image.digest=latest", "digest"),
    (SMALL, "config.models=null", "models"),
    (SMALL, "models.existingClaim=", "existingClaim"),
    (SMALL, "models.volume.nfs.server=nas,models.volume.csi.driver=s3", "volume"),
    (SMALL, "models.volume.nffs.server=nas", "volume"),
    (SMALL, "models.volume.name=weights", "volume"),
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
        "config.bus.kafka.servers: is missing; shape: cluster needs Kafka",
    ),
    (SMALL_CLUSTER, "worker.replicas=7", "worker.replicas: is 7, but config.bus.kafka.partitions is 6"),
    (SMALL_CLUSTER, "judge.replicas=9", "judge.replicas: is 9, but config.bus.kafka.partitions is 6"),
    (
        SMALL_CLUSTER,
        "worker.keda.enabled=true,worker.keda.maxReplicas=8",
        "worker.keda.maxReplicas: is 8, but config.bus.kafka.partitions is 6",
    ),
    (
        SMALL,
        "secrets.signing.existingSecret=s",
        "secrets.signing.existingSecret: is set, but the embedded shape has no bus",
    ),
    (
        SMALL_CLUSTER,
        "secrets.signing.previousKey=old",
        "secrets.signing.previousKey: is set without existingSecret; name the secret that has both keys",
    ),
    (SMALL_CLUSTER, "secrets.signing.secret=s", "secret"),
    (SMALL, "metrics.grafana.enabled=true", "metrics.grafana.address: is empty; metrics.grafana.enabled needs it"),
    (SMALL, f"{JOB},metrics.grafana.existingSecret=", "metrics.grafana.existingSecret: is empty"),
    (SMALL, f"{JOB},metrics.grafana.address=grafana:3000", "address"),
    (SMALL, f"{JOB},metrics.grafana.folder=a folder", "folder"),
    (SMALL, f"{JOB},metrics.dashboards.enabled=true", "metrics.grafana.enabled: metrics.dashboards.enabled is set too"),
    (
        SMALL_CLUSTER,
        "config.reports.every_seconds=60",
        "config.reports.every_seconds: only the embedded shape makes drift reports",
    ),
]


def walk(schema: dict[str, Any], values: object, path: str = "") -> list[str]:
    """Return the open objects of the schema and the keys of values.yaml that it lacks, except Kubernetes' own."""
    if not isinstance(values, dict) or "properties" not in schema:
        return []
    closed = schema.get("additionalProperties") is False or path in {".config", ".config.server"}
    found = [] if closed else [f"{path}: open"]
    for key, value in values.items():
        inner = schema["properties"].get(key)
        found += [f"{path}.{key}: unknown"] if inner is None else walk(inner, value, f"{path}.{key}")
    return found


def test_schema_knows_every_value_and_nothing_else() -> None:
    """The chart refuses misspelt keys in all its own sections, and every key of the schema has a default."""
    assert walk(SCHEMA, VALUES) == []
    assert set(SCHEMA["properties"]) - {"global"} == set(VALUES)
    for key, section in SCHEMA["properties"].items():
        if key not in {"global", "config"} and "properties" in section:
            assert set(section["properties"]) == set(VALUES[key]), key


@pytest.mark.parametrize(("shape", "setting", "words"), REFUSED_VALUES)
def test_impossible_values_are_refused(shape: str, setting: str, words: str) -> None:
    """Helm fails before the installation and names the key."""
    assert words in refused(shape, "--set", setting)


def test_as_many_workers_as_partitions_are_allowed() -> None:
    """The largest allowed number is accepted."""
    deployments = of_kind(rendered(SMALL_CLUSTER, "--set", "worker.replicas=6"), "Deployment")
    assert 6 in [found["spec"]["replicas"] for found in deployments]


def test_gateways_of_a_cluster_may_be_several_processes() -> None:
    """`server.processes` is passed on, and the number of pods stays the same."""
    manifests = rendered(SMALL_CLUSTER, "--set", "config.server.processes=2")
    (config,) = [found for found in of_kind(manifests, "ConfigMap") if "tightrope.yaml" in found["data"]]
    assert YAML(typ="safe").load(config["data"]["tightrope.yaml"])["server"]["processes"] == 2
    assert (
        of_kind(manifests, "Deployment")[0]["spec"]["replicas"]
        == of_kind(rendered(SMALL_CLUSTER), "Deployment")[0]["spec"]["replicas"]
    )


def test_chart_creates_no_secret() -> None:
    """Secrets are referenced by name and mounted as files; variables hold none."""
    for shape in SHAPES:
        assert not of_kind(rendered(shape), "Secret")
        for _, pod in pods(rendered(shape)):
            for variable in pod["spec"]["containers"][0].get("env", []):
                assert "secretKeyRef" not in variable.get("valueFrom", {})


def test_digest_takes_precedence_over_the_tag() -> None:
    """Drift reports select the other image; without a digest the tag is the chart's version."""
    for shape, image in (
        (SMALL, f"tightrope:{__version__}"),
        ("embedded-full-values.yaml", "tightrope-reports@sha256:" + 64 * "0"),
    ):
        assert {pod["spec"]["containers"][0]["image"] for _, pod in pods(rendered(shape))} == {image}


def test_network_policy_lists_peers_and_destinations() -> None:
    """An empty list would allow all peers, so the rule is left out; Kafka's ports come from the configuration."""
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
def test_only_the_dashboards_job_may_reach_grafana(address: str, port: int) -> None:
    """The rule names Grafana's port; without a network policy there is no rule."""
    more = ("--set", f"{JOB},metrics.grafana.address={address}")
    (found,) = [m["spec"] for m in of_kind(rendered(SMALL, *more), "NetworkPolicy") if "dashboards" in str(m["spec"])]
    assert found["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "dashboards"
    assert found["egress"] == [{"ports": [{"port": port, "protocol": "TCP"}]}]
    without = rendered(SMALL, "--set", f"{JOB},networkPolicy.enabled=false")
    assert (len(of_kind(without, "Job")), len(of_kind(without, "NetworkPolicy"))) == (1, 0)


def test_reviewers_reach_the_judges_and_nothing_else() -> None:
    """Only where they are named; the embedded shape shows the page on the port of its callers."""
    peers = "networkPolicy.reviewers[0].podSelector.matchLabels.app=review-proxy"
    policies = of_kind(rendered("cluster-full-values.yaml", "--set", peers), "NetworkPolicy")
    (found,) = [each["spec"] for each in policies if each["metadata"]["name"].endswith("-reviewers")]
    assert found["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "judge"
    assert found["ingress"] == [
        {"from": [{"podSelector": {"matchLabels": {"app": "review-proxy"}}}], "ports": [{"port": "http"}]}
    ]
    for others in (rendered("cluster-full-values.yaml"), rendered("embedded-full-values.yaml", "--set", peers)):
        names = [each["metadata"]["name"] for each in of_kind(others, "NetworkPolicy")]
        assert not [name for name in names if name.endswith("-reviewers")]


def test_every_shape_has_values_of_its_own() -> None:
    """The tests cover the smallest and the fullest values of each shape."""
    assert len(SHAPES) == 2 * len(CLUSTER) == 4


def test_values_of_the_page_are_accepted(tmp_path: Path) -> None:
    """The example in docs/install.md renders."""
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "install.md").read_text(), flags=re.DOTALL)
    (tmp_path / "values.yaml").write_text(block)
    ended = helm("helm3", "template", "demo", CHART, "-f", tmp_path / "values.yaml")
    assert ended.returncode == 0, ended.stderr
    assert f"registry.example.org/tightrope:{__version__}" in ended.stdout
