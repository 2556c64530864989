"""The size of a model: of its files as they are, and as a registry or an image that compresses them keeps them."""

import zlib
from dataclasses import dataclass
from pathlib import Path

from tightrope.service.adapters.model_files import find_files

DEFLATE_LEVEL = 6
"""The level that gzip, zip and image layers take by default."""

DEFLATED_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The bytes of all files of a model, and those after DEFLATE."""

    file_bytes: int
    deflated_bytes: int


def size_of(model: Path) -> ModelSize:
    """Measure a model with its external data.

    Raises:
        ModelFileError: when a file cannot be read.
    """
    files = find_files(model)
    paths = (files.path, *files.external)
    return ModelSize(sum(path.stat().st_size for path in paths), sum(map(_deflated, paths)))


def _deflated(path: Path) -> int:
    deflate, size = zlib.compressobj(DEFLATE_LEVEL), 0
    with path.open("rb") as file:
        while content := file.read(DEFLATED_AT_ONCE):
            size += len(deflate.compress(content))
    return size + len(deflate.flush())
