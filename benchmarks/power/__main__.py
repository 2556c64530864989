"""`python -m benchmarks.power`: measure everything, check it, and write docs/power.md and docs/power.svg."""

import sys
import time
from pathlib import Path

from benchmarks.power import check, page, picture
from benchmarks.power.demo_table import LIMITS, demo_table
from benchmarks.power.measure import measure
from benchmarks.power.methods import ALL, PANELS

DOCS = Path(__file__).parents[2] / "docs"


def main() -> int:
    """Run the command; when a check fails, it writes nothing and returns exit code 1."""
    began = time.monotonic()
    problems = list(check.wiring(ALL))
    if not problems:
        outcomes = measure(PANELS)
        problems += [*check.promise(outcomes), *check.delays(outcomes)]
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    written = page.page(outcomes, [demo_table(limits) for limits in LIMITS])
    (DOCS / "power.md").write_text(written)
    (DOCS / "power.svg").write_text(picture.svg(page.points(outcomes), page.PROMISED))
    print(written)
    print(f"written to docs/power.md and docs/power.svg after {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
