"""Rows of a file take the place of made-up ones in the probe."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.serving.graph_models import of_seven
from tests.support.serving.service_harness import GatewayHarness, pair_of, settings_of
from tests.support.serving.transports import assert_close, everywhere
from tightrope.monitors.records import Role
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.independence.given_rows import GivenRows, GivenRowsError
from tightrope.service.inference.loading.pair_loading import build_pair
from tightrope.service.inference.probing.probe_memory import ProbeMemory
from tightrope.service.protocol.tensors import Tensor
from tightrope.wiring.candidates.trial import tried_pair

ROWS = np.random.default_rng(2).normal(size=(12, 7)).astype(np.float32)


def pair_files(folder: Path) -> dict[str, Any]:
    """The files of a pair that no made-up row runs on."""
    return {"baseline": of_seven(folder / "b.onnx"), "compressed": of_seven(folder / "c.onnx", 0.05)}


def saved(path: Path, **arrays: Tensor) -> Path:
    """The path, with these arrays in it."""
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_pair_on_which_nothing_runs_is_refused(tmp_path: Path) -> None:
    """With onnxruntime's sentence for each model, and what to write; also by a trial."""
    settings = settings_of(tmp_path, {"m": pair_files(tmp_path)})
    for build in (build_pair, tried_pair):
        with pytest.raises(ConfigError) as caught:
            build("m", settings)
        for line, role in zip(caught.value.problems, ("baseline", "compressed"), strict=True):
            assert line.startswith(f"models.m.{role}: no made-up input runs (last: ")
            assert "MatMul" in line
            assert line.endswith("); write probe: {rows: rows.npz}")


def test_given_rows_show_what_made_up_ones_cannot(tmp_path: Path) -> None:
    """The pair is served, its requests share runs, and its scale is known; paths are relative to the configuration."""
    saved(tmp_path / "rows.npz", x=ROWS)
    bench = GatewayHarness(tmp_path, {"m": {**pair_files(tmp_path), "probe": {"rows": "rows.npz", "seconds": 60}}})
    pair = bench.pairs["m"]
    assert pair.batchability.is_open
    assert pair.batchability.findings[Role.BASELINE]["p"].scale is not None
    for found in everywhere(bench, {"x": ROWS[:2]}):
        assert_close(found, OnnxModel(tmp_path / "c.onnx").run({"x": ROWS[:2]}, ["p"]))


def test_given_rows_that_do_not_run_are_refused(tmp_path: Path) -> None:
    """With the file."""
    path = saved(tmp_path / "rows.npz", x=ROWS[:, :5])
    with pytest.raises(ConfigError) as caught:
        pair_of(tmp_path, **pair_files(tmp_path), probe={"rows": "rows.npz"})
    assert caught.value.problems[0].startswith(f"models.m.probe.rows: {path}: no row runs on the baseline (last: ")


def test_other_rows_and_seconds_are_another_probe(tmp_path: Path) -> None:
    """Findings are remembered with the rows that they are from."""
    folder, files = tmp_path / "memory", pair_files(tmp_path)
    folder.mkdir()

    def runs(**probe: Any) -> int:  # noqa: ANN401 - any key
        steps: list[str] = []
        settings = settings_of(tmp_path, {"m": {**files, "probe": {"rows": "rows.npz", **probe}}})
        build_pair("m", settings, steps.append, None, ProbeMemory(folder))
        return sum("made-up" in step for step in steps)

    saved(tmp_path / "rows.npz", x=ROWS)
    assert [runs(), runs(), runs(seconds=30)] == [2, 0, 2]
    saved(tmp_path / "rows.npz", x=ROWS[::-1])
    assert runs() == 2


def test_rows_of_the_commonest_shapes_are_tried() -> None:
    """Rows of other shapes share no run."""
    parts = [{"x": np.zeros((2, 7))}, {"x": np.ones((3, 5))}, {"x": np.zeros((2, 7))}]
    given = GivenRows(Path("rows.jsonl"), "", lambda _: parts)
    assert [row["x"].shape for row in given.rows(None)] == [(1, 7)] * 4


def test_file_that_does_not_fit_a_layout_has_no_rows() -> None:
    """Another layout is tried then."""

    def read(_: object) -> list[dict[str, Tensor]]:
        raise GivenRowsError("rows.npz: array 'x': has shape [7]")

    assert GivenRows(Path("rows.npz"), "", read).rows(None) == ()
