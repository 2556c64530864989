import ast
import sys
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path, PurePath

import pytest

from tests.house.sources import LINKED, PACKAGES, ROOT, python

DOORS = {
    "crc32c": ["service/adapters/journal/entries.py"],
    "cryptography": ["service/adapters/attestation/*.py", "service/adapters/journal/aes_cmac.py"],
    "evidently": ["shadow/report.py"],
    "fastapi": [
        *(f"service/api/{room}*.py" for room in ("", "front_page/", "letter/", "review/")),
        *("service/api/record/routes.py", "service/api/record/statement.py"),
    ],
    "fastapi_offline": ["service/api/documentation.py"],
    "google": ["service/transport/grpc/*.py"],
    "grafana_api": ["dashboards/grafana.py"],
    "grpc": ["service/transport/grpc/*.py"],
    "grpc_health": ["service/transport/grpc/*.py"],
    "kafka": ["service/adapters/kafka/*.py", "service/adapters/kafka/permissions/*.py"],
    "onnx": ["demo/builder/*.py", "tightrope/offline/sweep/making/*.py"],
    "onnxruntime": ["service/adapters/onnxruntime.py", "demo/builder/*.py", "tightrope/offline/sweep/making/*.py"],
    "os": [
        "tightrope/__init__.py",
        "service/config/loader.py",
        "service/adapters/cpu.py",
        "service/adapters/memory.py",
        "service/adapters/load_watch.py",
        "service/adapters/private_files.py",
        "service/adapters/sqlite/*.py",
        "service/adapters/journal/entries.py",
        "service/adapters/state_use/holders.py",
        "tightrope/wiring/candidates/trial*.py",
        "tightrope/serving/server.py",
        "tightrope/serving/exit_deadline.py",
        "tightrope/serving/requalification.py",
        "service/adapters/archive/free_space.py",
        "service/adapters/archive/row_erasure.py",
        "shadow/report.py",
        "demo/broker.py",
        "demo/builder/*.py",
    ],
    "opentelemetry": ["service/adapters/telemetry/otlp.py"],
    "pandas": ["shadow/report.py"],
    "prometheus_client": ["service/adapters/prometheus/*.py", "service/adapters/prometheus/recording/metrics.py"],
    "pyarrow": ["demo/builder/*.py", "service/inference/row_files/parquet_rows.py"],
    "pydantic": [
        "service/config/*.py",
        "service/config/process/*.py",
        "service/api/*.py",
        "service/api/letter/*.py",
        "service/api/record/routes.py",
        "service/api/review/*.py",
        "tightrope/wiring/deployer.py",
    ],
    "requests": ["dashboards/grafana.py"],
    "rich": [
        "tightrope/cli/*.py",
        "tightrope/cli/people/*.py",
        "tightrope/cli/sweep/*.py",
        "tightrope/demo_run/*.py",
        "tightrope/offline/*.py",
    ],
    "ruamel": ["service/config/loader.py", "tightrope/demo_run/gateway_process.py"],
    "securesystemslib": ["service/adapters/attestation/*.py"],
    "sqlite3": ["service/adapters/sqlite/*.py", "service/adapters/ledger/cost_table.py"],
    "starlette": ["service/api/*.py", "tightrope/wiring/shadow_processes.py", "tightrope/wiring/judge_labels.py"],
    "typer": ["tightrope/cli/*.py", "tightrope/cli/*/*.py", "tightrope/offline/report.py"],
    "urllib3": [
        "service/adapters/*.py",
        "service/adapters/open_inference/*.py",
        "demo/replay.py",
        "tightrope/demo_run/gateway_process.py",
    ],
    "uvicorn": ["tightrope/serving/server.py", "service/transport/http/*.py"],
}
"""The files that may import a library: one library, one room."""

EVERYWHERE = {"numpy", "msgspec"}
"""Arrays and records, which every room works with."""

PURE = {
    "asyncio", "concurrent", "http", "io", "json", "logging", "multiprocessing", "os", "pathlib", "random", "secrets",
    "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time",
    "datetime", "urllib", "uuid",
}  # fmt: skip
"""Modules that monitors/ may not import: no clock, no randomness, no I/O."""


@cache
def imported(path: Path) -> frozenset[str]:
    """The top-level packages of all absolute imports in a file."""
    return frozenset(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def trespasses(path: Path, names: AbstractSet[str]) -> list[str]:
    """Return the libraries that a file imports outside their room."""
    return [f"{path}: {name}" for name in sorted(names & set(DOORS)) if not _may(path, name)]


def _may(path: Path, name: str) -> bool:
    return any(PurePath(path).match(door) for door in DOORS[name])


def test_each_library_is_imported_in_its_room_only() -> None:
    """A library is replaced in one place, and its quirks are known in one place."""
    assert [wrong for path in python(*PACKAGES) for wrong in trespasses(path, imported(path))] == []


@pytest.mark.parametrize("name", DOORS)
def test_each_door_is_used(name: str) -> None:
    """A row for a library that nothing imports guards nothing."""
    assert any(name in imported(path) for path in python(*PACKAGES))


def test_trespass_is_found() -> None:
    """The check fails where a library is imported through another door."""
    assert trespasses(Path("shadow/judge.py"), {"kafka", "numpy"}) == ["shadow/judge.py: kafka"]


def test_monitors_are_pure() -> None:
    """The judgement is a function of its arguments."""
    allowed = EVERYWHERE | {"tightrope"}
    wrong = {
        f"{path}: {name}"
        for path in python("monitors")
        for name in imported(path)
        if name in PURE or (name in DOORS or name in LINKED) or (not _is_standard(name) and name not in allowed)
    }
    assert wrong == set()


def _is_standard(name: str) -> bool:
    return name in sys.stdlib_module_names


def test_nothing_is_imported_by_a_top_level_folder() -> None:
    """Every import says `tightrope.…`: by two names a module would be loaded twice, with two registries."""
    wrong = {f"{path}: {name}" for path in python() for name in imported(path) if name in LINKED}
    assert wrong == set()
