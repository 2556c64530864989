"""Chart and program agree: configuration, commands, variables, probes, ports, names in Kafka, time to stop."""

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
from tests.support.observability.fake_grafana import TOKEN as GRAFANA_TOKEN
from tests.support.observability.fake_grafana import grafana
from tests.support.servers import ROOT, Server, serving
from tightrope.cli.main import app
from tightrope.dashboards.boards import boards
from tightrope.service.adapters.topics import SAMPLES, WORKERS, topic
from tightrope.service.config import loader
from tightrope.wiring.embedded import STOP_SECONDS

ENDING = {"test", "topics", "dashboards"}
"""Pods that serve nothing."""

COMMANDS = set(getattr(get_command(app), "commands", {}))


def laid_out(shape: str, folder: Path) -> Path:
    """The configuration of a shape with its mounts in a folder: the demo's models, secrets, an empty state."""
    text = configuration(rendered(shape))
    for secret in re.findall(r"/run/secrets/(\S+)", text):
        path = folder / "secrets" / secret
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a-secret-for-tests")
    places = {"/models/": f"{ROOT}/demo/models/", "/run/secrets/": f"{folder}/secrets/", "/var/lib/": f"{folder}/"}
    for place, here in places.items():
        text = text.replace(place, here)
    config = folder / "tightrope.yaml"
    config.write_text(text)
    return config


def without_reports(config: Path) -> Path:
    """The same for an interpreter that cannot draw drift reports."""
    config.write_text(re.sub(r"^ +every_seconds: 3600\n", "", config.read_text(), flags=re.MULTILINE))
    return config


@pytest.mark.parametrize("shape", SHAPES)
def test_program_takes_the_configuration(shape: str, tmp_path: Path) -> None:
    """`tightrope check` accepts what the chart mounts, with every key in it."""
    ended = CliRunner().invoke(app, ["check", str(without_reports(laid_out(shape, tmp_path)))])
    assert ended.exit_code == 0, ended.exception
    assert ("control is off" in ended.stdout) == ("full" not in shape)


def test_program_would_refuse_another(tmp_path: Path) -> None:
    """A key of the chart that the program does not have would be seen by the test above."""
    config = without_reports(laid_out(EMBEDDED[0], tmp_path))
    config.write_text(f"{config.read_text()}\nsafe_mod: {{}}\n")
    with pytest.raises(loader.ConfigError, match="safe_mod: there is no such key"):
        loader.load(config, {})


@pytest.mark.parametrize("shape", SHAPES)
def test_every_command_of_the_chart_exists(shape: str) -> None:
    """What the pods start is in the command line, and takes the configuration that is mounted."""
    for component, pod in pods(rendered(shape)):
        (container,) = pod["spec"]["containers"]
        if component in {"test", "dashboards"}:
            continue
        command, config = container["args"]
        assert command in COMMANDS
        (mount,) = [one for one in container["volumeMounts"] if one["name"] == "config"]
        assert config == f"{mount['mountPath']}/tightrope.yaml"


def test_job_brings_the_dashboards_to_grafana(tmp_path: Path) -> None:
    """The very arguments of its pod, with the stand-in's address and a token where the secret is mounted."""
    ((pod, job),) = [(p, m) for m in rendered("cluster-full-values.yaml") for c, p in pods([m]) if c == "dashboards"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "post-install,post-upgrade"
    (container,) = pod["spec"]["containers"]
    (mount,) = container["volumeMounts"]
    assert pod["spec"]["volumes"][0]["secret"]["secretName"] == "grafana"
    (tmp_path / "token").write_text(GRAFANA_TOKEN)
    with grafana() as server:
        places = {"https://grafana.monitoring": server.address, mount["mountPath"]: str(tmp_path)}
        arguments = [functools.reduce(lambda text, at: text.replace(*at), places.items(), a) for a in container["args"]]
        ended = CliRunner().invoke(app, arguments)
        assert ended.exit_code == 0, ended.exception
        assert set(server.boards) == set(boards())
        assert server.sources["tightrope-prometheus"]["url"] == "http://prometheus:9090"


@pytest.mark.parametrize("shape", SHAPES)
def test_program_knows_every_variable_that_is_its_own(shape: str) -> None:
    """It refuses others that begin with its name."""
    names = {
        variable["name"]
        for _, pod in pods(rendered(shape))
        for variable in pod["spec"]["containers"][0].get("env", [])
        if variable["name"].startswith("TIGHTROPE_")
    }
    assert names <= loader.ENVIRONMENT


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The embedded shape's own configuration, served; on a free port, so that tests may run beside each other."""
    config = without_reports(laid_out("embedded-full-values.yaml", tmp_path_factory.mktemp("chart")))
    text = config.read_text().replace("host: 0.0.0.0", "host: 127.0.0.1")
    config.write_text(text.replace(" port: 9090", " port: 0").replace("grpc_port: 8001", "grpc_port: 0"))
    with serving(config) as running:
        yield running


def test_every_path_that_is_asked_answers(server: Server) -> None:
    """Of probes, monitors and of `helm test`, in every shape: the running program has each of them."""
    asked = {path for shape in SHAPES for path in paths(shape)}
    assert {"/v2/health/live", "/v2/health/ready", "/metrics", "/v2/models/employment/ready"} <= asked
    assert {path: server.client.get(path).status_code for path in asked} == dict.fromkeys(asked, 200)


def paths(shape: str) -> Iterator[str]:
    """Everything that the chart asks of a pod over HTTP."""
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


def test_helm_test_holds_for_the_running_program(server: Server) -> None:
    """The very command of its pod, asked of this server; of one that lacks a model, or is not there, it fails."""
    (pod,) = [pod for component, pod in pods(rendered("embedded-full-values.yaml")) if component == "test"]
    _, flag, program, address, *asked = pod["spec"]["containers"][0]["command"]
    assert re.fullmatch(r"http://demo-tightrope:\d+", address)
    for where, more, code in (
        (server.address, [], 0),
        (server.address, ["/v2/models/nobody/ready"], 1),
        ("http://[::1]:9", [], 1),
    ):
        command = [sys.executable, flag, program, where, *asked, *more]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == code, ended.stderr
        assert code or ended.stdout.splitlines() == [f"200 {path}" for path in asked]


@pytest.mark.parametrize("shape", SHAPES)
def test_ports_are_those_of_the_configuration(shape: str) -> None:
    """The pod's ports are where the program listens, and every service, probe and monitor names one of them."""
    manifests = rendered(shape)
    listening = {name: configured(manifests, key) for name, key in (("http", "port"), ("grpc", "grpc_port"))}
    assert (listening["grpc"] is not None) is (shape in FULL)
    expected = {"http": listening["http"] or loader.Server().port}
    answering = expected | ({"grpc": listening["grpc"]} if listening["grpc"] else {})
    for component, pod in pods(manifests):
        (container,) = pod["spec"]["containers"]
        if component not in ENDING:
            front = component in {"embedded", "gateway"}
            ports = {one["name"]: one["containerPort"] for one in container["ports"]}
            assert ports == (answering if front else expected)
            asked = [container[f"{probe}Probe"].get("httpGet") for probe in ("startup", "liveness", "readiness")]
            assert {one["port"] for one in asked if one} == {"http"}
    services = {one["targetPort"] for found in of_kind(manifests, "Service") for one in found["spec"]["ports"]}
    assert services == set(answering)


def configured(manifests: list[Manifest], key: str) -> int | None:
    """A port in the configuration that is mounted."""
    found = re.search(rf"^  {key}: (\d+)$", configuration(manifests), flags=re.MULTILINE)
    return int(found[1]) if found else None


def test_readiness_may_be_asked_by_grpc(server: Server) -> None:
    """Where the values say so: of the port that the program has, and it answers."""
    manifests = rendered("embedded-full-values.yaml")
    (pod,) = [pod for component, pod in pods(manifests) if component == "embedded"]
    (container,) = pod["spec"]["containers"]
    assert container["readinessProbe"]["grpc"] == {"port": configured(manifests, "grpc_port")}
    with grpc.insecure_channel(server.grpc) as channel:
        told = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert told.status == health_pb2.HealthCheckResponse.SERVING


def test_liveness_asks_for_less_than_readiness() -> None:
    """Safe mode and a lost Kafka must restart nothing: liveness has a path of its own, which asks only the process."""
    for shape in SHAPES:
        for component, pod in pods(rendered(shape)):
            if component not in ENDING:
                (container,) = pod["spec"]["containers"]
                assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"
                readiness = container["readinessProbe"]
                assert "grpc" in readiness or readiness["httpGet"]["path"] == "/v2/health/ready"


def test_pods_get_the_time_that_stopping_may_take() -> None:
    """Requests in flight, then each of the five parts; and the seconds before the signal."""
    (pod,) = [pod for component, pod in pods(rendered(EMBEDDED[0])) if component == "embedded"]
    before = int(pod["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["spec"]["terminationGracePeriodSeconds"] >= before + 6 * STOP_SECONDS


def test_autoscaler_looks_where_the_workers_read() -> None:
    """Its topic and group are the program's names, with the configuration's prefix."""
    (found,) = of_kind(rendered("cluster-full-values.yaml"), "ScaledObject")
    (trigger,) = found["spec"]["triggers"]
    assert trigger["metadata"]["topic"] == "prod." + topic(SAMPLES)
    assert trigger["metadata"]["consumerGroup"] == "prod." + WORKERS
    assert found["spec"]["maxReplicaCount"] <= 12
