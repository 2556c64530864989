"""The simulated streams. Each repetition is drawn from a seed of its own, so all methods see the same data."""

import zlib
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.power.method import CellSpec, Rows
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.records import Bools, Floats

SEED = 20260727
HEALTHY_ROWS = 5_000
"""Reference rows for the methods that need them, drawn separately from the stream."""

_FIRST = 1 / np.arange(1, 20)
SHARES = (*(0.99 * _FIRST / _FIRST.sum()).tolist(), 0.01)
"""Shares of twenty subgroups: 27.9 % down to 1.5 % by Zipf's law, and one of 1 %."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A kind of stream of ``length`` samples: a rate, or a mean with deviation ``spread``, of ``before`` and, from
    sample ``change`` on, ``after``. ``rho`` is the autocorrelation of adjacent samples.

    ``benign`` scenes stay within the limit throughout, so every alarm is a false one. With ``subgroups``, only the
    smallest one changes, and scenes with a change have only its cell.
    """

    family: str
    name: str
    kind: Hypothesis
    limit: float
    before: float
    length: int
    after: float | None = None
    change: int = 0
    benign: bool = False
    spread: float = 0.0
    rho: float = 0.0
    subgroups: bool = False
    window: int = 1000

    @property
    def quiet(self) -> bool:
        """Whether the limit holds to the end."""
        return self.after is None or self.benign


@dataclass(frozen=True, slots=True)
class Cell:
    """The input of a method in one repetition."""

    spec: CellSpec
    rows: Rows


def draw(scene: Scene, repetition: int) -> list[Cell]:
    """Draw a repetition: one cell, or one for each subgroup. Equal numbers give equal streams on every machine."""
    random = np.random.default_rng([SEED, zlib.crc32(f"{scene.family} {scene.name}".encode()), repetition])
    if scene.subgroups:
        return _subgroups(scene, random)
    spec = CellSpec(scene.kind, scene.limit, values(replace(scene, after=None), HEALTHY_ROWS, random), scene.window)
    return [Cell(spec, Rows.whole(values(scene, scene.length, random)))]


def _subgroups(scene: Scene, random: np.random.Generator) -> list[Cell]:
    share = 1 / len(SHARES)
    group = np.searchsorted(np.cumsum(SHARES)[:-1], random.random(scene.length), side="right")
    y = values(scene, scene.length, random)
    cells = []
    for number in range(len(SHARES)) if scene.quiet else (len(SHARES) - 1,):
        indices = np.flatnonzero(group == number)
        healthy = values(replace(scene, after=None), HEALTHY_ROWS, random)
        cells.append(
            Cell(
                CellSpec(scene.kind, scene.limit, healthy, scene.window, share), Rows(y[indices], indices, scene.length)
            )
        )
    return cells


def values(scene: Scene, length: int, random: np.random.Generator) -> Floats:
    """Draw the values of a stream (length,)."""
    level = np.full(length, scene.before)
    if scene.after is not None:
        level[scene.change :] = scene.after
    if scene.kind is Hypothesis.MEAN:
        return np.clip(random.normal(level, scene.spread), -1, 1)
    return bursts(level, scene.rho, random).astype(np.float64)


def bursts(rate: Floats, rho: float, random: np.random.Generator) -> Bools:
    """A Markov chain of zeros and ones with marginal ``rate`` (n,): with probability rho a sample repeats the previous
    one, else it is drawn independently. Its autocorrelation at lag k is rho to the power of k.
    """
    fresh = random.random(len(rate)) < rate
    drawn = random.random(len(rate)) >= rho
    return fresh[np.maximum.accumulate(np.where(drawn, np.arange(len(rate)), 0))]


LENGTH = 100_000


def _rates() -> list[Scene]:
    plain = Scene("rates", "at the limit, 2 %", Hypothesis.RATE, 0.02, 0.02, LENGTH)
    change = replace(plain, before=0.01, length=45_000, change=5_000)
    return [
        plain,
        replace(plain, name="at 1 %", before=0.01),
        replace(change, name="0.2 % → 1.5 %", before=0.002, after=0.015, length=55_000, benign=True),
        *(replace(change, name=f"1 % → {100 * after:.0f} %", after=after) for after in (0.03, 0.05, 0.1)),
    ]


def _means(spread: float) -> list[Scene]:
    plain = Scene(f"means, deviation {spread}", "mean 0", Hypothesis.MEAN, 0.02, 0.0, LENGTH, spread=spread)
    change = replace(plain, length=45_000, change=5_000)
    return [
        plain,
        replace(plain, name="at the tolerance, mean .02", before=0.02),
        *(replace(change, name=f"0 → {after:.2f}", after=after) for after in (-0.03, -0.05, -0.1)),
    ]


def _subgroup_scenes() -> list[Scene]:
    plain = Scene("subgroups", "all at the limit, 2 %", Hypothesis.RATE, 0.02, 0.02, LENGTH, subgroups=True, window=200)
    change = replace(plain, before=0.01, length=200_000, change=20_000)
    return [
        plain,
        replace(plain, name="all at 1 %", before=0.01),
        *(replace(change, name=f"1 % → {100 * after:.0f} %", after=after) for after in (0.05, 0.1, 0.2)),
    ]


def _bursts(rho: float) -> list[Scene]:
    plain = Scene(f"bursts, rho {rho}", "at the limit, 2 %", Hypothesis.RATE, 0.02, 0.02, LENGTH, rho=rho)
    return [
        plain,
        replace(plain, name="at 1 %", before=0.01),
        replace(plain, name="1 % → 5 %", before=0.01, after=0.05, length=45_000, change=5_000),
    ]


SCENES = [*_rates(), *_means(0.05), *_means(0.2), *_subgroup_scenes(), *_bursts(0.1), *_bursts(0.3)]

GROSS = [
    Scene("gross", "rate", Hypothesis.RATE, 0.02, 0.01, 10_000, after=0.6, change=5_000),
    Scene("gross", "mean", Hypothesis.MEAN, 0.02, 0.0, 10_000, after=-0.6, change=5_000, spread=0.2),
]
"""Changes that every method must find: one that does not is wired incorrectly."""
