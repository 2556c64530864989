"""The making of variants in the folder of a sweep: each file is written at once, with its manifest beside it.

A file that an earlier sweep made by the same recipe from the same files stays. A file of another origin is never
overwritten.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tightrope.monitors.records import Tensors
from tightrope.offline.progress import Progress
from tightrope.offline.statements.manifest import (
    ManifestError,
    ModelManifest,
    NamedDigest,
    encode_document,
    provenance,
    write_document,
)
from tightrope.offline.sweep.making.recipes import CALIBRATION_ROWS, Recipe, Technique
from tightrope.offline.sweep.swept_rows import SweptRows
from tightrope.offline.sweep.variants import SkippedFile
from tightrope.service.adapters.model_files import STANDARD_INPUT, find_files
from tightrope.service.config.loader import ConfigError

MANIFEST_ENDING = ".manifest.json"
NEEDS_SWEEP = "--make and --hotspots need more: pip install 'tightrope[sweep]'"


@dataclass(frozen=True, slots=True)
class Making:
    """The variants to be made of a baseline in a folder. ``rows`` are needed by static quantization alone."""

    folder: Path
    baseline: Path
    recipes: Sequence[Recipe]
    rows: SweptRows | None
    seed: int

    def make(self, progress: Progress) -> list[SkippedFile]:
        """Make all variants; return those that cannot be made, with the reason.

        Raises:
            ConfigError: when a file of another origin is in the way, or the folder cannot be written.
        """
        require_extra()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError([f"{self.folder}: cannot be made: {error.strerror}"]) from error
        progress.begin("making variants", len(self.recipes))
        skipped = []
        for recipe in self.recipes:
            if (reason := self._make(recipe)) is not None:
                skipped.append(SkippedFile(f"{recipe.name}.onnx", f"cannot be made: {reason}"))
            progress.advance()
        return skipped

    def _make(self, recipe: Recipe) -> str | None:
        """Make a variant unless it is there; return why it cannot be made."""
        from tightrope.offline.sweep.making.makers import make_variant  # noqa: PLC0415 - only with the extra

        target = self.folder / f"{recipe.name}.onnx"
        manifest = target.with_suffix(MANIFEST_ENDING)
        if target.exists():
            if manifest.is_file() and manifest.read_bytes() == self._manifest(recipe, target, target.name):
                return None
            raise ConfigError(
                [f"{target}: is another file than {recipe.name} would be; move it, or take another FOLDER"]
            )
        draft = target.with_name(f".{target.name}.draft")
        try:
            make_variant(recipe, self.baseline, draft, self._calibration_rows(recipe))
        except Exception as error:  # noqa: BLE001 - the libraries raise anything for a model that they cannot convert
            draft.unlink(missing_ok=True)
            return " ".join(f"{type(error).__name__}: {error}".split())
        try:
            write_document(manifest, self._manifest(recipe, draft, target.name))  # first: killed here, it is made again
            draft.replace(target)
        except (ManifestError, OSError) as error:
            raise ConfigError([str(error)]) from error
        return None

    def _calibration_rows(self, recipe: Recipe) -> list[Tensors]:
        if recipe.technique is not Technique.STATIC or self.rows is None:
            return []
        return self.rows.first_chosen(CALIBRATION_ROWS)

    def _manifest(self, recipe: Recipe, file: Path, name: str) -> bytes:
        """The manifest of a variant: its recipe, its baseline, and the rows that it learnt from."""
        from tightrope.offline.sweep.making.makers import TOOLS  # noqa: PLC0415 - only with the extra

        files, options = find_files(file), dict[str, str | int | float | bool](recipe.options)
        data: list[NamedDigest] = []
        if recipe.technique is Technique.STATIC and self.rows is not None:
            options["seed"] = self.seed
            data = [NamedDigest(self.rows.table.path.name, self.rows.digest)]
        return encode_document(
            provenance(
                ModelManifest(
                    name=name,
                    digest=files.digest,
                    files=_named(name, files.digests),
                    recipe={"technique": str(recipe.technique), **options},
                    tools=TOOLS,
                    baseline=NamedDigest(self.baseline.name, find_files(self.baseline).digest),
                    data=data,
                )
            )
        )


def _named(name: str, digests: Mapping[str, str]) -> list[NamedDigest]:
    return [NamedDigest(name if each == STANDARD_INPUT else each, digest) for each, digest in sorted(digests.items())]


def require_extra() -> None:
    """Refuse to make anything without the library onnx.

    Raises:
        ConfigError: with the command that installs it.
    """
    if importlib.util.find_spec("onnx") is None:
        raise ConfigError([NEEDS_SWEEP])
