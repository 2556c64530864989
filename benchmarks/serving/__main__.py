"""Measure how fast the gateway is, and write docs/serving.md and docs/serving.svg.

`python -m benchmarks.serving` measures everything that is to be had here; `--parts table,peers` some of it; `--page`
nothing, and writes the page anew. In less than a minute, while something is being made faster:
`python -m benchmarks.serving --cells S --connections 1,8,32 --against raw_mb0 --slices 5`.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from rich.console import Console

from benchmarks.serving import closed, opened, page, rpc, switches, tables
from benchmarks.serving.goals import goals
from benchmarks.serving.load import NoWrkError
from benchmarks.serving.models import KINDS
from benchmarks.serving.part import Effort, Outcome, Part, keep, kept, machine, measured
from benchmarks.serving.process import NotStartedError
from benchmarks.serving.servers import SERVERS

PARTS: Mapping[str, Part] = {
    "table": closed.table,
    "heads": closed.heads,
    "binary": closed.binary,
    "grpc": closed.grpc,
    "sampling": closed.sampling,
    "open": opened.opened,
    "outage": opened.outage,
    "neighbours": opened.neighbours,
    "switches": switches.switches,
    "peers": closed.peers,
    "soak": opened.soak,
}
"""In the order in which they are measured."""

CHOICES = {**SERVERS, rpc.over_grpc().name: rpc.over_grpc()}

DOCS = Path(__file__).parents[2] / "docs"
QUICK = 1.0
"""Seconds of a slice for whoever is in a hurry."""

out = Console(width=max(150, Console().width))


def quick(given: argparse.Namespace) -> Part:
    """Chosen servers under chosen loads, kept nowhere."""

    def part(effort: Effort, folder: Path) -> Outcome:
        candidates = [CHOICES[name] for name in (given.against, *given.servers)]
        limit = given.limit
        cells = (closed.cell(name, candidates, given.connections, effort, folder, limit=limit) for name in given.cells)
        return Outcome(rows=[row for cell in cells for row in cell])

    return part


def run(part: Part, effort: Effort) -> Outcome:
    """Measure, and show."""
    with tempfile.TemporaryDirectory(prefix="tightrope-serving-") as folder:
        outcome = measured(part, effort, Path(folder))
    for table in tables.shown(outcome):
        out.print(table)
    out.print(*outcome.missing, sep="\n", end="\n" if outcome.missing else "")
    out.print(f"{machine()}; others used {outcome.others:.2f} cores", style="dim")
    return outcome


def write(outcomes: Mapping[str, Outcome]) -> None:
    """The page and its picture, of what was found last."""
    (DOCS / "serving.md").write_text(page.page(outcomes))
    (DOCS / "serving.svg").write_text(page.picture(outcomes))
    for goal in goals(outcomes):
        found = "" if goal.verdict == "not measured" else f" ({goal.show(goal.found)}, asked: {goal.asked})"
        out.print(f"{goal.verdict:<13}{goal.told}{found}", soft_wrap=True, highlight=False)
    out.print("written to docs/serving.md and docs/serving.svg", style="dim")


def arguments() -> argparse.Namespace:
    """What was asked for."""
    usual = Effort()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=_some(PARTS), default=[*PARTS], help=f"of {', '.join(PARTS)}")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page of what was measured")
    parser.add_argument(
        "--cells", type=_some(KINDS), metavar=",".join(KINDS), help="measure these models only, and write nothing"
    )
    parser.add_argument("--connections", type=_numbers, default=[1, 8, 32])
    parser.add_argument("--against", default="raw_mb0", choices=CHOICES, metavar="SERVER")
    parser.add_argument(
        "--servers", type=_some(CHOICES), default=["gateway"], help=f"of {', '.join(CHOICES)}".replace("%", "%%")
    )
    parser.add_argument("--limit", action="store_true", help="also the model by itself")
    parser.add_argument("--slices", type=int, default=usual.slices)
    parser.add_argument("--seconds", type=float, help=f"of a slice: {usual.seconds:g}, or with --cells {QUICK:g}")
    parser.add_argument("--minutes", type=float, default=usual.minutes, help="of the long run")
    return parser.parse_args()


def _some(known: Collection[str]) -> Callable[[str], list[str]]:
    """Names out of these, with commas between."""

    def names(text: str) -> list[str]:
        found = [part.strip() for part in text.split(",")]
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(known)}")
        return found

    return names


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> int:
    """The command; its exit code."""
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that whoever ends this ends its servers too
    effort = Effort(given.slices, given.seconds or (QUICK if given.cells else Effort().seconds), given.minutes)
    try:
        if given.cells:
            run(quick(given), effort)
            return 0
        for name in given.parts if not given.page else ():
            out.rule(name)
            keep(name, run(PARTS[name], effort))
        write({name: kept(name) for name in PARTS})
    except (NoWrkError, NotStartedError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
