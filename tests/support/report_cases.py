"""Drift reports of awkward columns, built where Evidently is installed: `python -m tests.support.report_cases FOLDER`.

For each case of `CASES` the folder gets NAME.html and NAME.json, or NAME.refused with the reason.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.judgement.compared_rows import table
from tightrope.service.adapters.archive.row_format import RowTable
from tightrope.shadow.drift_statistics import TooFewRowsError
from tightrope.shadow.page import ReportSubject

ROWS = 900
OWNED = "</script><script>document.title='owned'</script>"
PICTURE = "<img src=x onerror=alert(1)>"
LONG = "very long " * 500
NAMES = {
    "script": f"a{OWNED}",
    "picture": f"b{PICTURE}",
    "alike": "c<d",
    "too": "c(d",
    "long": LONG,
    "quote": "\"'`${1}",
}
"""Hostile or odd names of inputs; two become equal once they are harmless."""


def awkward(seed: int, shift: float) -> RowTable:
    """Rows with all kinds of columns; the second input is shifted by ``shift``."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(4, ROWS))
    inputs: dict[str, Any] = {
        NAMES["script"]: normal[0],
        NAMES["picture"]: normal[1] + shift,
        NAMES["alike"]: rng.integers(0, 5, ROWS).astype(float),
        NAMES["too"]: np.where(rng.random(ROWS) < 0.5, np.nan, normal[2]),
        NAMES["long"]: np.where(rng.random(ROWS) < 0.1, np.inf, normal[3]),
        NAMES["quote"]: rng.choice(np.array([OWNED, PICTURE, LONG[:64], "a & b", "\u2028\x00", "", "plain"]), ROWS),
        "words": np.char.add("word ", rng.integers(0, 60, ROWS).astype(str)),
        "nan": np.full(ROWS, np.nan),
        "infinite": np.where(rng.random(ROWS) < 0.5, np.inf, -np.inf),
        "constant": np.full(ROWS, 3.0),
        "blank": np.full(ROWS, ""),
        "huge": rng.normal(size=ROWS) * 1e300,
    }
    number = np.arange(ROWS)
    member = {f"word={OWNED}": number % 2, f"word={PICTURE}": number % 3 == 0, "none=x": np.zeros(ROWS)}
    sure = {f"confidence_{role}": rng.beta(5, 2, ROWS) for role in ("baseline", "compressed")}
    classes = {f"prediction_{role}": rng.integers(0, 3, ROWS).astype(float) for role in ("baseline", "compressed")}
    return table(inputs, member=member, time=1e9 + np.arange(ROWS), **sure, **classes)


def flat(value: float) -> RowTable:
    """Rows without a drawable column."""
    return table({"nan": np.full(ROWS, np.nan), "constant": np.full(ROWS, value)})


SUBJECT = ReportSubject(f"credit{PICTURE}{OWNED}", 1_769_860_800.0, f"the golden rows of {PICTURE}")
CASES = {
    "awkward": (awkward(1, 0.0), awkward(2, 2.0)),
    "flat": (flat(3.0), flat(3.0)),
    "few": (awkward(1, 0.0).take(slice(200)), awkward(2, 0.0)),
}


def main(folder: Path) -> None:
    """Build all cases; a warning is an error, as in the tests."""
    from tightrope.shadow.report import build  # this module is also read where Evidently is not

    for name, (reference, window) in CASES.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                page, figures = build(SUBJECT, reference, window)
        except TooFewRowsError as error:
            (folder / f"{name}.refused").write_text(str(error))
            continue
        (folder / f"{name}.html").write_text(page, encoding="utf-8", newline="\n")
        (folder / f"{name}.json").write_text(json.dumps(figures, allow_nan=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
