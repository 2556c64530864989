"""Every configuration of docs/models.md is accepted, with files that its own commands make."""

import importlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from tests.support.configs import ROOT
from tests.support.recipe_models import RECIPES
from tightrope.monitors.kinds.registry import KINDS, LATER, OPTIONS
from tightrope.monitors.kinds.seam import DecisionKind, PairLayout, TensorLayout
from tightrope.monitors.records import Fault, Role
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.tensors import TensorSpec, dtype_of
from tightrope.wiring.configuration_check import CheckedConfiguration, check_configuration

PAGE = (ROOT / "docs" / "models.md").read_text()
ROWS = 4
KIND_FILE = "# tightrope_angle.py\n"


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def command(name: str) -> str:
    """The Python block that writes a file."""
    return next(block for block in blocks("python") if f'"{name}"' in block)


def section_commands(names: list[str]) -> list[str]:
    """The Python blocks of the section with the configuration of these models."""
    section = next(each for each in PAGE.split("\n## ") if f"\n  {names[0]}:\n" in each)
    return [block for block in re.findall(r"```python\n(.*?)```", section, re.DOTALL) if "def build_" not in block]


CONFIGURATIONS = {tuple(YAML(typ="safe").load(block)["models"]): block for block in blocks("yaml")}


@pytest.fixture
def angle_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's own kind as an installed package."""
    (tmp_path / "tightrope_angle.py").write_text(next(each for each in blocks("python") if KIND_FILE in each))
    points = blocks("toml")[0].replace("project.entry-points.", "").replace('"', "")
    package = tmp_path / "tightrope_angle-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: tightrope-angle\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    yield tmp_path
    sys.modules.pop("tightrope_angle", None)


def checked(names: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> CheckedConfiguration:
    """The check of a configuration of the page, with its models beside it, made smaller by the page's commands."""
    monkeypatch.chdir(folder)
    for name in names:
        RECIPES[name](folder)
    for block in section_commands([*names]):
        if "check_kind" not in block:
            exec(block, {})  # noqa: S102 - a block of the page
    for section in YAML(typ="safe").load(CONFIGURATIONS[names])["models"].values():
        if not (folder / section["compressed"]).exists():
            exec(command(section["compressed"]), {})  # noqa: S102 - likewise
    (folder / "tightrope.yaml").write_text(CONFIGURATIONS[names])
    return check_configuration(folder / "tightrope.yaml")


@pytest.mark.parametrize("names", CONFIGURATIONS, ids="-".join)
def test_configuration_of_the_page_is_accepted(
    names: tuple[str, ...], angle_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both models of every recipe run on made-up rows, by the kind and with the limits that it writes, and without a
    warning.
    """
    found = checked(names, angle_package, monkeypatch)
    assert (found.problems, found.warnings) == ([], [])
    assert tuple(found.pairs) == names
    for name, pair in found.pairs.items():
        section = found.sections[name]
        assert (pair.kind.name if pair.kind else None) == section.decision.kind
        limits = {rule.monitor.name: float(rule.limits[0]) for rule in pair.plan.rules}
        assert section.limits.items() <= limits.items()
        if pair.kind is not None:
            assert_rows_can_be_compared(pair, pair.kind)


def assert_rows_can_be_compared(pair: ModelPair, kind: DecisionKind) -> None:
    """Assert that both models' answers to four made-up rows are read without a fault, and compared."""
    inputs = {spec.name: made_up(spec) for spec in pair.inputs}
    outputs = {role: pair.models[role].run(inputs, kind.outputs) for role in Role}
    readings = [kind.read(outputs[role], inputs, role, ROWS) for role in Role]
    compared = kind.compare(*readings)
    assert compared.fault.tolist() == [Fault.NONE] * ROWS
    assert ((compared.loss >= 0) & (compared.loss <= 1)).all()


def made_up(spec: TensorSpec) -> NDArray[Any]:
    """Values of an input; a mask leaves out the last of eight tokens."""
    random, shape = np.random.default_rng(0), [ROWS, *(8 if side == -1 else side for side in spec.shape[1:])]
    dtype = dtype_of(spec.datatype)
    if spec.name == "attention_mask":
        return np.broadcast_to(np.arange(8) < 7, shape).astype(dtype)
    return (random.integers(1, 200, shape) if dtype.kind in "iu" else random.normal(0, 1, shape)).astype(dtype)


def test_kind_of_the_page_passes_its_check(angle_package: Path) -> None:
    """The page's own call of `check_kind` passes, and 359 degrees are 2 from 1."""
    assert angle_package.is_dir()
    exec(next(block for block in blocks("python") if "check_kind(" in block), {})  # noqa: S102 - a block of the page
    build: Any = importlib.import_module("tightrope_angle").build_angle
    kind = build({}, PairLayout([], [TensorLayout("angle", (-1, 1), "f")]))
    b, c = (kind.read({"angle": np.array([[a]])}, {}, Role.BASELINE, 1) for a in (359.0, 1.0))
    assert kind.compare(b, c).distance.tolist() == [2.0]
    with pytest.raises(ValueError, match="kind angle has no options"):
        build({"unit": "rad"}, PairLayout([], []))


def test_page_names_every_kind_and_every_loss() -> None:
    """The table has a line for each built-in kind, and the section Out has each that is refused."""
    table = dict(re.findall(r"^\| `(\w+)` \| (.*)$", PAGE, flags=re.MULTILINE))
    assert list(table) == [name for name in table if name in KINDS]
    assert set(table) == set(KINDS)
    out = PAGE.partition("## Out\n")[2].partition("\n## ")[0]
    assert all(f"`{name}`" in out for name in LATER)
    assert set(OPTIONS) == set(KINDS)


def test_every_recipe_has_its_models() -> None:
    """No configuration is left out of these tests."""
    assert {name for names in CONFIGURATIONS for name in names} == set(RECIPES)
