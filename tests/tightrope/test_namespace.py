"""`tightrope` is the only import name that the wheel installs, and the only one that its processes need."""

import json
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

import tightrope
from tests.support.cluster.cluster import write_cluster_config
from tests.support.commands import command, environment
from tests.support.configs import ROOT
from tests.support.harmful_pair import request, traffic
from tightrope.demo.replay import traffic as demo_traffic

SHADOWING = ("service.py", "monitors/__init__.py", "demo.py", "shadow.py", "dashboards.py")
"""Modules with the names of Tightrope's folders; importing one is an error."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory that holds these modules."""
    for name in SHADOWING:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"raise ImportError({name!r})\n")
    return tmp_path


@contextmanager
def running(folder: Path, *arguments: str | Path) -> Iterator[str]:
    """Run a command in this working directory until the block ends; yield its HTTP address."""
    with subprocess.Popen(
        command(*arguments, "--json"), stdout=subprocess.PIPE, text=True, cwd=folder, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            yield str(json.loads(process.stdout.readline())["address"])
        finally:
            process.terminate()


def test_demo_models_are_served_from_a_folder_with_equal_names(folder: Path) -> None:
    """The user's own `service.py` does not replace Tightrope's."""
    config = folder / "tightrope.yaml"
    config.write_text((ROOT / "demo" / "tightrope.yaml").read_text().replace("models/", f"{ROOT}/demo/models/"))
    rows = request(demo_traffic()[0].codes)
    with running(folder, "run", config, "--port", "0") as address:
        answer = httpx.post(f"{address}/v2/models/employment/infer", json=rows, timeout=60.0).json()
    assert answer["parameters"]["served_by"] == "compressed"


def test_demo_starts_its_gateway_from_a_folder_with_equal_names(folder: Path) -> None:
    """The demo's gateway inherits the working directory, and gets as far as its own error about a variable."""
    arguments = command("demo", "--fast", "--headless", "--json", "--no-prologue")
    ended = subprocess.run(
        arguments, capture_output=True, text=True, check=False, cwd=folder, env=environment(TIGHTROPE_NONSENSE="1")
    )
    assert "ImportError" not in ended.stderr
    assert "TIGHTROPE_NONSENSE" in ended.stderr


def test_processes_are_served_from_a_folder_with_equal_names(folder: Path) -> None:
    """The supervisor's children start in the same directory; Kafka is absent."""
    config = write_cluster_config(folder, "127.0.0.1:1", sampling={"rate": 0})
    with running(folder, "serve", config, "--processes", "2") as address:
        assert httpx.get(f"{address}/v2/health/live", timeout=60.0).json() == {"live": True}
        rows = request(traffic(1, harm=False)[0])
        assert httpx.post(f"{address}/v2/models/m/infer", json=rows, timeout=60.0).status_code == 200


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of all files in the wheel."""
    out = tmp_path_factory.mktemp("wheel")
    build = [ROOT / ".venv" / "bin" / "uv", "build", "--quiet", "--wheel", "-o", out]
    try:
        ended = subprocess.run([*build, "--offline"], capture_output=True, text=True, check=False, cwd=ROOT)
        if ended.returncode:
            ended = subprocess.run(build, capture_output=True, text=True, check=False, cwd=ROOT)
    except OSError as error:
        pytest.skip(f"uv is missing: {error}")
    if ended.returncode:
        pytest.skip(f"uv cannot build the wheel: {ended.stderr}")
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_wheel_owns_one_import_name(wheel: list[str]) -> None:
    """Beside the package it holds only its metadata."""
    assert {name.partition("/")[0] for name in wheel} == {"tightrope", f"tightrope-{tightrope.__version__}.dist-info"}


def test_wheel_is_complete(wheel: list[str]) -> None:
    """Types, dashboards with their rules, and the demo's configuration, data and models."""
    assert set(expected_files()) - {*wheel} == set()
    assert "tightrope/py.typed" in wheel


def test_wheel_has_neither_the_builder_nor_caches(wheel: list[str]) -> None:
    """Building the demo's data needs the repository."""
    assert [name for name in wheel if "builder" in name or "__pycache__" in name] == []


def expected_files() -> list[str]:
    """Return the paths in the wheel of all files of the product, by git."""
    folders = ("service", "monitors", "shadow", "dashboards", "demo")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "tightrope", *folders],  # noqa: S607 - the git of the path
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout, or git is missing")
    names = [name for name in listed.stdout.split() if (ROOT / name).is_file() and "demo/builder/" not in name]
    return [name if name.startswith("tightrope/") else f"tightrope/{name}" for name in names]


def test_version_is_that_of_the_installation() -> None:
    """The version has one source, the package."""
    assert tightrope.__version__ == version("tightrope")
