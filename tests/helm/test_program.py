"""Chart and program agree on configuration, commands, variables, probes, ports, topics and the time to stop."""

import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from typer.main import get_command
from typer.testing import CliRunner

from tests.support.charts import EMBEDDED, FULL, SHAPES, Manifest, configuration, of_kind, pods, rendered
from tests.support.configs import ROOT
from tests.support.observability.fake_grafana import TOKEN as GRAFANA_TOKEN
from tests.support.observability.fake_grafana import grafana
from tests.support.servers import Server, serving
from tightrope.cli.main import app
from tightrope.dashboards.boards import boards
from tightrope.service.adapters.topics import SAMPLES, WORKERS_GROUP, topic
from tightrope.service.config import loader
from tightrope.wiring.embedded import STOP_SECONDS

UNPROBED = {"test", "topics", "dashboards"}
"""Components whose pods serve nothing."""

COMMANDS = set(getattr(get_command(app), "commands", {}))


def install_config(shape: str, folder: Path) -> Path:
    """Write a shape's configuration to a folder with demo models, secrets and an empty state; return its path."""
    text = configuration(rendered(shape))
    for secret in re.findall(r"/run/secrets/(\S+)", text):
        path = folder / "secrets" / secret
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("5e" * 32)
        path.chmod(0o440)  # as the chart mounts it
    mounts = {"/models/": f"{ROOT}/demo/models/", "/run/secrets/": f"{folder}/secrets/", "/var/lib/": f"{folder}/"}
    for path, local in mounts.items():
        text = text.replace(path, local)
    config = folder / "tightrope.yaml"
    config.write_text(text)
    return config


def without_reports(config: Path) -> Path:
    """Remove scheduled drift reports, which this interpreter cannot draw."""
    config.write_text(re.sub(r"^ +every_seconds: 3600\n", "", config.read_text(), flags=re.MULTILINE))
    return config


@pytest.mark.parametrize("shape", SHAPES)
def test_program_accepts_the_configuration(shape: str, tmp_path: Path) -> None:
    """`tightrope check` accepts the mounted file of every shape."""
    ended = CliRunner().invoke(app, ["check", str(without_reports(install_config(shape, tmp_path)))])
    assert ended.exit_code == 0, ended.exception
    assert ("control is off" in ended.stdout) == ("full" not in shape)


def test_program_refuses_an_unknown_key(tmp_path: Path) -> None:
    """The test above would find a key that the program lacks."""
    config = without_reports(install_config(EMBEDDED[0], tmp_path))
    config.write_text(f"{config.read_text()}\nsafe_mod: {{}}\n")
    with pytest.raises(loader.ConfigError, match="safe_mod: there is no such key"):
        loader.load(config, {})


@pytest.mark.parametrize("shape", SHAPES)
def test_every_command_of_the_chart_exists(shape: str) -> None:
    """The pods run commands of the program on the mounted configuration."""
    for component, pod in pods(rendered(shape)):
        (container,) = pod["spec"]["containers"]
        if component in {"test", "dashboards"}:
            continue
        command, config = container["args"]
        assert command in COMMANDS
        (mount,) = [one for one in container["volumeMounts"] if one["name"] == "config"]
        assert config == f"{mount['mountPath']}/tightrope.yaml"


def test_dashboards_job_applies_the_dashboards(tmp_path: Path) -> None:
    """Its arguments work on the stand-in for Grafana, with a token in place of the mounted secret."""
    ((pod, job),) = [(p, m) for m in rendered("cluster-full-values.yaml") for c, p in pods([m]) if c == "dashboards"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "post-install,post-upgrade"
    (container,) = pod["spec"]["containers"]
    (mount,) = container["volumeMounts"]
    assert pod["spec"]["volumes"][0]["secret"]["secretName"] == "grafana"
    (tmp_path / "token").write_text(GRAFANA_TOKEN)
    with grafana() as server:
        replacements = {"https://grafana.monitoring": server.address, mount["mountPath"]: str(tmp_path)}
        arguments = [
            functools.reduce(lambda text, pair: text.replace(*pair), replacements.items(), a) for a in container["args"]
        ]
        ended = CliRunner().invoke(app, arguments)
        assert ended.exit_code == 0, ended.exception
        assert set(server.boards) == set(boards())
        assert server.sources["tightrope-prometheus"]["url"] == "http://prometheus:9090"


@pytest.mark.parametrize("shape", SHAPES)
def test_program_knows_its_environment_variables(shape: str) -> None:
    """It refuses unknown variables with its prefix."""
    names = {
        variable["name"]
        for _, pod in pods(rendered(shape))
        for variable in pod["spec"]["containers"][0].get("env", [])
        if variable["name"].startswith("TIGHTROPE_")
    }
    assert names <= loader.ENVIRONMENT


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the configuration of the embedded shape on a free port."""
    config = without_reports(install_config("embedded-full-values.yaml", tmp_path_factory.mktemp("chart")))
    text = config.read_text().replace("host: 0.0.0.0", "host: 127.0.0.1")
    config.write_text(text.replace(" port: 9090", " port: 0").replace("grpc_port: 8001", "grpc_port: 0"))
    with serving(config) as running:
        yield running


def test_probed_paths_answer(server: Server) -> None:
    """The running program answers each path of probes, monitors and `helm test`, in every shape."""
    urls = {path for shape in SHAPES for path in paths(shape)}
    assert {"/v2/health/live", "/v2/health/ready", "/metrics", "/v2/models/employment/ready"} <= urls
    assert {path: server.client.get(path).status_code for path in urls} == dict.fromkeys(urls, 200)


def paths(shape: str) -> Iterator[str]:
    """Yield each path that the chart requests from a pod."""
    manifests = rendered(shape)
    for component, pod in pods(manifests):
        (container,) = pod["spec"]["containers"]
        if component == "test":
            yield from (argument for argument in container["command"] if argument.startswith("/"))
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if "httpGet" in container.get(probe, {}):
                yield container[probe]["httpGet"]["path"]
    for found in of_kind(manifests, "ServiceMonitor") + of_kind(manifests, "PodMonitor"):
        spec = found["spec"]
        yield from (one["path"] for one in spec.get("endpoints", []) + spec.get("podMetricsEndpoints", []))


def test_helm_test_passes_on_the_running_program(server: Server) -> None:
    """The pod's command passes on this server, and fails if a model or the server is missing."""
    (pod,) = [pod for component, pod in pods(rendered("embedded-full-values.yaml")) if component == "test"]
    _, flag, program, address, *urls = pod["spec"]["containers"][0]["command"]
    assert re.fullmatch(r"http://demo-tightrope:\d+", address)
    for where, more, code in (
        (server.address, [], 0),
        (server.address, ["/v2/models/nobody/ready"], 1),
        ("http://[::1]:9", [], 1),
    ):
        command = [sys.executable, flag, program, where, *urls, *more]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == code, ended.stderr
        assert code or ended.stdout.splitlines() == [f"200 {path}" for path in urls]


@pytest.mark.parametrize("shape", SHAPES)
def test_ports_are_those_of_the_configuration(shape: str) -> None:
    """Pods expose the ports of the program, and every service, probe and monitor uses one of them."""
    manifests = rendered(shape)
    listening = {name: configured(manifests, key) for name, key in (("http", "port"), ("grpc", "grpc_port"))}
    assert (listening["grpc"] is not None) is (shape in FULL)
    expected = {"http": listening["http"] or loader.ServerSection().port}
    serving_ports = expected | ({"grpc": listening["grpc"]} if listening["grpc"] else {})
    for component, pod in pods(manifests):
        (container,) = pod["spec"]["containers"]
        if component not in UNPROBED:
            front = component in {"embedded", "gateway"}
            ports = {one["name"]: one["containerPort"] for one in container["ports"]}
            assert ports == (serving_ports if front else expected)
            probes = [container[f"{probe}Probe"].get("httpGet") for probe in ("startup", "liveness", "readiness")]
            assert {one["port"] for one in probes if one} == {"http"}
    services = {one["targetPort"] for found in of_kind(manifests, "Service") for one in found["spec"]["ports"]}
    assert services == set(serving_ports)


def configured(manifests: list[Manifest], key: str) -> int | None:
    """Return a port of the mounted configuration."""
    found = re.search(rf"^  {key}: (\d+)$", configuration(manifests), flags=re.MULTILINE)
    return int(found[1]) if found else None


def test_readiness_probe_may_use_grpc(server: Server) -> None:
    """With `gateway.grpc.probe` the probe uses the program's gRPC port, which answers."""
    manifests = rendered("embedded-full-values.yaml")
    (pod,) = [pod for component, pod in pods(manifests) if component == "embedded"]
    (container,) = pod["spec"]["containers"]
    assert container["readinessProbe"]["grpc"] == {"port": configured(manifests, "grpc_port")}
    with grpc.insecure_channel(server.grpc) as channel:
        response = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_liveness_checks_the_process_only() -> None:
    """Liveness and readiness have different paths: safe mode or a lost Kafka restarts nothing."""
    for shape in SHAPES:
        for component, pod in pods(rendered(shape)):
            if component not in UNPROBED:
                (container,) = pod["spec"]["containers"]
                assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"
                readiness = container["readinessProbe"]
                assert "grpc" in readiness or readiness["httpGet"]["path"] == "/v2/health/ready"


def test_pods_have_time_to_stop() -> None:
    """The grace period covers requests in flight, the five parts, and the wait before the signal."""
    (pod,) = [pod for component, pod in pods(rendered(EMBEDDED[0])) if component == "embedded"]
    before = int(pod["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["spec"]["terminationGracePeriodSeconds"] >= before + 6 * STOP_SECONDS


def test_autoscaler_follows_the_workers_group() -> None:
    """Topic and group are the program's, with the configured prefix."""
    (found,) = of_kind(rendered("cluster-full-values.yaml"), "ScaledObject")
    (trigger,) = found["spec"]["triggers"]
    assert trigger["metadata"]["topic"] == "prod." + topic(SAMPLES)
    assert trigger["metadata"]["consumerGroup"] == "prod." + WORKERS_GROUP
    assert found["spec"]["maxReplicaCount"] <= 12
