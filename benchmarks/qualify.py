"""The promises of a qualification, simulated: `make bench-qualify`.

A pair with one scope exactly at its limit qualifies in at most alpha of draws; where all 23 scopes are at their limits,
an accusation is made in at most alpha; the rows needed pass four times in five. Exits with 1 if a promise is broken.
"""

import sys
from functools import cache
from math import exp

import numpy as np

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.qualification.cells import LimitProof, MeasuredCell, QualificationVerdict, judge, verdict_of
from tightrope.monitors.qualification.evidence import CellEvidence
from tightrope.monitors.qualification.more_rows import POWER, rows_for_rate, rows_needed
from tightrope.monitors.records import Floats
from tightrope.monitors.thresholds import log_tail, max_errors

ALPHA, LIMIT, QUIET_RATE, DRAWS, SEED = 0.05, 0.10, 0.01, 10_000, 18
DEMO_SCOPES = (4000, 1922, 2078, 3228, 287, 293, 103, 85, 260, 330, 640, 560, 610, 640, 480, 480)
"""Rows of the model and of scopes like the demo's; scopes of 300 fill up to 23."""

SIZES = np.array([*DEMO_SCOPES, *[300] * (23 - len(DEMO_SCOPES))])
DEVIATIONS = 3
"""The standard errors that a simulated share may lie above its promise."""


@cache
def rate_evidence(hits: int, rows: int) -> CellEvidence:
    """The evidence of a rate without its bounds, which no verdict reads."""
    over = exp(float(log_tail(rows - hits, rows, 1 - LIMIT))) if hits else 1.0
    return CellEvidence(rows, hits, hits / rows, 1.0, 0.0, exp(float(log_tail(hits, rows, LIMIT))), over)


def verdicts(rates: Floats, generator: np.random.Generator) -> list[QualificationVerdict]:
    """The verdicts on simulated pairs with these true rates by scope."""
    found = []
    for hits in generator.binomial(SIZES, rates, (DRAWS, len(SIZES))).tolist():
        evidence = map(rate_evidence, hits, SIZES.tolist())
        cells = [
            MeasuredCell("disagreement", "", "", Hypothesis.RATE, LIMIT, LimitProof.WITHIN, each) for each in evidence
        ]
        found.append(verdict_of(judge(cells, ALPHA)))
    return found


def check(text: str, share: float) -> bool:
    """Print a share beside its promise, and tell whether it is kept."""
    kept = bool(share <= ALPHA + DEVIATIONS * float(np.sqrt(ALPHA * (1 - ALPHA) / DRAWS)))
    print(f"{text:<66} {share:.4f}  {'at most' if kept else 'BROKEN:'} {ALPHA}")
    return kept


def print_rows() -> None:
    """Print the rows needed at several limits, and the power that they have."""
    print(f"\n{'rows needed':<24}" + "".join(f"{limit:>9.2f}" for limit in LIMITS))
    for text, part in (("rate, none seen", 0.0), ("rate, truth L/2", 0.5), ("rate, truth L/4", 0.25)):
        rows = [rows_for_rate(part * limit, limit, ALPHA) for limit in LIMITS]
        print(f"{text:<24}" + "".join(f"{each:>9,.0f}" for each in rows))
        if part:
            power = [
                exp(float(log_tail(max_errors(int(n), limit, ALPHA), int(n), part * limit)))
                for n, limit in zip(rows, LIMITS, strict=True)
            ]
            print(f"{f'  power (at least {POWER})':<24}" + "".join(f"{each:>9.3f}" for each in power))
    still = [rows_needed(Hypothesis.UPPER, np.zeros(1), limit, ALPHA) for limit in LIMITS]
    print(f"{'mean, nothing moves':<24}" + "".join(f"{each:>9,.0f}" for each in still))


LIMITS = (0.01, 0.02, 0.05, 0.07, 0.10, 0.20)


def main() -> None:
    """Simulate, print, and fail if a promise is broken."""
    generator, kept = np.random.default_rng(SEED), []
    for scope in (4, 7):
        rates = np.full(len(SIZES), QUIET_RATE)
        rates[scope] = LIMIT
        share = verdicts(rates, generator).count(QualificationVerdict.QUALIFIED) / DRAWS
        kept.append(check(f"qualified with one scope of {SIZES[scope]} rows exactly at its limit", share))
    share = verdicts(np.full(len(SIZES), LIMIT), generator).count(QualificationVerdict.BREACH) / DRAWS
    kept.append(check(f"accused with all {len(SIZES)} scopes at their limits", share))
    print_rows()
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
