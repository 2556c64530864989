"""Kubernetes accepts every supported shape of the chart, by helm's and Kubernetes' own tools."""

import json
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.support.charts import (
    CHART,
    CLUSTER,
    EMBEDDED,
    SHAPES,
    Manifest,
    configuration,
    helm,
    of_kind,
    pods,
    rendered,
    text,
    values,
)
from tests.support.helm_tools import program

OWN_GROUP = 440  # octal to Kubernetes, which reads YAML 1.1
JOB_KINDS = {"topics": "Job", "dashboards": "Job"}
OPERATOR_KINDS = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "ScaledObject"}
"""Custom resources, which test_resources.py checks."""


def validated(manifests: Path, kubernetes: str) -> tuple[int, list[str]]:
    """Return the exit code and the complaints of the schemas of a Kubernetes release."""
    command = [program("kubernetes-validate"), "--strict", "--quiet", "-k", kubernetes, manifests]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return ended.returncode, [line for line in (ended.stdout + ended.stderr).splitlines() if "INFO" not in line]


@pytest.mark.parametrize("major", ["helm3", "helm4"])
@pytest.mark.parametrize("shape", SHAPES)
def test_lint_finds_nothing(shape: str, major: str) -> None:
    """In strict mode, where a warning is a failure."""
    ended = helm(major, "lint", "--strict", CHART, "-f", values(shape))
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("shape", SHAPES)
def test_both_helm_majors_render_the_same(shape: str) -> None:
    """Helm 3 and helm 4 agree on every object."""
    ours, theirs = (rendered(shape, major=major) for major in ("helm3", "helm4"))
    assert sorted(ours, key=_name) == sorted(theirs, key=_name)


def _name(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


@pytest.mark.parametrize("kubernetes", ["1.25", "1.37"])
def test_every_object_fits_the_schemas_of_kubernetes(kubernetes: str, tmp_path: Path) -> None:
    """The oldest allowed release and a newer one; strict mode refuses unknown keys."""
    (tmp_path / "all.yaml").write_text("\n---\n".join(map(text, SHAPES)))
    code, complaints = validated(tmp_path / "all.yaml", kubernetes)
    assert [line for line in complaints if not any(f"kind {kind} " in line for kind in OPERATOR_KINDS)] == []
    assert code == 0


def test_misspelt_key_is_found(tmp_path: Path) -> None:
    """The schemas refuse a key that Kubernetes would ignore."""
    (tmp_path / "one.yaml").write_text(text(SHAPES[0]).replace("runAsNonRoot:", "runAsNonRoott:"))
    code, complaints = validated(tmp_path / "one.yaml", "1.33")
    assert code == 1
    assert "runAsNonRoott" in "".join(complaints)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_pod_is_restricted(shape: str) -> None:
    """Every pod meets the restricted Pod Security Standard, with a read-only root file system."""
    found = dict(pods(rendered(shape)))
    assert len(found) >= 2
    for pod in found.values():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@pytest.mark.parametrize("shape", SHAPES)
def test_no_pod_gets_variables_of_services(shape: str) -> None:
    """A service named tightrope would set TIGHTROPE_PORT, which the program refuses as a misspelt setting."""
    assert all(pod["spec"]["enableServiceLinks"] is False for _, pod in pods(rendered(shape)))


@pytest.mark.parametrize("shape", SHAPES)
def test_selectors_find_their_pods(shape: str) -> None:
    """Services, workloads, disruption budgets and monitors select labels of pods or services."""
    manifests = rendered(shape)
    pod_labels = [pod["metadata"]["labels"] for _, pod in pods(manifests)]
    services = [found["metadata"]["labels"] for found in of_kind(manifests, "Service")]
    for found in manifests:
        selector = found.get("spec", {}).get("selector") or found.get("spec", {}).get("podSelector")
        if selector:
            wanted = selector.get("matchLabels", selector)
            where = services if found["kind"] == "ServiceMonitor" else pod_labels
            assert any(wanted.items() <= labels.items() for labels in where), _name(found)


@pytest.mark.parametrize("shape", SHAPES)
def test_mounts_and_volumes_belong_together(shape: str) -> None:
    """Every mount has its volume and the reverse; only state and scratch volumes are writable."""
    for found in rendered(shape):
        claimed = {claim["metadata"]["name"] for claim in found.get("spec", {}).get("volumeClaimTemplates", [])}
        for _, pod in pods([found]):
            (container,) = pod["spec"]["containers"]
            mounts = {mount["name"]: mount for mount in container.get("volumeMounts", [])}
            assert set(mounts) == {volume["name"] for volume in pod["spec"].get("volumes", [])} | claimed
            written = {name for name, mount in mounts.items() if not mount.get("readOnly")}
            assert written <= {"state", "tmp", "scratch"}


def test_embedded_shape_has_one_pod_and_a_disk() -> None:
    """One process owns the state, and the state outlives it."""
    for shape in EMBEDDED:
        (found,) = of_kind(rendered(shape), "StatefulSet")
        assert found["spec"]["replicas"] == 1
        assert [claim["metadata"]["name"] for claim in found["spec"]["volumeClaimTemplates"]] == ["state"]
        assert not of_kind(rendered(shape), "Deployment")


def test_cluster_shape_has_every_process() -> None:
    """Gateways and workers are deployments, judges keep their names; each has a disruption budget."""
    for shape in CLUSTER:
        manifests = rendered(shape)
        kinds = {name: found["kind"] for found in manifests for name, _ in pods([found])}
        processes = {"gateway": "Deployment", "worker": "Deployment", "judge": "StatefulSet"}
        assert kinds == processes | {"test": "Pod"} | (JOB_KINDS if "full" in shape else {})
        budgets = {found["metadata"]["name"] for found in of_kind(manifests, "PodDisruptionBudget")}
        assert budgets == {f"demo-tightrope-{name}" for name in processes}


def test_autoscaled_deployments_have_no_replicas() -> None:
    """With an autoscaler the deployment sets no number; each target has one autoscaler."""
    manifests = rendered("cluster-full-values.yaml")
    deployments = {found["metadata"]["name"]: found["spec"] for found in of_kind(manifests, "Deployment")}
    scalers = of_kind(manifests, "HorizontalPodAutoscaler") + of_kind(manifests, "ScaledObject")
    targets = [found["spec"]["scaleTargetRef"]["name"] for found in scalers]
    assert sorted(targets) == sorted(deployments)
    assert not any("replicas" in spec for spec in deployments.values())
    still = {
        found["metadata"]["name"]: found["spec"] for found in of_kind(rendered("cluster-values.yaml"), "Deployment")
    }
    assert [spec["replicas"] for _, spec in sorted(still.items())] == [3, 2]


def test_changed_configuration_restarts_the_pods() -> None:
    """The checksum in the annotations changes with the configuration only."""
    shape = "embedded-values.yaml"
    sums = [
        _checksum(rendered(shape, *more))
        for more in ((), ("--set", "service.port=81"), ("--set", "config.safe_mode.max_flaps=5"))
    ]
    assert sums[0] == sums[1] != sums[2]


def _checksum(manifests: list[Manifest]) -> str:
    (found,) = of_kind(manifests, "StatefulSet")
    return str(found["spec"]["template"]["metadata"]["annotations"]["checksum/config"])


SOURCES = {
    "models.existingClaim=weights": {"persistentVolumeClaim": {"claimName": "weights", "readOnly": True}},
    "models.volume.nfs.server=nas": {"nfs": {"server": "nas"}},
    "models.volume.csi.driver=s3.example": {"csi": {"driver": "s3.example"}},
    "models.volume.image.reference=m:1": {"image": {"reference": "m:1"}},
    "models.volume.persistentVolumeClaim.claimName=mine": {"persistentVolumeClaim": {"claimName": "mine"}},
}
"""The source of the models' volume by the setting."""


@pytest.mark.parametrize("setting", ["", *SOURCES])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_volume_has_one_source(shape: str, setting: str) -> None:
    """Kubernetes refuses a volume with two: another source replaces the claim of the models, which is the default."""
    more = ("--set", f"{setting},topics.create=true") if setting else ()
    volumes = [volume for _, pod in pods(rendered(shape, *more)) for volume in pod["spec"].get("volumes", [])]
    sources = [{key: value for key, value in volume.items() if key != "name"} for volume in volumes]
    assert [len(source) for source in sources] == [1] * len(volumes)
    default = {"persistentVolumeClaim": {"claimName": "tightrope-models", "readOnly": True}}
    models = [source for volume, source in zip(volumes, sources, strict=True) if volume["name"] == "models"]
    assert models
    assert all(source == SOURCES.get(setting, default) for source in models)


@pytest.mark.parametrize("shape", CLUSTER)
def test_topics_job_has_resources_and_no_models(shape: str) -> None:
    """It reads the configuration only, so it starts where no volume of models can be mounted."""
    (job,) = [
        found
        for found in of_kind(rendered(shape, "--set", "topics.create=true"), "Job")
        if "topics" in found["metadata"]["name"]
    ]
    pod = job["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["memory"] == "256Mi"
    assert "models" not in {volume["name"] for volume in pod["volumes"]}


def test_topics_job_is_scheduled_as_configured() -> None:
    """On clusters whose nodes are all tainted, for example."""
    wanted = {
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"key": "system", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "low",
        "resources": {"limits": {"memory": "64Mi"}},
    }
    manifests = rendered("cluster-full-values.yaml", "--set-json", f"topics={json.dumps(wanted)}")
    (pod,) = [found["spec"] for component, found in pods(manifests) if component == "topics"]
    resources = wanted.pop("resources")
    assert {key: pod[key] for key in wanted} == wanted
    assert pod["containers"][0]["resources"]["limits"] == resources["limits"]


def test_secrets_of_signatures_and_draws_are_mounted_as_files() -> None:
    """The configuration names them, each pod has them, readable by its own group only, and other keys of the section
    stay; a single process has no signatures.
    """
    named = ("--set", "secrets.signing.existingSecret=s,secrets.sampling.existingSecret=d")
    more = ("--set", "config.bus.kafka.signing.unsigned=accept,secrets.signing.previousKey=old")
    manifests = rendered("cluster-values.yaml", *named, *more)
    found = YAML(typ="safe").load(configuration(manifests))
    assert found["sampling_secret_file"] == "/run/secrets/sampling/secret"
    assert found["bus"]["kafka"]["signing"] == {
        "secret_file": "/run/secrets/signing/secret",
        "previous_secret_file": "/run/secrets/signing/old",
        "unsigned": "accept",
    }
    members = [pod["spec"] for component, pod in pods(manifests) if component in {"gateway", "worker", "judge"}]
    assert len(members) == 3
    for spec in members:
        secrets = {volume["name"]: volume["secret"] for volume in spec["volumes"] if "secret" in volume}
        assert secrets["secret-signing"] == {"secretName": "s", "defaultMode": OWN_GROUP}
        assert secrets["secret-sampling"] == {"secretName": "d", "defaultMode": OWN_GROUP}
        mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
        assert mounts["secret-signing"] == "/run/secrets/signing"
        assert mounts["secret-sampling"] == "/run/secrets/sampling"
    single = YAML(typ="safe").load(
        configuration(rendered("embedded-values.yaml", "--set", "secrets.sampling.existingSecret=d"))
    )
    assert single["sampling_secret_file"] == "/run/secrets/sampling/secret"
    assert "bus" not in single
    assert "signing" not in YAML(typ="safe").load(configuration(rendered("cluster-values.yaml")))["bus"]["kafka"]
