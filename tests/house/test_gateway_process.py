import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.support.configs import write_config
from tests.support.harmful_pair import config

HEAVY = ("evidently", "pandas")
ASKED_FOR = ("grpc", "google")
DEVELOPMENT = ("pytest", "hypothesis", "httpx", "onnx", "pyarrow", "scipy", "tritonclient", "importlinter", "mpmath")
SHOW = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def loaded(statement: str, stand_ins: Path) -> set[str]:
    """Return the packages that a fresh interpreter has loaded after a statement; stand-ins are importable."""
    for name in HEAVY:
        (stand_ins / f"{name}.py").write_text("")
    program = f"import sys; sys.path.append({str(stand_ins)!r})\n{statement}\n{SHOW}"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(ended.stdout.split())


def test_gateway_process_never_loads_the_drift_reports_libraries(tmp_path: Path) -> None:
    """Neither the gigabyte that only reports need nor a development package is loaded, even where it is installed."""
    names = loaded("import tightrope.wiring.embedded, tightrope.cli.main", tmp_path)
    assert {"uvicorn", "onnxruntime", "tightrope"} <= names
    assert names & {*HEAVY, *DEVELOPMENT} == set()


def test_grpc_is_loaded_only_where_it_is_asked_for(tmp_path: Path) -> None:
    """A gateway without gRPC starts a quarter of a second sooner; one with it loads no development package."""
    assert loaded("import tightrope.wiring.embedded, tightrope.cli.main", tmp_path) & {*ASKED_FOR} == set()
    names = loaded(
        "import tightrope.wiring.embedded, tightrope.cli.main, tightrope.service.transport.grpc.server", tmp_path
    )
    assert names >= {*ASKED_FOR}
    assert names & {*HEAVY, *DEVELOPMENT} == set()


@pytest.mark.parametrize("name", HEAVY)
def test_loading_them_would_be_seen(tmp_path: Path, name: str) -> None:
    """The check above detects a loaded package."""
    assert name in loaded(f"import tightrope.wiring.embedded, {name}", tmp_path)


SERVES = {"run": "tightrope.wiring.embedded", "serve": "tightrope.wiring.cluster"}
LATER = {"fastapi", "starlette"}
"""Libraries behind every route but inference: loaded after the gateway answers requests."""
ELSEWHERE = {
    "rich",
    "requests",
    "grafana_api",
    "tightrope.dashboards.grafana",
    "tightrope.dashboards.boards",
    "tightrope.demo_run.story",
}
"""Libraries of other commands, or of a configuration that names Grafana."""


@pytest.mark.parametrize("command", SERVES)
def test_server_loads_nothing_before_it_is_up_that_it_does_not_need(tmp_path: Path, command: str) -> None:
    """The real command, up to the moment when it prints its address; a benchmark measures how long that takes."""
    path = write_config(tmp_path, config(tmp_path) | {"bus": {"kafka": {"servers": ["127.0.0.1:1"]}}})
    program = f"""
import json, sys
from tightrope.cli import main
from tightrope.serving import server
server.HttpServer.serve_until_stopped = lambda *_: print(json.dumps(sorted(sys.modules)))
sys.argv = ["tightrope", {command!r}, {str(path)!r}, "--json"]
main.main()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.stdout, ended.stderr
    names = set(json.loads(ended.stdout))
    assert {SERVES[command], "uvicorn", "onnxruntime", "tightrope.monitors.records"} <= names
    assert names & (LATER | ELSEWHERE) == set()


def test_help_loads_no_model_runtime(tmp_path: Path) -> None:
    """`--help` lists a command without loading what the command needs."""
    assert (
        loaded("import tightrope.cli.main", tmp_path) & {"numpy", "onnxruntime", "pydantic", "kafka", "rich"} == set()
    )


def test_judgement_loads_nothing_but_numpy(tmp_path: Path) -> None:
    """The monitors need no third-party package but numpy."""
    extra = loaded("import tightrope.monitors.watch, tightrope.monitors.safemode", tmp_path) - loaded(
        "import numpy", tmp_path
    )
    assert extra - sys.stdlib_module_names == {"tightrope"}
