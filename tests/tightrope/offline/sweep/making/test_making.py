import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tightrope.offline.progress import NO_PROGRESS
from tightrope.offline.sweep.making import making
from tightrope.offline.sweep.making.making import Making, require_extra
from tightrope.offline.sweep.making.recipes import read_recipes
from tightrope.service.config.loader import ConfigError


def making_of(folder: Path, recipes: str = "fp16") -> Making:
    """Return the making of variants of a small classifier."""
    baseline = classifier(folder / "baseline.onnx", np.eye(4, dtype=np.float32))
    return Making(folder / "variants", baseline, read_recipes(recipes), None, 1)


def test_a_variant_has_a_manifest(tmp_path: Path) -> None:
    """With its digest, its recipe, the baseline and the tools; the draft is gone."""
    assert making_of(tmp_path, "prune:0.5").make(NO_PROGRESS) == []
    manifest = json.loads((tmp_path / "variants/prune-0.5.manifest.json").read_text())
    build = manifest["predicate"]["buildDefinition"]
    assert build["externalParameters"] == {"technique": "magnitude pruning", "sparsity": 0.5}
    assert [each["name"] for each in build["resolvedDependencies"]] == ["baseline.onnx"]
    assert manifest["subject"][0]["name"] == "prune-0.5.onnx"
    assert "onnx" in manifest["predicate"]["runDetails"]["builder"]["version"]
    assert sorted(path.name for path in (tmp_path / "variants").iterdir()) == [
        "prune-0.5.manifest.json",
        "prune-0.5.onnx",
    ]


def test_what_was_made_before_stays(tmp_path: Path) -> None:
    """A file of another origin, or of another baseline, is never overwritten."""
    making_of(tmp_path).make(NO_PROGRESS)
    file = tmp_path / "variants/fp16.onnx"
    stamp = file.stat().st_mtime_ns
    assert making_of(tmp_path).make(NO_PROGRESS) == []
    assert file.stat().st_mtime_ns == stamp
    file.with_suffix(".manifest.json").unlink()
    with pytest.raises(ConfigError, match="is another file than fp16 would be; move it"):
        making_of(tmp_path).make(NO_PROGRESS)


def test_a_kill_before_the_file_is_there_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest is written first, and the variant made again."""
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            making_of(tmp_path).make(NO_PROGRESS)
    assert making_of(tmp_path).make(NO_PROGRESS) == []
    assert (tmp_path / "variants/fp16.onnx").is_file()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_cannot_be_made_is_skipped_with_the_reason(tmp_path: Path) -> None:
    """In one line; no draft stays."""
    baseline = tmp_path / "broken.onnx"
    baseline.write_bytes(b"no model")
    found = Making(tmp_path / "variants", baseline, read_recipes("fp16"), None, 1).make(NO_PROGRESS)
    assert found[0].name == "fp16.onnx"
    assert found[0].reason.startswith("cannot be made: ")
    assert "\n" not in found[0].reason
    assert list((tmp_path / "variants").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """With the reason."""
    (tmp_path / "variants").write_text("a file")
    with pytest.raises(ConfigError, match="variants: cannot be made: File exists"):
        making_of(tmp_path).make(NO_PROGRESS)


def test_without_the_extra_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line has the command that installs it."""
    monkeypatch.setattr(making.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'tightrope\[sweep\]'"):
        require_extra()
