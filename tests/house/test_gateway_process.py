import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import ROOT

HEAVY = ("evidently", "pandas")
ASKED_FOR = ("grpc", "google")
DEVELOPMENT = ("pytest", "hypothesis", "httpx", "onnx", "pyarrow", "scipy", "tritonclient", "importlinter", "mpmath")
SHOW = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def loaded(statement: str, stand_ins: Path) -> set[str]:
    """The packages that a fresh interpreter has loaded after a statement; stand-ins can be imported."""
    for name in HEAVY:
        (stand_ins / f"{name}.py").write_text("")
    program = f"import sys; sys.path.append({str(stand_ins)!r})\n{statement}\n{SHOW}"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(ended.stdout.split())


def test_gateway_process_never_loads_the_drift_reports_libraries(tmp_path: Path) -> None:
    """A gigabyte that only the reports need, even where it is installed; what is only for development neither."""
    names = loaded("import tightrope.embedded, tightrope.cli", tmp_path)
    assert {"uvicorn", "onnxruntime", "shadow", "monitors"} <= names
    assert names & {*HEAVY, *DEVELOPMENT} == set()


def test_grpc_is_loaded_only_where_it_is_asked_for(tmp_path: Path) -> None:
    """A gateway without it starts a quarter of a second sooner; what serves it loads nothing of the development's."""
    assert loaded("import tightrope.embedded, tightrope.cli", tmp_path) & {*ASKED_FOR} == set()
    names = loaded("import tightrope.embedded, tightrope.cli, service.rpc.server", tmp_path)
    assert names >= {*ASKED_FOR}
    assert names & {*HEAVY, *DEVELOPMENT} == set()


@pytest.mark.parametrize("name", HEAVY)
def test_loading_them_would_be_seen(tmp_path: Path, name: str) -> None:
    """The look above sees what is there."""
    assert name in loaded(f"import tightrope.embedded, {name}", tmp_path)


def test_judgement_loads_nothing_but_numpy(tmp_path: Path) -> None:
    """The monitors need no third-party package beside it."""
    extra = loaded("import monitors.watch, monitors.safemode", tmp_path) - loaded("import numpy", tmp_path)
    assert extra - sys.stdlib_module_names == {"monitors"}
