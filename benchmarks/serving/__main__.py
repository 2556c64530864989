"""`python -m benchmarks.serving [--cells S,M] [--connections 1,8,32] [--against raw_mb0] [--slices 5]`."""

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.serving.models import KINDS
from benchmarks.serving.pairs import Pair, Ring
from benchmarks.serving.servers import SERVERS

COLUMNS = (
    "model",
    "conn.",
    "server",
    "req/s",
    "of reference",
    "from - to",
    "p50 ms",
    "p99",
    "CPU s/1,000",
    "MB",
    "ready s",
    "errors",
)


def compared(kind: str, names: list[str], connections: list[int], slices: int, seconds: float, table: Table) -> None:
    """One model's rows."""
    with (
        tempfile.TemporaryDirectory(prefix="tightrope-serving-") as folder,
        Ring(KINDS[kind], [SERVERS[name] for name in names], Path(folder)) as ring,
    ):
        for count in connections:
            sides = ring.turns(count, slices, seconds)
            for side in sides:
                ratios = Pair(sides[0], side).ratios
                spread = f"{min(ratios):.0%} - {max(ratios):.0%}"
                table.add_row(
                    kind,
                    str(count),
                    side.name,
                    f"{side.rate:,.0f}",
                    f"{median(ratios):.1%}",
                    spread,
                    f"{side.latency('p50'):.2f}",
                    f"{side.latency('p99'):.2f}",
                    f"{side.per_thousand:.3f}",
                    f"{side.megabytes:.0f}",
                    f"{side.ready_seconds:.2f}",
                    str(side.errors),
                )


def listed(text: str) -> list[str]:
    """What commas part."""
    return text.split(",")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=listed, default=["S"], metavar="S,M,MC")
    parser.add_argument("--connections", type=lambda text: [int(n) for n in listed(text)], default=[1, 8, 32])
    parser.add_argument("--against", default="raw_mb0", choices=SERVERS)
    parser.add_argument("--servers", type=listed, default=["gateway"], help=",".join(SERVERS))
    parser.add_argument("--slices", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    table = Table(*COLUMNS)
    before = os.getloadavg()[0]
    for kind in given.cells:
        compared(kind, [given.against, *given.servers], given.connections, given.slices, given.seconds, table)
    console = Console()
    console.print(table)
    console.print(f"load average {before:.1f} before, of {os.cpu_count()} cores; {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
