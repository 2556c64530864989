"""The variants of a sweep: the ONNX files of a folder, each once, and those that are skipped with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tightrope.service.adapters.model_files import ModelFileError, find_files
from tightrope.service.config.loader import ConfigError, Settings

PATTERN = "*.onnx"


@dataclass(frozen=True, slots=True)
class Variant:
    """A compressed model: its name, the file's without its ending, the file, and the digest of all its files."""

    name: str
    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that is no variant, with the reason."""

    name: str
    reason: str


def find_variants(folder: Path, baseline: Path) -> tuple[list[Variant], list[SkippedFile]]:
    """The variants in a folder by name. The baseline and copies of another variant are skipped.

    Raises:
        ConfigError: when there is no such folder, or it has no ONNX file.
    """
    paths = sorted(path for path in folder.glob(PATTERN) if not path.name.startswith("."))
    if not paths:
        problem = f"has no {PATTERN}; --make can make some" if folder.is_dir() else "there is no such folder"
        raise ConfigError([f"{folder}: {problem}"])
    names: dict[str, str] = {find_files(baseline).digest: "the baseline"}
    variants, skipped = [], []
    for path in paths:
        try:
            digest = find_files(path).digest
        except ModelFileError as error:
            skipped.append(SkippedFile(path.name, str(error).removeprefix(f"{path}: ")))
            continue
        if (earlier := names.get(digest)) is not None:
            skipped.append(SkippedFile(path.name, f"is the same as {earlier}"))
            continue
        names[digest] = path.name
        variants.append(Variant(path.stem, path, digest))
    return variants, skipped


def with_compressed(settings: Settings, model: str, path: Path) -> Settings:
    """The settings with another compressed model."""
    section = settings.models[model].model_copy(update={"compressed": path})
    return settings.model_copy(update={"models": {**settings.models, model: section}})


def reason_of(problems: Sequence[str], model: str, variant: Variant) -> str:
    """The problems of a variant that cannot be loaded, in one line, without the key and the path before them."""
    key, path = f"models.{model}.compressed: ", f"{variant.path}: "
    return "; ".join(problem.removeprefix(key).removeprefix(path) for problem in problems)
