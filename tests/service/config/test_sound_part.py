"""The part of a file without field errors."""

from pathlib import Path

from tightrope.service.config.sound_part import SoundPart, sound_part


def part_of(folder: Path, text: str) -> SoundPart | None:
    """The sound part of a file with this content."""
    path = folder / "tightrope.yaml"
    path.write_text(text)
    return sound_part(path)


def test_keys_with_errors_are_left_out(tmp_path: Path) -> None:
    """Unknown keys, wrong values, and sections that lack a required key; all else stays as it is written."""
    part = part_of(
        tmp_path,
        """
        models:
          a: {baseline: b.onnx, compressed: c.onnx, queue: 0, bogus: 1, refusal: {}, run_seconds: 2}
          b: {baseline: b.onnx, compressed: c.onnx, queue: 7}
        server: {port: 70000, processes: 2}
        bogus: 1
        """,
    )
    assert part is not None
    assert part.lost == {"a": {"queue", "bogus", "refusal"}}
    assert (part.settings.models["a"].queue, part.settings.models["a"].run_seconds) == (1024, 2)
    assert part.settings.models["b"].queue == 7
    assert (part.settings.server.port, part.settings.server.processes) == (8080, 2)
    assert part.settings.models["a"].baseline == tmp_path / "b.onnx"


def test_model_without_a_role_is_left_out(tmp_path: Path) -> None:
    """The others are left."""
    part = part_of(tmp_path, "models: {a: {baseline: b.onnx}, b: {baseline: b.onnx, compressed: c.onnx}}")
    assert part is not None
    assert list(part.settings.models) == ["b"]


def test_wrong_items_of_a_list_are_left_out(tmp_path: Path) -> None:
    """Several at once."""
    part = part_of(
        tmp_path,
        "models: {a: {baseline: b.onnx, compressed: c.onnx, subgroups: {s: {parameter: p, values: [a b, c, d e]}}}}",
    )
    assert part is not None
    assert part.settings.models["a"].subgroups["s"].values == ["c"]


def test_nothing_is_left_without_a_model(tmp_path: Path) -> None:
    """No YAML, no models, or only ones that cannot be read."""
    assert part_of(tmp_path, "models: [") is None
    assert part_of(tmp_path, "server: {}") is None
    assert part_of(tmp_path, "models: {a: 5}") is None
    assert sound_part(tmp_path / "none.yaml") is None
