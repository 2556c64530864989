"""The tools that prove the chart and the Dockerfile: `make test` puts them into `.venv-helm` where that is possible."""

import shutil
from pathlib import Path

import pytest

from tests.support.servers import ROOT

PLACE = ROOT / ".venv-helm" / "bin"


def program(name: str) -> Path:
    """The path of helm3, helm4, hadolint, kubernetes-validate or the Python that has the models of custom resources;
    without it the test is skipped, and where everything is to be proved it fails.
    """
    found = shutil.which(name, path=PLACE)
    if found is None:
        pytest.skip(f"{name} is missing: `make .venv-helm/run.stamp` fetches it, on Linux with an x86-64 processor")
    return Path(found)
