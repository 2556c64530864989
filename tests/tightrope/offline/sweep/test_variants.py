from pathlib import Path

import pytest

from tests.support.sweeps import SHIFTED, variant_folder
from tightrope.offline.sweep.variants import Variant, find_variants, reason_of
from tightrope.service.config.loader import ConfigError


def test_every_file_is_a_variant_once(tmp_path: Path) -> None:
    """The baseline, a copy, and what is no model's file are listed with the reason."""
    folder = variant_folder(tmp_path, {"a": SHIFTED, "b": SHIFTED, "base": [[1, 0], [0, 0]]})
    (folder / "gone.onnx").symlink_to(folder / "nowhere.onnx")
    (folder / ".draft.onnx").write_bytes(b"")
    variants, skipped = find_variants(folder, folder / "base.onnx")
    assert [each.name for each in variants] == ["a"]
    assert [(each.name, each.reason) for each in skipped[:2]] == [
        ("b.onnx", "is the same as a.onnx"),
        ("base.onnx", "is the same as the baseline"),
    ]
    assert skipped[2].name == "gone.onnx"
    assert skipped[2].reason


def test_a_folder_without_variants_is_a_mistake(tmp_path: Path) -> None:
    """One line says which folder, and what would help."""
    for folder, problem in ((tmp_path, "has no"), (tmp_path / "none", "there is no such folder")):
        with pytest.raises(ConfigError, match=problem):
            find_variants(folder, tmp_path / "base.onnx")


def test_a_reason_names_no_key() -> None:
    """The table has the file already."""
    found = Variant("a", Path("v/a.onnx"), "")
    assert reason_of(["models.m.compressed: v/a.onnx: is broken", "models.m.x: y"], "m", found) == (
        "is broken; models.m.x: y"
    )
