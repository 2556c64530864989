"""`python -m benchmarks.situations [NAME …] [--quick]`: measure each situation, and write its part of docs/power.md.

NAME is bursts, requests, intersections, labels, review, capped-review, class-loss or class-gone; all of them if left
out. ``--quick`` measures few short streams and prints the tables without writing them.
"""

import sys
from collections.abc import Callable, Mapping
from time import process_time

from rich.console import Console

from benchmarks import class_loss
from benchmarks.power.methods import OTHERS
from benchmarks.situations import (
    capped_reviews,
    class_gone,
    dependent_rows,
    intersections,
    label_budgets,
    reviewed_labels,
)
from benchmarks.situations.dependent_rows import BURSTS, REQUESTS
from benchmarks.written_parts import POWER_PAGE, with_part

CHOSEN = (
    "tumbling window, mean over the limit",
    "tumbling window, at Tightrope's budget",
    "sliding window, 95 % lower bound",
    "Page-Hinkley, threshold 10",
    "Page-Hinkley, at Tightrope's budget",
    "ADWIN (river)",
    "evidently, reference 1,000 (p < .05)",
    "evidently, reference 1,000, p at Tightrope's budget",
)
METHODS = [method for method in OTHERS if method.name in CHOSEN]
TUNED_TO_RATES = "Page-Hinkley, at Tightrope's budget"
"""The budget of this one holds for the rate that it is tuned to."""

OF_MEANS = [method for method in METHODS if method.name != TUNED_TO_RATES]
OF_CLASSES = {method.name: method for method in OF_MEANS if "window" not in method.name}

TABLES: Mapping[str, Callable[[int], str]] = {
    "bursts": lambda size: dependent_rows.table(BURSTS, METHODS, dependent_rows.SIZES[size]),
    "requests": lambda size: dependent_rows.table(REQUESTS, METHODS, dependent_rows.SIZES[size]),
    "intersections": lambda size: intersections.table(OF_MEANS, intersections.SIZES[size]),
    "labels": lambda size: label_budgets.table(OF_MEANS, label_budgets.SIZES[size]),
    "review": lambda size: reviewed_labels.table(reviewed_labels.SIZES[size]),
    "capped-review": lambda size: capped_reviews.table(capped_reviews.SIZES[size]),
    "class-loss": lambda size: class_loss.loss_table(OF_CLASSES, class_loss.SIZES[size]),
    "class-gone": lambda size: class_gone.gone_table(OF_CLASSES, class_gone.SIZES[size]),
}


def main(arguments: list[str]) -> int:
    """Run the command; returns exit code 2 where there is no such situation."""
    out, quick = Console(width=200), "--quick" in arguments
    names = [each for each in arguments if each != "--quick"] or [*TABLES]
    if unknown := [name for name in names if name not in TABLES]:
        out.print(f"there is no situation {unknown[0]!r}; there are {', '.join(TABLES)}")
        return 2
    for name in names:
        began, written = process_time(), TABLES[name](int(quick))
        if not quick:
            POWER_PAGE.write_text(with_part(POWER_PAGE.read_text(), f"benchmarks.situations {name}", written))
        out.print(f"{written}\n{name}: {process_time() - began:.0f} s", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
