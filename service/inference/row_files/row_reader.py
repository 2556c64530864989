"""The reader of files of rows, by suffix: NPZ, Parquet, lines of requests, folders of .npy files, and else CSV."""

from pathlib import Path

from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.row_files.array_rows import read_arrays
from tightrope.service.inference.row_files.csv_rows import read_csv
from tightrope.service.inference.row_files.parquet_rows import read_parquet
from tightrope.service.inference.row_files.request_lines import read_lines
from tightrope.service.inference.row_files.row_file import RowFile, RowFileError
from tightrope.service.inference.row_files.row_folders import holds_rows, read_row_folders
from tightrope.service.inference.row_files.row_schema import RowSchema, show_spec


def read_rows(
    path: Path, schema: RowSchema, *, at_least: int = 1, labelled: bool = True, most: int | None = None
) -> RowFile:
    """Read the rows of a file: the first ``most``, all without it. Labels are ignored unless it is to be ``labelled``.

    Raises:
        ConfigError: when the model has an input that no file of rows can feed.
        RowFileError: when the file cannot be read, does not fit, or has fewer than ``at_least`` rows.
    """
    _require_rows(schema)
    suffix = path.suffix.lower()
    if holds_rows(path):
        rows = read_row_folders(path, schema, labelled=labelled, most=most)
    elif suffix == ".npz" or path.is_dir():
        rows = read_arrays(path, schema, labelled=labelled, most=most)
    elif suffix == ".parquet":
        rows = read_parquet(path, schema, labelled=labelled, most=most)
    elif suffix == ".jsonl":
        rows = read_lines(path, schema, labelled=labelled, most=most)
    else:
        rows = read_csv(path, schema, labelled=labelled, most=most)
    if len(rows) < at_least:
        raise RowFileError(f"{path}: has too few rows: {len(rows)}, and at least {at_least} are needed")
    return rows


def _require_rows(schema: RowSchema) -> None:
    wrong = next((spec for spec in schema.inputs if spec.shape[:1] not in {(-1,), (1,)}), None)
    if wrong is not None:
        raise ConfigError(
            [f"models.{schema.model}: takes {show_spec(wrong)}; a file of rows needs inputs with rows on an axis"]
        )
