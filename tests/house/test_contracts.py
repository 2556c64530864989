import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.house.sources import LINKED, PACKAGES, ROOT, python


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and their contracts, to break."""
    folder = tmp_path_factory.mktemp("copy")
    for path in python(*PACKAGES):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    for name in LINKED:
        (folder / "tightrope" / name).symlink_to(Path("..") / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> tuple[int, str]:
    """Run the import linter on a folder; return its exit code and its output on one line. Its cache has the imports of
    each file, by the time of the file's last change.
    """
    linter = Path(sys.executable).with_name("lint-imports")
    line = [linter, "--cache-dir", folder / "cache"]
    ended = subprocess.run(line, capture_output=True, text=True, check=False, cwd=folder)
    assert not ended.stderr, ended.stderr
    return ended.returncode, " ".join(ended.stdout.split())


@contextmanager
def broken(folder: Path, file: str, line: str) -> Iterator[None]:
    """Append one import to a file until the block ends."""
    path = folder / file
    text = path.read_text()
    path.write_text(f"{text}\n{line}\n")
    try:
        yield
    finally:
        path.write_text(text)


def test_untouched_copy_keeps_every_contract(copy: Path) -> None:
    """The linter reads the copy, and only the added import breaks a contract."""
    code, said = lint(copy)
    assert code == 0, said
    assert " 0 broken." in said
    with broken(copy, "monitors/verdict.py", "import there_is_no_such_module"):
        assert lint(copy)[0] == 0


WRONG = [
    ("monitors/records.py", "from tightrope.service.adapters import ports", "Imports go one way"),
    ("service/inference/engine.py", "from tightrope.shadow import judge", "Imports go one way"),
    ("tightrope/serving/server.py", "from tightrope.wiring import embedded", "Imports go one way"),
    ("monitors/records.py", "from tightrope.monitors import watch", "Rooms of monitors"),
    ("service/protocol/tensors.py", "from tightrope.service.inference import engine", "Rooms of service"),
    ("service/inference/engine.py", "from tightrope.service.sampling import recorder", "Rooms of service"),
    ("service/transport/responder.py", "from tightrope.service.api import app", "Rooms of service"),
    ("service/adapters/topics.py", "from tightrope.service.config import loader", "Rooms of service"),
    (
        "shadow/worker.py",
        "from tightrope.service.inference import engine",
        "The shadow knows only the adapters of service",
    ),
    ("shadow/judge.py", "import fastapi", "The shadow has no HTTP, not even indirectly"),
    ("service/adapters/topics.py", "import uvicorn", "The shadow has no HTTP, not even indirectly"),
    ("service/adapters/topics.py", "import evidently", "A serving process never loads the drift report"),
    (
        "tightrope/wiring/embedded.py",
        "from tightrope.shadow import report",
        "A serving process never loads the drift report",
    ),
    ("service/errors.py", "import requests", "Judging and answering need nothing of Grafana's library"),
    ("dashboards/__init__.py", "from tightrope.monitors import records", "Dashboards import nothing of the program"),
    ("demo/builder/census.py", "from tightrope.demo.builder import graph", "No cycles"),
]


def test_every_contract_is_broken_below() -> None:
    """A contract that no test has seen fail may be unable to fail."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    names = [contract["name"] for contract in declared]
    assert [name for name in names if not any(name.startswith(contract) for _, _, contract in WRONG)] == []


@pytest.mark.parametrize(("file", "line", "contract"), WRONG)
def test_forbidden_import_breaks_its_contract(copy: Path, file: str, line: str, contract: str) -> None:
    """The linter fails and names the broken contract."""
    with broken(copy, file, line):
        code, said = lint(copy)
    assert code == 1
    broken_ones = said.partition("Broken contracts")[2]
    assert contract in broken_ones, said
