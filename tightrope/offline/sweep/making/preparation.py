"""The start of a sweep that makes variants: the rows that static quantization learns from, then the making."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tightrope.offline.pair_evaluation import load_pair
from tightrope.offline.progress import Progress
from tightrope.offline.sweep.making.making import Making, require_extra
from tightrope.offline.sweep.making.recipes import Recipe, Technique
from tightrope.offline.sweep.swept_rows import SweptRows, read_swept_rows
from tightrope.offline.sweep.variants import SkippedFile, with_compressed
from tightrope.service.config.loader import Settings
from tightrope.service.config.qualification import QualificationSection
from tightrope.service.inference.row_files.row_schema import schema_of


@dataclass(frozen=True, slots=True)
class SweepFiles:
    """The files of a sweep: the baseline, the rows, and the folder of the variants."""

    baseline: Path
    data: Path
    folder: Path


def make_variants(
    settings: Settings, model: str, files: SweepFiles, recipes: Sequence[Recipe], progress: Progress
) -> tuple[SweptRows | None, list[SkippedFile]]:
    """Make the variants of some recipes in a folder; return the rows, if they had to be read, and what cannot be made.

    Raises:
        ConfigError: when the library is missing, or a file is in the way.
        RowFileError: when the file of rows cannot be used.
    """
    if not recipes:
        return None, []
    require_extra()
    seed, rows = (settings.models[model].qualification or QualificationSection()).seed, None
    if any(recipe.technique is Technique.STATIC for recipe in recipes):
        progress.begin("reading the rows", 1)
        pair = load_pair(with_compressed(settings, model, files.baseline), model)
        rows = read_swept_rows(files.data, schema_of(pair), seed)
    return rows, Making(files.folder, files.baseline, recipes, rows, seed).make(progress)
