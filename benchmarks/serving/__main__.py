"""Measure how fast the gateway is, and write docs/serving.md and docs/serving.svg.

`python -m benchmarks.serving` measures all parts; `--parts table,peers` only these; `--page` writes the page again from
the latest results. Two quick modes write nothing:

`--cells S --connections 1,8,32 --reference raw_mb0 --slices 5` compares the gateway with another server in a minute.

`--against REVISION` compares this tree with another revision in a quarter of an hour. Exit code 1: a cell loses;
2: it cannot be measured. `--cells` and `--connections` choose cells, `--turns` and `--seconds` how long each is loaded.
`--viewers 10` has ten people look at the page of each gateway meanwhile.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from rich.console import Console

from benchmarks.serving import closed, comparison, opened, page, revision, rpc, switches, tables
from benchmarks.serving.goals import goals
from benchmarks.serving.load import NoWrkError
from benchmarks.serving.models import MODEL_KINDS
from benchmarks.serving.part import Effort, Outcome, Part, load_outcome, machine, run_part, save_outcome
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

CHOICES = {**SERVERS, rpc.grpc_candidate().name: rpc.grpc_candidate()}

DOCS = Path(__file__).parents[2] / "docs"
QUICK_SECONDS = 1.0
"""Length of a slice in the quick modes."""

out = Console(width=max(150, Console().width))


def quick(options: argparse.Namespace) -> Part:
    """A part that measures the chosen servers under the chosen loads."""

    def part(effort: Effort, folder: Path) -> Outcome:
        candidates = [CHOICES[name] for name in (options.reference, *options.servers)]
        counts, limit = options.connections or (1, 8, 32), options.limit
        cells = (closed.cell(name, candidates, counts, effort, folder, limit=limit) for name in options.cells)
        return Outcome(rows=[row for cell in cells for row in cell])

    return part


def against(options: argparse.Namespace) -> int:
    """Compare this tree with a revision and print the table; 1 when a cell loses, else 0.

    Raises:
        RevisionError: the revision cannot be checked out or run.
        NotStartedError: a server does not answer.
    """
    wanted = {name: comparison.connections(name, options.connections) for name in options.cells or comparison.GROUPS}
    if "grpc" in wanted and (reason := rpc.unavailable_reason()):
        out.print(f"not measured: {reason}")
        del wanted["grpc"]
    trees = revision.working_tree(), revision.checked_out(options.against)
    seconds = options.seconds or QUICK_SECONDS
    with tempfile.TemporaryDirectory(prefix="tightrope-against-") as folder:
        found = comparison.compare(trees, wanted, options.turns, seconds, Path(folder), options.viewers)
    out.print(comparison.table(found, (trees[0].name, trees[1].name), options.floor))
    if options.viewers:
        looks, failed = (sum(one.looks[index] for one in found) for index in range(2))
        out.print(f"{options.viewers} viewers of each gateway looked {looks:,} times, {failed:,} without an answer")
    out.print(f"{machine()}; load average {os.getloadavg()[0]:.1f}", style="dim")
    return int(any(one.verdict(options.floor) in comparison.BAD for one in found))


def run(part: Part, effort: Effort) -> Outcome:
    """Measure a part and print its tables."""
    with tempfile.TemporaryDirectory(prefix="tightrope-serving-") as folder:
        outcome = run_part(part, effort, Path(folder))
    for table in tables.terminal(outcome):
        out.print(table)
    out.print(*outcome.missing, sep="\n", end="\n" if outcome.missing else "")
    out.print(f"{machine()}; others used {outcome.other_cores:.2f} cores", style="dim")
    return outcome


def write(outcomes: Mapping[str, Outcome]) -> None:
    """Write the page and its picture from the latest results, and print the goals."""
    (DOCS / "serving.md").write_text(page.page(outcomes))
    (DOCS / "serving.svg").write_text(page.picture(outcomes))
    for goal in goals(outcomes):
        measured = "" if goal.verdict == "not measured" else f" ({goal.format(goal.measured)}, goal: {goal.bound})"
        out.print(f"{goal.verdict:<13}{goal.name}{measured}", soft_wrap=True, highlight=False)
    out.print("written to docs/serving.md and docs/serving.svg", style="dim")


def arguments() -> argparse.Namespace:
    """Parse the command line; exits with code 2 where it is wrong."""
    default = Effort()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", type=_names(PARTS), default=[*PARTS], help=f"of {', '.join(PARTS)}")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page from the latest results")
    groups = f"{', '.join(MODEL_KINDS)}; with --against of {', '.join(comparison.GROUPS)}"
    parser.add_argument("--cells", type=_names(comparison.GROUPS), help=f"measure only these, write nothing: {groups}")
    parser.add_argument("--connections", type=_numbers, help="1,8,32, or with --against those that each cell has")
    parser.add_argument("--against", metavar="REVISION", help="compare this tree with a revision, write nothing")
    parser.add_argument("--turns", type=int, default=comparison.TURNS, help="of each cell, with --against")
    parser.add_argument("--floor", type=float, default=comparison.FLOOR, help="a cell loses below it, with --against")
    parser.add_argument("--viewers", type=int, default=0, help="who poll the overview of each gateway, with --against")
    parser.add_argument("--reference", default="raw_mb0", choices=CHOICES, metavar="SERVER")
    servers = ", ".join(CHOICES).replace("%", "%%")
    parser.add_argument("--servers", type=_names(CHOICES), default=["gateway"], help=f"with --cells, of {servers}")
    parser.add_argument("--limit", action="store_true", help="with --cells: also the model without a server")
    parser.add_argument("--slices", type=int, default=default.slices)
    parser.add_argument("--seconds", type=float, help=f"of a slice: {default.seconds:g}, or {QUICK_SECONDS:g} if quick")
    parser.add_argument("--minutes", type=float, default=default.minutes, help="of the soak test")
    options = parser.parse_args()
    unknown = {*(options.cells or ())} - {*MODEL_KINDS}
    if unknown and not options.against:
        parser.error(f"--cells {', '.join(sorted(unknown))} needs --against")
    if options.turns < comparison.LEAST_TURNS:
        parser.error(f"--turns {options.turns} is too few for an interval: at least {comparison.LEAST_TURNS}")
    return options


def _names(choices: Collection[str]) -> Callable[[str], list[str]]:
    """A parser of comma-separated names out of ``choices``."""

    def parse(text: str) -> list[str]:
        names = [part.strip() for part in text.split(",")]
        for name in names:
            if name not in choices:
                raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(choices)}")
        return names

    return parse


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> int:
    """Run the command and return its exit code."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a terminated benchmark stops its servers
    seconds = options.seconds or (QUICK_SECONDS if options.cells else Effort().seconds)
    effort = Effort(options.slices, seconds, options.minutes)
    try:
        if options.against:
            return against(options)
        if options.cells:
            run(quick(options), effort)
            return 0
        for name in options.parts if not options.page else ():
            out.rule(name)
            save_outcome(name, run(PARTS[name], effort))
        write({name: load_outcome(name) for name in PARTS})
    except (NoWrkError, NotStartedError, revision.RevisionError) as error:
        print(error, file=sys.stderr)
        return 2 if options.against else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
