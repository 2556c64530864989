"""The wheel in a bare environment, run from a folder whose files have the names of the program's folders."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.commands import environment
from tests.support.configs import ROOT, write_config
from tests.support.harmful_pair import config

BUILD_SECONDS = 300.0
START_SECONDS = 90.0
TRAPS = ("service.py", "monitors/__init__.py", "demo.py", "shadow.py", "dashboards/__init__.py")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command to its end and return what it printed; a failure shows what it said."""
    ended = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, check=False, timeout=BUILD_SECONDS, cwd=cwd,
        env=environment(),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds the wheel and what it requires, without extras; its `bin`."""
    folder = tmp_path_factory.mktemp("bare")
    uv = Path(sys.executable).with_name("uv")
    run(uv, "build", "--quiet", "--out-dir", folder / "dist", ROOT, cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    run(uv, "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    pinned = ("--constraint", ROOT / "requirements.lock")
    run(uv, "pip", "install", "--quiet", "--python", python, *pinned, wheel, cwd=folder)
    return python.parent


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A working directory with a module by the name of each folder of the program, which fails when it is imported."""
    folder = tmp_path / "trapped"
    for name in TRAPS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("raise ImportError(f'{__name__} of the working directory was imported')\n")
    return folder


@contextmanager
def serving_processes(bare: Path, path: Path, cwd: Path) -> Iterator[str]:
    """`tightrope serve --processes 2`, stopped at the end of the block; the address it printed."""
    command = [bare / "tightrope", "serve", path, "--processes", "2", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cwd, env=environment())
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["address"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_SECONDS)
        process.stdout.close()


def test_wheel_owns_one_import_name(bare: Path) -> None:
    """Everything importable that the wheel brings stands below `tightrope`, typed, without the builder."""
    program = "import importlib.metadata as m; print(*m.files('tightrope'), sep='\\n')"
    names = run(bare / "python", "-c", program, cwd=bare).splitlines()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"..", "tightrope"}
    assert [name for name in names if name.startswith("..") and "/bin/" not in name] == []
    assert {"tightrope/py.typed", "tightrope/service/app.py", "tightrope/demo/manifest.json"} <= {*names}
    assert {"index.html", "page.css", "page.js"} <= {each.partition("/front_page/assets/")[2] for each in names}
    assert [name for name in names if "/builder/" in name] == []


def test_version_is_that_of_the_wheel(bare: Path) -> None:
    """One version, in one place."""
    program = "import importlib.metadata as m, tightrope; print(tightrope.__version__ == m.version('tightrope'))"
    assert run(bare / "python", "-c", program, cwd=bare).strip() == "True"


def test_demo_runs_where_files_have_the_names_of_its_folders(bare: Path, trapped: Path) -> None:
    """Neither the command nor the gateway that it starts imports from the working directory."""
    options = ("--fast", "--headless", "--json", "--sampling", "0.02")  # it judges less, and imports the same
    told = json.loads(run(bare / "tightrope", "demo", *options, cwd=trapped).splitlines()[-1])
    assert told["model"] == "bad_distilled_households_only"


def test_processes_start_where_files_have_the_names_of_its_folders(bare: Path, trapped: Path, tmp_path: Path) -> None:
    """The children of `serve --processes` do not either; Kafka is absent, and they answer all the same."""
    document = config(tmp_path) | {"bus": {"kafka": {"servers": ["127.0.0.1:1"]}}}
    path = write_config(tmp_path, document)
    with serving_processes(bare, path, trapped) as address:
        program = f"import urllib.request as r; print(r.urlopen('{address}/v2/health/live').status)"
        assert run(bare / "python", "-P", "-c", program, cwd=trapped).strip() == "200"


def test_traps_work(trapped: Path) -> None:
    """A module of the working directory would be seen."""
    ended = subprocess.run(
        [sys.executable, "-c", "import service"], capture_output=True, text=True, check=False, cwd=trapped,
        env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    assert "of the working directory was imported" in ended.stderr
