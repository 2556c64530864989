"""compose.yaml, as far as it can be checked without a container engine."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.main import get_command
from typer.testing import CliRunner

from tests.house.sources import files
from tests.support.configs import ROOT
from tests.support.observability.debian_servers import program
from tightrope.cli.main import app
from tightrope.demo.broker import KAFKA_VERSION
from tightrope.service.config.loader import ENVIRONMENT, Settings, load
from tightrope.wiring.embedded import STOP_SECONDS

FILE = ROOT / "compose.yaml"
CONFIG = "/etc/tightrope/tightrope.yaml"
COMMAND_OF_SERVICE = {
    "gateway-1": "serve",
    "gateway-2": "serve",
    "worker-1": "worker",
    "worker-2": "worker",
    "judge": "judge",
}


def read(path: Path) -> Any:  # noqa: ANN401 - any YAML
    """Return the content of a YAML file."""
    return YAML(typ="safe", pure=True).load(path)


def services() -> dict[str, dict[str, Any]]:
    """Return the services by name."""
    return dict(read(FILE)["services"])


def mounts(service: dict[str, Any]) -> dict[str, Path]:
    """Return the mounted files and folders of the checkout, by their paths in the container."""
    volumes = [volume.split(":") for volume in service["volumes"] if volume.startswith("./")]
    assert all(rest == ["ro"] for _, _, *rest in volumes)
    return {inside: ROOT / outside for outside, inside, *_ in volumes}


def settings(folder: Path) -> Settings:
    """Return the settings of the processes, with local paths for models and state."""
    text = (ROOT / "compose/tightrope.yaml").read_text()
    for inside, local in {"/models": str(mounts(services()["judge"])["/models"]), "/var/lib": str(folder)}.items():
        text = text.replace(inside, local)
    (folder / "tightrope.yaml").write_text(text)
    return load(folder / "tightrope.yaml", {})


def validated(path: Path) -> subprocess.CompletedProcess[str]:
    """Check a file by the schema of the compose specification."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_file_fits_the_compose_specification(tmp_path: Path) -> None:
    """The schema refuses a misspelt key."""
    assert validated(FILE).returncode == 0
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(FILE.read_text().replace("restart:", "restarts:"))
    assert validated(wrong).returncode == 1


def test_mounted_files_are_tracked() -> None:
    """A clone has every mounted file."""
    tracked = {str(path) for path in files()}
    for name, service in services().items():
        for path in mounts(service).values() if "volumes" in service else ():
            there = str(path.relative_to(ROOT))
            assert any(one == there or one.startswith(f"{there}/") for one in tracked), (name, there)


def test_referenced_volumes_and_services_exist() -> None:
    """Every named volume is declared, every dependency is a service, and Kafka has a health check."""
    whole = read(FILE)
    for name, service in services().items():
        kept = {volume.split(":")[0] for volume in service.get("volumes", []) if not volume.startswith("./")}
        assert kept <= set(whole["volumes"]), name
        assert set(service.get("depends_on", {})) <= set(services()), name
    assert "healthcheck" in services()["kafka"]


def test_commands_exist_and_accept_the_file(tmp_path: Path) -> None:
    """The services run topics, gateways, workers and a judge; `tightrope check` accepts their configuration."""
    commands = set(getattr(get_command(app), "commands", {}))
    ours = {name: service for name, service in services().items() if service["image"] == "tightrope"}
    assert {name: service["command"][0] for name, service in ours.items()} == {"topics": "topics", **COMMAND_OF_SERVICE}
    for service in ours.values():
        assert service["command"][0] in commands
        assert service["command"][1:] == [CONFIG]
        assert mounts(service)[CONFIG] == ROOT / "compose/tightrope.yaml"
        assert set(service.get("environment", {})) <= ENVIRONMENT
        assert int(service["stop_grace_period"].removesuffix("s")) >= 3 * STOP_SECONDS
        assert f"AS {service['build']['target']}\n" in (ROOT / "Dockerfile").read_text()
    settings(tmp_path)
    ended = CliRunner().invoke(app, ["check", str(tmp_path / "tightrope.yaml")])
    assert ended.exit_code == 0, ended.output


def test_group_members_have_unique_names() -> None:
    """Two static members with one name would evict each other."""
    environments = [services()[name]["environment"] for name in COMMAND_OF_SERVICE]
    names = [given["TIGHTROPE_INSTANCE"] for given in environments if "TIGHTROPE_INSTANCE" in given]
    assert sorted(names) == ["judge", "worker-1", "worker-2"]


def test_addresses_are_services_at_their_ports(tmp_path: Path) -> None:
    """Kafka, Alertmanager, Prometheus and the processes find each other; ports are published on 127.0.0.1 only."""
    config = settings(tmp_path)
    kafka = services()["kafka"]["environment"]
    assert config.bus is not None
    assert [f"PLAINTEXT://{server}" for server in config.bus.kafka.servers] == [kafka["KAFKA_ADVERTISED_LISTENERS"]]
    assert kafka["KAFKA_LISTENERS"].startswith("PLAINTEXT://:9092,")
    prometheus = read(ROOT / "compose/prometheus.yml")
    (job,) = prometheus["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"{name}:{config.server.port}" for name in COMMAND_OF_SERVICE]}]
    ((paging,),) = (one["static_configs"] for one in prometheus["alerting"]["alertmanagers"])
    assert (
        [f"http://{target}" for target in paging["targets"]]
        == config.alerts.alertmanagers
        == ["http://alertmanager:9093"]
    )
    (source,) = read(ROOT / "compose/grafana/datasources.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    ports = dict.fromkeys(("gateway-1", "gateway-2", "judge"), config.server.port)
    ports |= {"prometheus": 9090, "alertmanager": 9093}
    inside = {name: [int(port.rsplit(":", 1)[1]) for port in given] for name, given in published.items()}
    assert inside == {name: [port] for name, port in {**ports, "grafana": 3000}.items()}
    assert all(port.startswith("127.0.0.1:") for given in published.values() for port in given)
    assert config.server.host == "0.0.0.0"  # noqa: S104 - in a container
    assert f"127.0.0.1:{config.server.port}/v2/health/live" in (ROOT / "Dockerfile").read_text()


def test_prometheus_configuration_is_the_shipped_one(tmp_path: Path) -> None:
    """It differs from dashboards/prometheus.yml in addresses only, and promtool accepts it with its rules."""
    here, there = read(ROOT / "compose/prometheus.yml"), read(ROOT / "dashboards/prometheus.yml")
    for one in (here, there):
        one["scrape_configs"][0].pop("static_configs")
        one["alerting"]["alertmanagers"][0].pop("static_configs")
    assert here == there
    mounted = mounts(services()["prometheus"])
    for inside, path in mounted.items():
        target = tmp_path / Path(inside).relative_to("/etc/prometheus")
        (shutil.copytree if path.is_dir() else shutil.copy)(path, target)
    checked = [program("promtool"), "check", "config", tmp_path / "prometheus.yml"]
    subprocess.run(checked, check=True, capture_output=True, timeout=60)


def test_grafana_finds_the_dashboards() -> None:
    """Grafana's provisioning loads the mounted dashboards, and their data source is the default."""
    mounted = mounts(services()["grafana"])
    (provider,) = read(ROOT / "compose/grafana/dashboards.yml")["providers"]
    assert mounted[provider["options"]["path"]] == ROOT / "dashboards/json"
    (source,) = read(ROOT / "compose/grafana/datasources.yml")["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)


def test_kafka_version_is_the_tested_one() -> None:
    """Kafka has the version of the tests, and every other image a fixed version."""
    images = {name: service["image"] for name, service in services().items() if service["image"] != "tightrope"}
    assert images["kafka"] == f"apache/kafka:{KAFKA_VERSION}"
    assert [image for image in images.values() if not re.search(r":v?\d+\.\d+\.\d+$", image)] == []


@pytest.mark.parametrize("name", COMMAND_OF_SERVICE)
def test_containers_are_read_only(name: str) -> None:
    """Containers write to the state and /tmp only, and wait for the topics."""
    service = services()[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - in a container
    assert service["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}
