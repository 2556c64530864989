"""Compare the judge of this tree with that of another revision, in turns: A B A B, so other load affects both.

Each turn gives one ratio of the rows per second of processor time, this tree / revision. The rows are those of each
tree's own benchmark: an older judge gets the columns and monitors that it knows.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.table import Table

from benchmarks.serving.comparison import interval
from benchmarks.serving.revision import RevisionError, Tree, checked_out, working_tree

TURNS_FILE = Path(__file__).with_name("judge_turns.py")

TURNS = 15
"""Turns of each setting."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The rows in a record, and the classes of the model; 0: the two of the demo.

    >>> str(Setting(1024, 0)), str(Setting(1, 50))
    ('1,024 rows a record', '1 rows a record, 50 classes')
    """

    rows_a_record: int
    classes: int = 0

    def __str__(self) -> str:
        return f"{self.rows_a_record:,} rows a record" + f", {self.classes} classes" * bool(self.classes)


@dataclass(frozen=True, slots=True)
class Turns:
    """Processor time of a row (s) in each turn, of this tree and of the revision."""

    setting: Setting
    new: Sequence[float]
    old: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """The speed of this tree / that of the revision, by turn."""
        return [old / new for new, old in zip(self.new, self.old, strict=True)]


@contextmanager
def judge_process(tree: Tree, setting: Setting) -> Iterator["subprocess.Popen[str]"]:
    """The judge of a tree, ready for turns.

    Raises:
        RevisionError: it does not start.
    """
    command = [*tree.prefix, "-P", str(TURNS_FILE), str(setting.rows_a_record), str(setting.classes)]
    one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=one_thread
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def measure(trees: tuple[Tree, Tree], setting: Setting, turns: int) -> Turns:
    """Measure a setting in turns.

    Raises:
        RevisionError: a tree runs other code than its own, or its judge does not run.
    """
    with ExitStack() as stack:
        processes = [stack.enter_context(judge_process(tree, setting)) for tree in trees]
        rows = [
            int(_answer(process, tree).removeprefix("ready ")) for process, tree in zip(processes, trees, strict=True)
        ]
        times = [
            [_turn(process, tree) / count for process, tree, count in zip(processes, trees, rows, strict=True)]
            for _ in range(turns)
        ]
    new, old = zip(*times, strict=True)
    return Turns(setting, new, old)


def _turn(process: "subprocess.Popen[str]", tree: Tree) -> float:
    """The processor time of one turn (s)."""
    if process.stdin is not None:
        process.stdin.write("\n")
        process.stdin.flush()
    return float(_answer(process, tree))


def _answer(process: "subprocess.Popen[str]", tree: Tree) -> str:
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        raise RevisionError(f"{tree.name}: its judge ended, see above")
    return line.strip()


def table(found: Sequence[Turns], names: tuple[str, str]) -> Table:
    """One line for each setting: medians of the time of a row, the median ratio, its interval and its range."""
    new, old = names
    titles = ("setting", f"{new}, us a row", f"{old}, us a row", "ratio", "95 % interval", "range", "turns")
    shown = Table(*titles, title=f"rows per second of processor time, {new} / {old}")
    for one in found:
        low, high = interval(one.ratios)
        times = (f"{median(each) * 1e6:.2f}" for each in (one.new, one.old))
        ends = f"{low:.2f} to {high:.2f}", f"{min(one.ratios):.2f} to {max(one.ratios):.2f}"
        shown.add_row(str(one.setting), *times, f"{median(one.ratios):.2f}", *ends, str(len(one.ratios)))
    return shown


def against(revision: str, settings: Sequence[Setting], turns: int) -> Table:
    """The table of this tree and a revision.

    Raises:
        RevisionError: the revision cannot be checked out or run.
    """
    trees = working_tree(), checked_out(revision)
    for tree in trees:
        tree.verify(["benchmarks.judge"])
    return table([measure(trees, setting, turns) for setting in settings], (trees[0].name, trees[1].name))
