"""Build ticks and run them through one monitor's cells, for tests of the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tightrope.monitors.budget import MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.detector import add_seed
from tightrope.monitors.detector_bank import Cells, MonitorRun, Rule, Trajectory, run_detectors
from tightrope.monitors.evidence import Tally
from tightrope.monitors.records import Floats

ON, OFF = np.array([True, True]), np.array([False, False])


@dataclass(frozen=True)
class Tick:
    """Counted rows of a model and its one subgroup, and the cells on duty."""

    tally: Tally
    alarming: ArrayLike = (True, True)
    recovering: ArrayLike = (False, False)
    on_trial: ArrayLike = (False, False)

    def monitor_run(self, rule: Rule, cells: Cells) -> MonitorRun:
        """Apply a monitor to the tick."""
        duty = (np.asarray(mask, dtype=bool) for mask in (self.alarming, self.recovering, self.on_trial))
        return MonitorRun(rule, cells, self.tally, *duty)


def make_rule(
    limit: float = 0.02, subgroup_limit: float = 0.04, name: str = "disagreement", ratio: float = 0.75
) -> Rule:
    """Build the rule of a model with one subgroup: shares 0.2 (or less) and 0.2."""
    monitor = CATALOGUE[name]
    spec = MonitorSpec(monitor, monitor.variants(2), np.array([limit, subgroup_limit]))
    return build_rules([spec], ratio)[0]


def make_tally(y: ArrayLike, member: ArrayLike, valid: ArrayLike = 1, rows: float | None = None) -> Tally:
    """Build one tick of a monitor without variants; ``member`` (n,) masks the subgroup's rows."""
    y = np.asarray(y, dtype=float)
    scopes = np.stack([np.ones(len(y)), np.asarray(member, dtype=float)], axis=1)
    mask = np.broadcast_to(np.asarray(valid, dtype=bool), len(y))
    seeds = np.array([[float(len(y)) if rows is None else rows]])
    return Tally.from_rows(scopes[None], mask[None, :, None], y[None, :, None], seeds)


def make_tick(y: ArrayLike, member: ArrayLike, valid: ArrayLike = 1, **duty: ArrayLike) -> Tick:
    """Build a tick from `make_tally`'s arguments; both alarms are on duty by default."""
    return Tick(make_tally(y, member, valid), **duty)


def concatenate_tallies(*tallies: Tally) -> Tally:
    """Concatenate ticks of equal size to one block."""
    names: Sequence[str] = Tally.__slots__
    arrays = [name for name in names if name not in {"clusters", "windows", "zeros"}]
    columns: dict[str, Any] = {name: np.concatenate([getattr(tally, name) for tally in tallies]) for name in arrays}
    return Tally(**columns)


def run_block(rule: Rule, tick: Tick, cells: Cells | None = None) -> Trajectory:
    """Run a block through the cells."""
    return run_detectors([tick.monitor_run(rule, Cells.fresh(rule) if cells is None else cells)])[0]


def advance_cells(rule: Rule, cells: Cells, tick: Tick) -> Cells:
    """Advance the cells by one tick or block."""
    return run_block(rule, tick, cells).cells_after(cells, rule, len(tick.tally.seeds))


def run_ticks(rule: Rule, *ticks: Tick) -> Cells:
    """Run these ticks one at a time, from fresh cells."""
    cells = Cells.fresh(rule)
    for tick in ticks:
        cells = advance_cells(rule, cells, tick)
    return cells


def seeded_evidence(rule: Rule, cells: Cells) -> Floats:
    """The evidence with the seed that waits for a cell's next rows, (V, S): that of a cell that is seeded at once."""
    return rule.alarm.evidence(add_seed(cells.log_mass, (rule.shares * rule.weights * cells.pending)[..., None]))


def merge_ticks(*ticks: Tick) -> Tick:
    """Merge ticks of equal size to one block, with the duty of the first."""
    return replace(ticks[0], tally=concatenate_tallies(*(tick.tally for tick in ticks)))
