"""Paths with symbolic links: those of the configuration are taken as they are written."""

from pathlib import Path

from tightrope.service.config.loader import load

MINIMAL = "models: {m: {baseline: b.onnx, compressed: sub/c.onnx}}\n"
FILES = "models: {m: {baseline: /models/b.onnx, compressed: c.onnx}}\nserver: {control_token_file: token}\n"


def test_relative_paths_of_a_link_are_relative_to_the_link(tmp_path: Path) -> None:
    """Kubernetes mounts a ConfigMap's file as a link into a hidden folder; the models lie beside the link."""
    hidden = tmp_path / "..2026_11_28"
    hidden.mkdir()
    (hidden / "tightrope.yaml").write_text(MINIMAL)
    (tmp_path / "..data").symlink_to(hidden.name)
    (tmp_path / "tightrope.yaml").symlink_to("..data/tightrope.yaml")
    assert load(tmp_path / "tightrope.yaml", {}).models["m"].baseline == tmp_path / "b.onnx"


def test_link_among_the_folders_is_taken_as_written(tmp_path: Path) -> None:
    """A release is switched by a link, and its folder is deleted later: files that are read then are the new ones."""
    (tmp_path / "release-1").mkdir()
    (tmp_path / "release-1" / "tightrope.yaml").write_text(FILES)
    (tmp_path / "current").symlink_to("release-1")
    settings = load(tmp_path / "current" / "tightrope.yaml", {})
    assert settings.models["m"].compressed == tmp_path / "current" / "c.onnx"
    assert settings.server.control_token_file == tmp_path / "current" / "token"
