"""compose.yaml, as far as it can be proved without a container engine."""

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
from tests.support.observability.debian_servers import program
from tests.support.servers import ROOT
from tightrope.cli.main import app
from tightrope.demo.broker import VERSION
from tightrope.service.config.loader import ENVIRONMENT, Settings, load
from tightrope.wiring.embedded import STOP_SECONDS

FILE = ROOT / "compose.yaml"
CONFIG = "/etc/tightrope/tightrope.yaml"
PARTS = {"gateway-1": "serve", "gateway-2": "serve", "worker-1": "worker", "worker-2": "worker", "judge": "judge"}


def read(path: Path) -> Any:  # noqa: ANN401 - whatever stands there
    """A YAML file."""
    return YAML(typ="safe", pure=True).load(path)


def services() -> dict[str, dict[str, Any]]:
    """Every service by its name."""
    return dict(read(FILE)["services"])


def mounts(service: dict[str, Any]) -> dict[str, Path]:
    """Files and folders of the checkout, by where the container has them."""
    found = [volume.split(":") for volume in service["volumes"] if volume.startswith("./")]
    assert all(rest == ["ro"] for _, _, *rest in found)
    return {inside: ROOT / outside for outside, inside, *_ in found}


def settings(folder: Path) -> Settings:
    """What the processes read, with the models and the state where they are here."""
    text = (ROOT / "compose/tightrope.yaml").read_text()
    for inside, here in {"/models": str(mounts(services()["judge"])["/models"]), "/var/lib": str(folder)}.items():
        text = text.replace(inside, here)
    (folder / "tightrope.yaml").write_text(text)
    return load(folder / "tightrope.yaml", {})


def validated(path: Path) -> subprocess.CompletedProcess[str]:
    """By the schema of the compose specification."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_specification_allows_it(tmp_path: Path) -> None:
    """And would not allow a misspelt key."""
    assert validated(FILE).returncode == 0
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(FILE.read_text().replace("restart:", "restarts:"))
    assert validated(wrong).returncode == 1


def test_everything_mounted_is_in_the_checkout() -> None:
    """Tracked, so that whoever clones it has it."""
    tracked = {str(path) for path in files()}
    for name, service in services().items():
        for path in mounts(service).values() if "volumes" in service else ():
            there = str(path.relative_to(ROOT))
            assert any(one == there or one.startswith(f"{there}/") for one in tracked), (name, there)


def test_volumes_and_services_that_are_named_exist() -> None:
    """Of what is kept and of what is waited for."""
    whole = read(FILE)
    for name, service in services().items():
        kept = {volume.split(":")[0] for volume in service.get("volumes", []) if not volume.startswith("./")}
        assert kept <= set(whole["volumes"]), name
        assert set(service.get("depends_on", {})) <= set(services()), name
    assert "healthcheck" in services()["kafka"]


def test_commands_are_the_programs_and_take_the_file(tmp_path: Path) -> None:
    """Gateways, workers, a judge, and the topics before them; `tightrope check` accepts what they read."""
    known = set(getattr(get_command(app), "commands", {}))
    ours = {name: service for name, service in services().items() if service["image"] == "tightrope"}
    assert {name: service["command"][0] for name, service in ours.items()} == {"topics": "topics", **PARTS}
    for service in ours.values():
        assert service["command"][0] in known
        assert service["command"][1:] == [CONFIG]
        assert mounts(service)[CONFIG] == ROOT / "compose/tightrope.yaml"
        assert set(service.get("environment", {})) <= ENVIRONMENT
        assert int(service["stop_grace_period"].removesuffix("s")) >= 3 * STOP_SECONDS
        assert f"AS {service['build']['target']}\n" in (ROOT / "Dockerfile").read_text()
    settings(tmp_path)
    ended = CliRunner().invoke(app, ["check", str(tmp_path / "tightrope.yaml")])
    assert ended.exit_code == 0, ended.output


def test_members_of_a_group_have_names_of_their_own() -> None:
    """Two of one name would take the work from each other."""
    environments = [services()[name]["environment"] for name in PARTS]
    names = [given["TIGHTROPE_INSTANCE"] for given in environments if "TIGHTROPE_INSTANCE" in given]
    assert sorted(names) == ["judge", "worker-1", "worker-2"]


def test_addresses_are_services_at_their_ports(tmp_path: Path) -> None:
    """Of Kafka, Alertmanager, Prometheus and every process of ours; what is published is published to this machine."""
    of = settings(tmp_path)
    kafka = services()["kafka"]["environment"]
    assert of.bus is not None
    assert [f"PLAINTEXT://{server}" for server in of.bus.kafka.servers] == [kafka["KAFKA_ADVERTISED_LISTENERS"]]
    assert kafka["KAFKA_LISTENERS"].startswith("PLAINTEXT://:9092,")
    prometheus = read(ROOT / "compose/prometheus.yml")
    (job,) = prometheus["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"{name}:{of.server.port}" for name in PARTS]}]
    ((paging,),) = (one["static_configs"] for one in prometheus["alerting"]["alertmanagers"])
    assert (
        [f"http://{target}" for target in paging["targets"]] == of.alerts.alertmanagers == ["http://alertmanager:9093"]
    )
    (source,) = read(ROOT / "compose/grafana/datasources.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    ports = {"gateway-1": of.server.port, "gateway-2": of.server.port, "prometheus": 9090, "alertmanager": 9093}
    inside = {name: [int(port.rsplit(":", 1)[1]) for port in given] for name, given in published.items()}
    assert inside == {name: [port] for name, port in {**ports, "grafana": 3000}.items()}
    assert all(port.startswith("127.0.0.1:") for given in published.values() for port in given)
    assert of.server.host == "0.0.0.0"  # noqa: S104 - in a container
    assert f"127.0.0.1:{of.server.port}/v2/health/live" in (ROOT / "Dockerfile").read_text()


def test_prometheus_sees_it_as_everywhere(tmp_path: Path) -> None:
    """The same file as the one in dashboards/ but for addresses; Prometheus' own tool accepts it with its rules."""
    here, there = read(ROOT / "compose/prometheus.yml"), read(ROOT / "dashboards/prometheus.yml")
    for one in (here, there):
        one["scrape_configs"][0].pop("static_configs")
        one["alerting"]["alertmanagers"][0].pop("static_configs")
    assert here == there
    mounted = mounts(services()["prometheus"])
    for inside, path in mounted.items():
        place = tmp_path / Path(inside).relative_to("/etc/prometheus")
        (shutil.copytree if path.is_dir() else shutil.copy)(path, place)
    checked = [program("promtool"), "check", "config", tmp_path / "prometheus.yml"]
    subprocess.run(checked, check=True, capture_output=True, timeout=60)


def test_grafana_finds_the_dashboards() -> None:
    """Where they are mounted, by the data source whose name they know."""
    mounted = mounts(services()["grafana"])
    (provider,) = read(ROOT / "compose/grafana/dashboards.yml")["providers"]
    assert mounted[provider["options"]["path"]] == ROOT / "dashboards/json"
    (source,) = read(ROOT / "compose/grafana/datasources.yml")["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)


def test_kafka_is_the_one_that_is_tested() -> None:
    """Of the same version; other images have a version too."""
    images = {name: service["image"] for name, service in services().items() if service["image"] != "tightrope"}
    assert images["kafka"] == f"apache/kafka:{VERSION}"
    assert [image for image in images.values() if not re.search(r":v?\d+\.\d+\.\d+$", image)] == []


@pytest.mark.parametrize("name", PARTS)
def test_containers_are_as_tight_as_the_chart(name: str) -> None:
    """Nothing but the state and /tmp is written; they wait for their topics."""
    service = services()[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - in a container
    assert service["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}
