"""Configurations for servers under test; starts nothing."""

from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

TOKEN = "a-token-for-tests"
ROOT = Path(__file__).parents[2]


def write_config(folder: Path, config: Mapping[str, object]) -> Path:
    """Write a configuration that listens on a free port to a folder; models are armed where they say no mode."""
    path, models = folder / "tightrope.yaml", config["models"]
    if isinstance(models, Mapping):
        models = {
            name: {"mode": "armed", **each} if isinstance(each, Mapping) else each for name, each in models.items()
        }
    YAML(typ="safe").dump({"server": {"port": 0}, **config, "models": models}, path)
    return path
