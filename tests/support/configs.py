"""Configurations for servers under test; starts nothing."""

from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

TOKEN = "a-token-for-tests"
ROOT = Path(__file__).parents[2]


def write_config(folder: Path, config: Mapping[str, object]) -> Path:
    """Write a configuration that listens on a free port to a folder."""
    path = folder / "tightrope.yaml"
    YAML(typ="safe").dump({"server": {"port": 0}, **config}, path)
    return path
