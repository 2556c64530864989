import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.house.sources import ROOT, python

PACKAGES = ("monitors", "service", "shadow", "tightrope", "dashboards", "demo")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and their contracts, to be broken."""
    folder = tmp_path_factory.mktemp("copy")
    for path in python(*PACKAGES):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> tuple[int, str]:
    """What the linter of imports says of this folder's packages: its exit code and its words, on one line."""
    linter = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run([linter, "--no-cache"], capture_output=True, text=True, check=False, cwd=folder)
    assert not ended.stderr, ended.stderr
    return ended.returncode, " ".join(ended.stdout.split())


@contextmanager
def broken(folder: Path, file: str, line: str) -> Iterator[None]:
    """A file with one more import at its end, until the block ends."""
    path = folder / file
    text = path.read_text()
    path.write_text(f"{text}\n{line}\n")
    try:
        yield
    finally:
        path.write_text(text)


def test_untouched_copy_keeps_every_contract(copy: Path) -> None:
    """What breaks below is broken by the import that was added, and the copy is what is linted."""
    code, said = lint(copy)
    assert code == 0, said
    assert " 0 broken." in said
    with broken(copy, "monitors/verdict.py", "import there_is_no_such_module"):
        assert lint(copy)[0] == 0


WRONG = [
    ("monitors/verdict.py", "import socket", "monitors is pure"),
    ("monitors/safemode.py", "import time", "monitors is pure"),
    ("monitors/records.py", "from service.adapters import wire", "Imports go one way"),
    ("monitors/records.py", "from monitors import watch", "Inside monitors"),
    ("service/gateway.py", "from shadow import judge", "Imports go one way"),
    ("service/tensors.py", "from service import gateway", "Inside service"),
    ("shadow/worker.py", "from service import gateway", "The shadow knows only the adapters of service"),
    ("shadow/judge.py", "import fastapi", "The shadow has no HTTP, not even indirectly"),
    ("service/adapters/topics.py", "import uvicorn", "The shadow has no HTTP, not even indirectly"),
    ("tightrope/facts.py", "import pandas", "One door to evidently and pandas"),
    ("service/adapters/wire.py", "import evidently", "What serves never loads the drift report, not even indirectly"),
    ("tightrope/embedded.py", "from shadow import report", "What serves never loads the drift report"),
    ("service/gateway.py", "import onnxruntime", "One door to onnxruntime"),
    ("tightrope/embedded.py", "import kafka", "One door to kafka"),
    ("service/http.py", "import grpc", "One door to gRPC"),
    ("service/respond.py", "from service import rpc", "Inside service"),
    ("shadow/judge.py", "import prometheus_client", "One door to prometheus_client"),
    ("tightrope/cli.py", "import grafana_api", "One door to grafana_api"),
    ("shadow/judge.py", "from dashboards import grafana", "What serves asks nothing of Grafana's library"),
    ("tightrope/cli.py", "import os", "One door to the environment"),
    ("dashboards/__init__.py", "from monitors import records", "Dashboards import nothing of the program"),
    ("service/adapters/wire.py", "from service import settings", "Inside service"),
    ("demo/census.py", "from demo import graph", "No cycles"),
]


def test_every_contract_is_broken_below() -> None:
    """A contract that nobody has seen fail may not be able to."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    names = [contract["name"] for contract in declared]
    assert [name for name in names if not any(name.startswith(contract) for _, _, contract in WRONG)] == []


@pytest.mark.parametrize(("file", "line", "contract"), WRONG)
def test_forbidden_import_breaks_its_contract(copy: Path, file: str, line: str, contract: str) -> None:
    """The linter fails, and names the contract that does not hold any more."""
    with broken(copy, file, line):
        code, said = lint(copy)
    assert code == 1
    broken_ones = said.partition("Broken contracts")[2]
    assert contract in broken_ones, said
