"""The Dockerfile is linted and pinned; the image is small, has no models and does not run as root."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tests.house.sources import LINKED, files
from tests.image import size
from tests.support.configs import ROOT
from tests.support.helm_tools import program

DOCKERFILE = (ROOT / "Dockerfile").read_text()
MAX_BYTES = 265e6
"""Largest size of the lean image above its base of about 130 MB; together they stay below 400 MB."""


def instructions(word: str) -> list[str]:
    """Return the arguments of every instruction of a kind, each on one line."""
    return re.findall(rf"^{word} (.+)$", DOCKERFILE.replace("\\\n", ""), flags=re.MULTILINE)


def stage(name: str) -> str:
    """Return the instructions of one stage."""
    found = re.search(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


def hadolint(text: str) -> tuple[int, str]:
    """Return the linter's exit code and output."""
    command = [program("hadolint"), "-"]
    ended = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    return ended.returncode, ended.stdout + ended.stderr


def test_linter_finds_nothing() -> None:
    """Hadolint has all its rules enabled, including shellcheck's for RUN."""
    assert hadolint(DOCKERFILE) == (0, "")


def test_linter_finds_unpinned_versions() -> None:
    """It reports a base image and a package without a version."""
    code, words = hadolint("FROM python\nRUN pip install numpy\n")
    assert code == 1
    assert "DL3006" in words
    assert "DL3013" in words


def test_packages_come_from_the_locks_with_hashes() -> None:
    """Every installed file is pinned by a lock."""
    installs = [
        line for run in instructions("RUN") for line in run.split("&&") if " install " in line and "pip" in line
    ]
    locks = [re.search(r"-r /build/(\S+)$", line.strip()) for line in installs]
    assert [lock and lock[1] for lock in locks] == ["requirements.lock", "requirements-reports.lock"]
    assert all("--require-hashes" in line and "--no-deps" in line for line in installs)
    assert "requirements-reports.lock" not in stage("build") + stage("lean")


def test_every_folder_of_the_program_is_in_the_image() -> None:
    """The image has each linked folder itself below tightrope/, where the repository has a link to it."""
    targets = dict(line.split() for line in re.findall(r"^COPY (.+)$", stage("build"), flags=re.MULTILINE))
    folders = {"tightrope": "/opt/tightrope/tightrope"}
    folders |= {name: f"/opt/tightrope/tightrope/{name}" for name in LINKED}
    assert targets == folders | {"requirements.lock": "/build/"}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    context = {line[1:] for line in ignored if line.startswith("!")}
    assert context == folders.keys() | {"requirements.lock", "requirements-reports.lock"}
    assert {f"tightrope/{name}" for name in LINKED} <= set(ignored), "links would collide with the folders"


def test_models_stay_out_of_the_build() -> None:
    """The build context leaves out the tracked models and data of the demo."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [path for path in files() if path.parts[0] == "demo" and path.suffix in {".onnx", ".npz", ".csv", ".gz"}]
    assert len(copied) > 3
    assert {f"demo/{path.parts[1]}" for path in copied} <= set(ignored)


def test_images_do_not_run_as_root() -> None:
    """The user is numeric, so that Kubernetes can check it; both images inherit it."""
    assert "USER 10001:10001\n" in stage("base")
    assert instructions("USER") == ["10001:10001"]
    assert re.findall(r"^FROM (\S+) AS (reports|lean)$", DOCKERFILE, flags=re.MULTILINE) == [
        ("base", "reports"),
        ("base", "lean"),
    ]


def test_image_has_labels_and_a_health_check() -> None:
    """The image has OCI labels, a health check on the liveness path, and a stop signal."""
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in stage("base")
    (health,) = instructions("HEALTHCHECK")
    assert "/v2/health/live" in health
    assert instructions("STOPSIGNAL") == ["SIGTERM"]


def test_launcher_is_the_command(tmp_path: Path) -> None:
    """The image's script `tightrope` prints the help of the program."""
    (written,) = re.findall(r"printf '(.+?)' > /opt/venv/bin/tightrope", DOCKERFILE)
    script = tmp_path / "tightrope"
    script.write_text(written.replace("\\n", "\n").replace("/opt/venv/bin/python3", sys.executable))
    script.chmod(0o755)
    ended = subprocess.run(
        [script, "--help"], capture_output=True, text=True, check=True, cwd=ROOT, env={"PYTHONPATH": "."}
    )
    assert "check" in ended.stdout


def test_lean_image_is_small() -> None:
    """The files that the lock installs, and the program, are below the limit."""
    try:
        assert 100e6 < size.packages() + size.program() < MAX_BYTES
    except PackageNotFoundError as error:
        pytest.skip(f"{error.name} is in the lock and not installed: `make .venv/dev.stamp` installs it")
