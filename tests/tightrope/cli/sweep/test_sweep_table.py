import io
from pathlib import Path

from rich.console import Console

from tests.support.sweeps import small_sweep, variant_folder
from tightrope.cli.sweep.sweep_table import print_sweep
from tightrope.offline.sweep.report import SweepReport

LONG_NAME = "a_variant_with_a_name_that_is_longer_than_its_column"


def printed(report: SweepReport) -> str:
    """Return what is printed in 80 columns."""
    out = io.StringIO()
    print_sweep(report, Console(file=out, width=80))
    return out.getvalue()


def test_the_table_fits_and_cuts_no_name(tmp_path: Path) -> None:
    """Long names are folded; the skipped file and the harm are named below."""
    folder = variant_folder(tmp_path, {"good": [[1.001, 0], [0, 0]], LONG_NAME: [[1, 0], [-4, 0]]})
    (folder / "broken.onnx").write_bytes(b"no model")
    text = printed(small_sweep(tmp_path))
    assert max(map(len, text.splitlines())) <= 80
    assert LONG_NAME in "".join(text.split())
    words = " ".join(text.split())
    assert "skipped broken.onnx: not a model that onnxruntime can load" in words
    assert "of 1,000 in right (side) about 200 get another answer" in words
    assert "recommended for size: none" in words


def test_missing_rows_are_told(tmp_path: Path) -> None:
    """In one line for all variants that lack the same."""
    variant_folder(tmp_path, {"good": [[1.001, 0], [0, 0]], "same": [[1.002, 0], [0, 0]]})
    words = " ".join(printed(small_sweep(tmp_path, rows=40)).split())
    assert "good, same: disagreement in all rows: about" in words


def test_names_are_no_markup(tmp_path: Path) -> None:
    """A file may be called as it likes."""
    variant_folder(tmp_path, {"[bold]x": [[1.001, 0], [0, 0]], "[red]y": [[1, 0], [-4, 0]]})
    text = printed(small_sweep(tmp_path))
    assert "[bold]x" in text
    assert "[red]y: of 1,000" in text
