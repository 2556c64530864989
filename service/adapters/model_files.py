"""The files that a model consists of, and the digest over all of them.

An ONNX file may keep the values of its tensors in files of their own, "external data", in its folder. The files are
found by a walk over the file's protobuf fields, because the library `onnx` is no part of the program.

Sources: ONNX, `onnx.proto` and `ExternalData.md`.
"""

import hashlib
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tightrope.service.adapters.protobuf_fields import read_fields
from tightrope.service.errors import TightropeError

STANDARD_INPUT = "-"
"""The name of the ONNX file in the lines of a digest, as `sha256sum` prints it: the file may be renamed."""

CHUNK_BYTES = 1 << 20
MAX_DEPTH = 100
"""Messages within messages: protobuf's own limit."""

LOCATION = b"location"
"""The key of a tensor's external file."""

ORT_FORMAT, ORT_FORMAT_AT = b"ORTM", slice(4, 8)
"""The mark of a file in onnxruntime's own format, which is no protobuf and has no external data."""

TENSOR = "TensorProto"
MESSAGES = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: TENSOR, 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: TENSOR, 6: "GraphProto", 10: TENSOR, 11: "GraphProto", 22: "SparseTensorProto", 23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: TENSOR, 2: TENSOR},
}  # fmt: skip
"""The messages of ONNX that lead to tensors: the message in each field, by the field's number."""

OTHER_FILES = {
    stat.S_ISDIR: "Is a directory",
    stat.S_ISFIFO: "a named pipe, not a regular file",
    stat.S_ISCHR: "a device, not a regular file",
    stat.S_ISBLK: "a device, not a regular file",
    stat.S_ISSOCK: "a socket, not a regular file",
}
"""Kinds of paths that are no regular files, with the reason for which they are not read."""

EXTERNAL_DATA, DATA_LOCATION, EXTERNAL = 13, 14, 1
ENTRY_KEY, ENTRY_VALUE = 1, 2


class ModelFileError(TightropeError):
    """A file is missing, unreadable, or not a model that can be served."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of a model: ``path``, the ONNX file to load, and ``external``, those of its tensors. ``digests`` has
    the SHA-256 of each by its name; that of the ONNX file is `STANDARD_INPUT`.
    """

    path: Path
    digest: str
    external: Sequence[Path]
    stamps: Sequence[tuple[int, ...]]
    digests: Mapping[str, str]

    def require_unchanged(self) -> None:
        """Refuse files that were written or replaced since their digest was taken: another model was loaded.

        Raises:
            ModelFileError: naming the model.
        """
        if _stamps([self.path, *self.external]) != self.stamps:
            raise ModelFileError(f"{self.path}: changed while it was loaded; replace its files before, not meanwhile")


def require_file(path: Path) -> None:
    """Refuse a path that leads to no regular file, without opening it.

    Raises:
        ModelFileError: with the reason.
    """
    _stamps([path])


def find_files(path: Path) -> ModelFiles:
    """The files of the model at a path, and their digest: the SHA-256 of an ONNX file that stands alone, or else that
    of the sorted lines "SHA-256  name" of all files, each with a newline. The path may be a link; external files must
    lie in the folder of the file that it leads to.

    Raises:
        ModelFileError: when a file cannot be read, or lies outside.
    """
    stamps = _stamps([path])
    digest, names = _read(path)
    if not names:
        return ModelFiles(path, digest, [], stamps, {STANDARD_INPUT: digest})
    home = path.resolve().parent
    source = path if all(_exists(path.parent / name) for name in names) else path.resolve()
    files = [_inside(source, name, home) for name in names]
    stamps = [*stamps, *_stamps(files)]
    digests = {STANDARD_INPUT: digest, **dict(zip(names, map(file_digest, files), strict=True))}
    return ModelFiles(source, joined_digest(digests), files, stamps, digests)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        ModelFileError: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from error


def joined_digest(digests: Mapping[str, str]) -> str:
    """The digest of all that a model reads, from the SHA-256 of each part by its name: the SHA-256 of the sorted lines
    "SHA-256  name", each with a newline.
    """
    lines = sorted(f"{digest}  {name}\n" for name, digest in digests.items())
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def external_names(content: bytes) -> set[str]:
    """The names of the files in which an ONNX file keeps tensors, relative to its folder.

    Raises:
        ValueError: when the content is no protobuf message.
    """
    if LOCATION not in content or content[ORT_FORMAT_AT] == ORT_FORMAT:
        return set()
    found: set[str] = set()
    walks = [(MESSAGES["ModelProto"], read_fields(content, 0, len(content)))]
    while walks:
        messages, fields = walks[-1]
        number, start, end = next(fields, (0, 0, 0))
        if not number:
            walks.pop()
        elif messages.get(number) == TENSOR and end >= 0:
            found |= _tensor_names(content, start, end)
        elif number in messages and end >= 0:
            if len(walks) == MAX_DEPTH:
                raise ValueError(f"more than {MAX_DEPTH} messages within each other")
            walks.append((MESSAGES[messages[number]], read_fields(content, start, end)))
    return found


def _tensor_names(content: bytes, start: int, end: int) -> set[str]:
    is_external, names = False, set()
    for number, begin, stop in read_fields(content, start, end):
        if number == DATA_LOCATION and stop < 0:
            is_external = begin == EXTERNAL
        elif number == EXTERNAL_DATA and stop >= 0:
            entry = {key: content[first:last] for key, first, last in read_fields(content, begin, stop) if last >= 0}
            if entry.get(ENTRY_KEY) == LOCATION:
                names.add(entry.get(ENTRY_VALUE, b"").decode(errors="surrogateescape"))
    return names if is_external else set()


def _read(path: Path) -> tuple[str, list[str]]:
    """The SHA-256 of an ONNX file, and the names of its external files; one that has none is never whole in memory."""
    digest, has_names, tail = hashlib.sha256(), False, b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                has_names = has_names or LOCATION in tail + chunk
                tail = chunk[1 - len(LOCATION) :]
        return digest.hexdigest(), sorted(external_names(path.read_bytes())) if has_names else []
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelFileError(f"{path}: not a model whose external data can be found: {error}") from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # such as a name that is too long
        return False


def _inside(source: Path, name: str, home: Path) -> Path:
    """The file of that name beside a model, with its links resolved."""
    try:
        file = (source.parent / name).resolve()
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{source}: its external data {name!r} is no path of a file: {error}") from error
    if not file.is_relative_to(home):
        raise ModelFileError(f"{source}: its external data {name!r} must lie in its folder {home}, but is {file}")
    return file


def _stamps(paths: Sequence[Path]) -> list[tuple[int, ...]]:
    """Place, size and time of each file: a file that is written or replaced gets others. Only regular files have any:
    reading a pipe or a device may never end.
    """
    try:
        states = [path.stat() for path in paths]
    except OSError as error:
        raise ModelFileError(f"{error.filename}: cannot be read: {error.strerror}") from error
    for path, state in zip(paths, states, strict=True):
        if not stat.S_ISREG(state.st_mode):
            kind = next((name for is_kind, name in OTHER_FILES.items() if is_kind(state.st_mode)), "not a regular file")
            raise ModelFileError(f"{path}: cannot be read: {kind}")
    return [(state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns) for state in states]
