"""The version has one home, `tightrope/__init__.py`: everything else that states it agrees."""

import re
import tomllib

from ruamel.yaml import YAML

from tests.house.sources import ROOT
from tightrope import __version__


def test_package_takes_the_version_from_the_module() -> None:
    """pyproject.toml has no version of its own."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert config["project"]["dynamic"] == ["version"]
    assert config["tool"]["hatch"]["version"]["path"] == "tightrope/__init__.py"


def test_image_and_chart_have_the_version() -> None:
    """The Dockerfile's default and both versions of the chart, whose default image tag is appVersion."""
    chart = YAML(typ="safe").load(ROOT / "helm" / "Chart.yaml")
    argument = re.search(r"^ARG VERSION=(.+)$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    assert argument is not None
    assert {argument[1], str(chart["version"]), str(chart["appVersion"])} == {__version__}


def test_install_page_names_the_version() -> None:
    """The tag in the values of docs/install.md is the image of this version."""
    tags = re.findall(r"tag: (\d[\w.]*)\}", (ROOT / "docs" / "install.md").read_text())
    assert tags == [__version__]
