"""Custom resources for KEDA, Prometheus' operator and Grafana's sidecar; rules and dashboards come from dashboards/."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.support.charts import EMBEDDED, FULL, Manifest, configuration, of_kind, rendered, text
from tests.support.configs import ROOT
from tests.support.helm_tools import program
from tightrope.dashboards.boards import boards
from tightrope.dashboards.installation import rules_with_labels

RULES = """groups:
  - name: trial
    rules:
      - alert: Trial
        expr: up{job=~"tightrope.*"} == 0
        for: 5m
        annotations:
          summary: '{{ $labels.instance }} is "down" {{ $value | humanize }}'
          runbook_url: https://runbooks.example.org/tightrope#trial
          dashboard_url: https://grafana.example.org/d/trial
          report_url: https://tightrope.example.org/v1
"""
PICTURE = {"title": "{{model}}", "panels": [{"targets": [{"expr": 'up{a="b"}', "legendFormat": "{{ model }}"}]}]}


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the chart with one more rule, test of rules and dashboard in dashboards/."""
    folder = tmp_path_factory.mktemp("chart")
    shutil.copytree(ROOT / "helm", folder / "helm", symlinks=True)
    shutil.copytree(ROOT / "dashboards", folder / "dashboards")
    (folder / "dashboards" / "rules").mkdir(exist_ok=True)
    (folder / "dashboards" / "rules" / "trial.yml").write_text(RULES)
    (folder / "dashboards" / "rules" / "trial_test.yml").write_text("tests: []\n")
    (folder / "dashboards" / "trial_picture.json").write_text(json.dumps(PICTURE))
    return folder / "helm"


def validate(manifests: str) -> list[str]:
    """Return the errors of the custom resource models; the last line has the number of checked resources."""
    command = [program("python"), ROOT / "tests" / "helm" / "resources.py"]
    ended = subprocess.run(command, input=manifests, capture_output=True, text=True, check=True, timeout=200)
    return ended.stdout.splitlines()


def test_custom_resources_fit_their_definitions(chart: Path) -> None:
    """Every key is known and every value fits; an added wrong key and an added wrong value are found."""
    wrong = text(FULL[0], chart=chart).replace("minReplicaCount: 1", "minReplicaCount: few\n  maxReplicas: 3", 1)
    found = validate(
        "\n---\n".join([*(text(shape, chart=chart) for shape in FULL), wrong.replace("jobLabel", "jobLabl")])
    )
    assert found[-1] == f"checked {sum(count(shape, chart) for shape in (*FULL, FULL[0]))}"
    assert {line.partition(":")[0] for line in found[:-1]} == {
        "spec.minReplicaCount",
        "ServiceMonitor.spec.jobLabl",
        "PodMonitor.spec.jobLabl",
    }


def count(shape: str, chart: Path) -> int:
    """Return the number of custom resources of a shape."""
    kinds = ("ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule")
    return sum(len(of_kind(rendered(shape, chart=chart), kind)) for kind in kinds)


@pytest.mark.parametrize("shape", FULL)
def test_rules_are_those_of_dashboards(shape: str, chart: Path) -> None:
    """Every rule file selects the release's namespace, and is included unchanged apart from that, Prometheus' templates
    too; tests of rules are left out.
    """
    found = {one["metadata"]["name"]: one["spec"] for one in of_kind(rendered(shape, chart=chart), "PrometheusRule")}
    files = [path for path in (chart.parent / "dashboards" / "rules").glob("*.yml") if not path.stem.endswith("_test")]
    assert "trial" in {path.stem for path in files}
    texts = {path.stem: rules_with_labels(path.read_text(), {"namespace": "prod"}) for path in files}
    assert found == {f"demo-tightrope-{name}": YAML(typ="safe").load(text) for name, text in texts.items()}
    assert 'namespace="prod"' in texts["alerts"]


LABELS = {"cluster": "eu", "namespace": "prod", "region": "north"}


def test_labels_of_the_installation_are_on_series_rules_alerts_and_dashboards() -> None:
    """They equal what `tightrope dashboards render` gives; the judge's alerts have them, if nothing else is set."""
    more = ("--set", "metrics.labels.cluster=eu,metrics.labels.region=north,config.alerts.labels.region=mine")
    manifests = rendered("embedded-full-values.yaml", *more)
    (monitor,) = of_kind(manifests, "ServiceMonitor")
    assert monitor["spec"]["endpoints"][0]["relabelings"] == [
        {"action": "replace", "targetLabel": name, "replacement": LABELS[name]} for name in ("cluster", "region")
    ]
    found = {m["metadata"]["name"].rpartition("-")[2]: m["spec"] for m in of_kind(manifests, "PrometheusRule")}
    for name in ("alerts", "recording"):
        text = (ROOT / f"dashboards/rules/{name}.yml").read_text()
        assert found[name] == YAML(typ="safe").load(rules_with_labels(text, LABELS))
    config = YAML(typ="safe").load(configuration(manifests))
    assert config["alerts"]["labels"] == {**LABELS, "region": "mine"}
    data = {
        name: json.loads(t) for m in of_kind(manifests, "ConfigMap") for name, t in m["data"].items() if "json" in name
    }
    assert data == {f"{uid}.json": board for uid, board in boards(tuple(LABELS)).items()}


def test_dashboards_job_and_pod_monitor_have_the_labels() -> None:
    """A cluster's workers and judges are scraped by a monitor of pods."""
    manifests = rendered("cluster-full-values.yaml", "--set", "metrics.labels.cluster=eu,metrics.labels.region=north")
    (monitor,) = of_kind(manifests, "PodMonitor")
    assert [one["targetLabel"] for one in monitor["spec"]["podMetricsEndpoints"][0]["relabelings"]] == [
        "cluster",
        "region",
    ]
    (job,) = (m for m in of_kind(manifests, "Job") if m["metadata"]["name"].endswith("dashboards"))
    assert "--label=region" in job["spec"]["template"]["spec"]["containers"][0]["args"]


@pytest.mark.parametrize("shape", [name for name in FULL if name in EMBEDDED])
def test_dashboards_are_those_of_dashboards(shape: str, chart: Path) -> None:
    """Each has a ConfigMap with the sidecar's label, below the size limit of a ConfigMap."""
    found = [m for m in of_kind(rendered(shape, chart=chart), "ConfigMap") if "tightrope.yaml" not in m["data"]]
    files = sorted((chart.parent / "dashboards").rglob("*.json"))
    data = {name: json.loads(content) for one in found for name, content in one["data"].items()}
    assert data == {path.name: json.loads(path.read_text()) for path in files}
    assert data["trial_picture.json"] == PICTURE
    assert {one["metadata"]["labels"]["grafana_dashboard"] for one in found} == {"1"}
    assert all(len(content) < 2**20 for one in found for content in one["data"].values())


def test_addresses_come_from_the_configuration(chart: Path) -> None:
    """Alerts link to the configured Grafana, runbook and gateway."""
    addresses = {"grafana": "https://g.test", "runbook": "https://wiki.test/page", "gateway": "https://t.test"}
    more = [part for key, address in addresses.items() for part in ("--set", f"config.alerts.{key}={address}")]
    manifests = rendered(FULL[0], *more, chart=chart)
    (found,) = [m for m in of_kind(manifests, "PrometheusRule") if m["metadata"]["name"].endswith("trial")]
    annotations = found["spec"]["groups"][0]["rules"][0]["annotations"]
    assert annotations["runbook_url"] == "https://wiki.test/page#trial"
    assert annotations["dashboard_url"] == "https://g.test/d/trial"
    assert annotations["report_url"] == "https://t.test/v1"
    assert "g.test" in configuration(manifests)
    assert "example.org" not in str(of_kind(manifests, "PrometheusRule"))


def test_packaged_chart_has_rules_and_dashboards_only(chart: Path, tmp_path: Path) -> None:
    """A package has files instead of the link to dashboards/: rules and JSON, without code and tests."""
    packed = subprocess.run(
        [program("helm3"), "package", chart, "-d", tmp_path], capture_output=True, text=True, check=False, timeout=60
    )
    assert packed.returncode == 0, packed.stderr
    (archive,) = tmp_path.glob("*.tgz")
    shutil.unpack_archive(archive, tmp_path / "open", filter="data")
    inside = {path.name for path in (tmp_path / "open" / "tightrope" / "files").rglob("*") if path.is_file()}
    assert {"trial.yml", "trial_picture.json"} <= inside
    assert {Path(name).suffix for name in inside} <= {".yml", ".json"}
    assert not any(name.endswith("_test.yml") for name in inside)


@pytest.mark.parametrize("shape", FULL)
def test_scrape_jobs_are_named_tightrope(shape: str) -> None:
    """Alerts select jobs by that name; monitors take the job from a label of services and pods."""
    manifests = rendered(shape)
    monitors = of_kind(manifests, "ServiceMonitor") + of_kind(manifests, "PodMonitor")
    assert {found["spec"]["jobLabel"] for found in monitors} == {"tightrope/job"}
    all_labels = [found["metadata"]["labels"] for found in of_kind(manifests, "Service")] + [*map(labels, manifests)]
    jobs = {one["tightrope/job"] for one in all_labels if one}
    assert jobs >= (
        {"tightrope-embedded"} if "embedded" in shape else {f"tightrope-{n}" for n in ("gateway", "worker", "judge")}
    )


def labels(manifest: Manifest) -> dict[str, str]:
    """Return the labels of a workload's pods."""
    return dict(manifest.get("spec", {}).get("template", {}).get("metadata", {}).get("labels", {}))
