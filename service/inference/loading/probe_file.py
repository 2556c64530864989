"""The file of rows that a configuration names for the probe, in any form that the reader of files of rows knows."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.model_files import ModelFileError, require_file
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.independence.given_rows import MOST_GIVEN, GivenRows, GivenRowsError
from tightrope.service.inference.row_axes.row_layout import RowLayout
from tightrope.service.inference.row_files.row_file import RowFileError
from tightrope.service.inference.row_files.row_reader import read_rows
from tightrope.service.inference.row_files.row_schema import RowSchema
from tightrope.service.protocol.tensors import TensorSpec


def given_rows(path: Path, name: str, inputs: Sequence[TensorSpec], *, allow_nan: bool) -> GivenRows:
    """The rows of a file for the model ``name``, which callers send these ``inputs``.

    Raises:
        GivenRowsError: when the file is not there.
    """

    def read(layout: RowLayout | None) -> Sequence[Tensors]:
        schema = RowSchema(name, tuple(inputs), layout=layout, allow_nan=allow_nan)
        try:
            return read_rows(path, schema, labelled=False, most=MOST_GIVEN).parts
        except RowFileError as error:
            raise GivenRowsError(str(error)) from error
        except ConfigError as error:
            raise GivenRowsError(f"{path}: {error.problems[0].removeprefix(f'models.{name}: ')}") from error

    return GivenRows(path, _digest(path), read)


def _digest(path: Path) -> str:
    """The SHA-256 of a file, or of the names and contents of the files in a folder."""
    digest = hashlib.sha256()
    try:
        if not path.is_dir():
            require_file(path)
        for file in sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]:
            digest.update(str(file.relative_to(path)).encode())
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
    except ModelFileError as error:
        raise GivenRowsError(str(error)) from error
    except OSError as error:
        raise GivenRowsError(f"{path}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()
