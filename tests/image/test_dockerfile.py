"""The recipe of the images: linted, pinned, small, without models, not run by root."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tests.house.sources import files
from tests.image import size
from tests.support.helm_tools import program
from tests.support.servers import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
MOST_BYTES = 250e6
"""What the lean image holds above its base, which has about 130 MB: together they stay below 400 MB."""


def instructions(word: str) -> list[str]:
    """What follows every instruction of a kind, on one line."""
    return re.findall(rf"^{word} (.+)$", DOCKERFILE.replace("\\\n", ""), flags=re.MULTILINE)


def stage(name: str) -> str:
    """The instructions of one stage."""
    found = re.search(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


def hadolint(text: str) -> tuple[int, str]:
    """What the linter says of a recipe: its exit code and its words."""
    command = [program("hadolint"), "-"]
    ended = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    return ended.returncode, ended.stdout + ended.stderr


def test_linter_finds_nothing() -> None:
    """Hadolint, with all its rules; shellcheck's for RUN are among them."""
    assert hadolint(DOCKERFILE) == (0, "")


def test_linter_would_find_something() -> None:
    """A base without a version, and a package without one."""
    code, words = hadolint("FROM python\nRUN pip install numpy\n")
    assert code == 1
    assert "DL3006" in words
    assert "DL3013" in words


def test_packages_come_from_the_locks_with_hashes() -> None:
    """Nothing is installed that a lock does not pin, file by file."""
    installs = [
        line for run in instructions("RUN") for line in run.split("&&") if " install " in line and "pip" in line
    ]
    locks = [re.search(r"-r /build/(\S+)$", line.strip()) for line in installs]
    assert [lock and lock[1] for lock in locks] == ["requirements.lock", "requirements-reports.lock"]
    assert all("--require-hashes" in line and "--no-deps" in line for line in installs)
    assert "requirements-reports.lock" not in stage("build") + stage("lean")


def test_every_package_of_the_program_is_in_the_image() -> None:
    """Where `tightrope` is imported from; whatever the build context keeps out cannot be copied."""
    declared = re.search(r"^packages = (\[.*\])$", (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert declared is not None
    packages = set(re.findall(r'"(\w+)"', declared[1]))
    assert {line.split()[0] for line in re.findall(r"^COPY (.+)$", stage("build"), flags=re.MULTILINE)} - {
        "requirements.lock"
    } == packages
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == packages | {"requirements.lock", "requirements-reports.lock"}


def test_models_stay_out_of_the_build() -> None:
    """Every model and all data that are tracked in a copied folder are kept out by name."""
    kept_out = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [path for path in files() if path.parts[0] == "demo" and path.suffix in {".onnx", ".npz", ".csv", ".gz"}]
    assert len(copied) > 3
    assert {f"demo/{path.parts[1]}" for path in copied} <= set(kept_out)


def test_nobody_runs_as_root() -> None:
    """The user is a number, so that Kubernetes can see it; both images inherit it."""
    assert "USER 10001:10001\n" in stage("base")
    assert instructions("USER") == ["10001:10001"]
    assert re.findall(r"^FROM (\S+) AS (reports|lean)$", DOCKERFILE, flags=re.MULTILINE) == [
        ("base", "reports"),
        ("base", "lean"),
    ]


def test_image_says_what_it_is_and_how_it_is() -> None:
    """Labels of the Open Container Initiative, a health check on a path that the program has, a signal to stop."""
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in stage("base")
    (health,) = instructions("HEALTHCHECK")
    assert "/v2/health/live" in health
    assert instructions("STOPSIGNAL") == ["SIGTERM"]


def test_launcher_is_the_command(tmp_path: Path) -> None:
    """The script that the image calls `tightrope` shows the same help as the installed command."""
    (written,) = re.findall(r"printf '(.+?)' > /opt/venv/bin/tightrope", DOCKERFILE)
    script = tmp_path / "tightrope"
    script.write_text(written.replace("\\n", "\n").replace("/opt/venv/bin/python3", sys.executable))
    script.chmod(0o755)
    ended = subprocess.run(
        [script, "--help"], capture_output=True, text=True, check=True, cwd=ROOT, env={"PYTHONPATH": "."}
    )
    assert "check" in ended.stdout


def test_lean_image_is_small() -> None:
    """By the sizes of the very files that the lock installs, and of the program; the base is on top."""
    try:
        assert 100e6 < size.packages() + size.program() < MOST_BYTES
    except PackageNotFoundError as error:
        pytest.skip(f"{error.name} is in the lock and not installed: `make .venv/dev.stamp` installs it")
