"""`tightrope calibrate`: thresholds of refusal that keep the share of wrong answers below a limit, with a guarantee."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from tightrope.monitors import thresholds
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.compare import Scale, Score, certainty
from tightrope.monitors.records import Bools, Floats, Role
from tightrope.monitors.thresholds import Point, Ranking
from tightrope.offline.pair_evaluation import Trial, prepare
from tightrope.offline.table import LABEL, TableError
from tightrope.service.config.loader import ConfigError, Settings

PERSISTENCE = "refusal_persistence"


@dataclass(frozen=True, slots=True)
class Choice:
    """One model's thresholds, as the configuration takes them (for entropy: refused above). ``chosen`` is None without
    proof, ``curve`` for people to look at, ``steps`` the number of bounds that share delta.
    """

    chosen: Point | None
    curve: tuple[Point, ...]
    steps: int


@dataclass(frozen=True, slots=True)
class Persistence:
    """Of the rows that the baseline refuses: how many the compressed model accepts, its true share at most, with
    probability 1 - delta, and the share that is tolerated.
    """

    refused: int
    accepted: int
    bound: float
    limit: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Thresholds for a pair, from ``rows`` labelled rows; ``problems`` has a line for each that could not be had.

    ``refusal`` is the section of the configuration, None unless both models have a threshold.
    """

    model: str
    data: str
    rows: int
    score: Score
    risk: float
    delta: float
    baseline: Choice
    compressed: Choice
    persistence: Persistence | None
    refusal: dict[str, object] | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for, and one model's rows for it: certainties (n,) in the order of the file, and ranked."""

    role: Role
    certainty: Floats
    ranking: Ranking
    risk: float
    delta: float

    def point(self, place: int) -> Point:
        """As the configuration takes it: an entropy is a negative certainty, every other score is not negative."""
        point = self.ranking.point(place, self.delta)
        return replace(point, threshold=abs(point.threshold))

    def choice(self, place: int | None) -> Choice:
        """The chosen place, and the curve to see it on."""
        curve = tuple(self.point(each) for each in thresholds.places(self.ranking))
        return Choice(None if place is None else self.point(place), curve, self.ranking.steps)


def calibrate(settings: Settings, data: Path, name: str | None, risk: float, delta: float) -> Calibration:
    """Choose the thresholds of one model's pair by the labelled rows of ``data``, which nothing was trained on.

    With probability 1 - delta each, of what a model accepts at most ``risk`` is wrong, and of what the baseline refuses
    the compressed model accepts at most the limit of the monitor `refusal_persistence`. No proof, no threshold.

    Raises:
        ConfigError: when there is no such model, it is a regression, or ``risk`` or ``delta`` is out of (0, 1).
        TableError: when the file cannot be used.
    """
    for option, value in (("--risk", risk), ("--delta", delta)):
        if not 0 < value < 1:
            raise ConfigError([f"{option}: is {value:g}; it must lie above 0 and below 1"])
    trial = prepare(settings, name, data)
    of = settings.models[trial.pair.name]
    score = of.refusal.score if of.refusal else Score.MAX_PROBABILITY
    baseline, compressed = (_ask(trial, role, score, risk, delta) for role in (Role.BASELINE, Role.COMPRESSED))
    problems: list[str] = []
    first, second = (_select(asked, problems) for asked in (baseline, compressed))
    limit = of.limits.get(PERSISTENCE, CATALOGUE[PERSISTENCE].limit)
    persistence = None
    if first is not None and limit is not None:
        refused = baseline.certainty < baseline.ranking.certainty[first]
        second = _persist(compressed, second, refused, limit, problems)
        persistence = None if second is None else _persistence(compressed, second, refused, limit)
    choices = baseline.choice(first), compressed.choice(second)
    return Calibration(
        model=trial.pair.name,
        data=str(data),
        rows=len(baseline.certainty),
        score=score,
        risk=risk,
        delta=delta,
        baseline=choices[0],
        compressed=choices[1],
        persistence=persistence,
        refusal=_refusal(score, *choices, action=of.refusal.action if of.refusal else None),
        problems=tuple(problems),
    )


def _ask(trial: Trial, role: Role, score: Score, risk: float, delta: float) -> _Asked:
    """One model's certainties, and which of its rows are wrong."""
    table = trial.table
    if trial.pair.decision.scale is Scale.REGRESSION:
        raise ConfigError([f"models.{trial.pair.name}.decision.scale: a regression has no certainty to refuse by"])
    if table.labels is None:
        raise TableError(f"{table.path}: has no column {LABEL!r}; thresholds need the true class of every row")
    values = trial.answers(role).values
    beyond = np.flatnonzero(table.labels >= values.shape[1])
    if len(beyond):
        line, label = table.lines[beyond[0]], table.labels[beyond[0]]
        raise TableError(
            f"{table.path}: line {line}: column {LABEL!r}: is {label}; there are {values.shape[1]} classes"
        )
    certain = certainty(values, score) * (-1 if score is Score.ENTROPY else 1)
    return _Asked(role, certain, Ranking.of(certain, values.argmax(axis=1) != table.labels), risk, delta)


def _select(asked: _Asked, problems: list[str]) -> int | None:
    """The place that bounds the risk. Without one: how many labels it takes, and how near these came."""
    ranking, risk, delta = asked.ranking, asked.risk, asked.delta
    place = thresholds.select(ranking, risk, delta)
    if place is None:
        needed, searched = (thresholds.rows_without_error(risk, part) for part in (delta, delta / ranking.steps))
        best = min(asked.choice(place).curve, key=lambda point: point.bound)
        problems.append(
            f"{asked.role}: no threshold: needs at least {needed:,} labels accepted with no error, {searched:,} in a "
            f"search of {ranking.steps} steps; the lowest bound on its curve is {best.bound:.1%}, at {best.accepted:,} "
            f"accepted, {best.wrong:,} of them wrong"
        )
    return place


def _persist(asked: _Asked, place: int | None, refused: Bools, limit: float, problems: list[str]) -> int | None:
    """The place that keeps both promises: the higher of the two thresholds, if the risk is still proved there."""
    persistent = thresholds.persistent(asked.ranking, asked.certainty[refused], limit, asked.delta)
    if persistent is None:
        needed = thresholds.rows_without_error(limit, asked.delta)
        problems.append(
            f"{asked.role}: no threshold: needs at least {needed:,} rows that the baseline refuses, nearly all of them "
            f"refused by the compressed model too; this file has {np.count_nonzero(refused):,}"
        )
    if place is None or persistent is None:
        return None
    both = min(place, persistent)
    if not asked.ranking.is_safe(both, asked.risk, asked.delta):
        problems.append(f"{asked.role}: no threshold: where refusals persist too few rows are left to bound the risk")
        return None
    return both


def _persistence(asked: _Asked, place: int, refused: Bools, limit: float) -> Persistence:
    accepted = int(np.count_nonzero(asked.certainty[refused] >= asked.ranking.certainty[place]))
    total = int(np.count_nonzero(refused))
    return Persistence(total, accepted, thresholds.upper_bound(accepted, total, asked.delta), limit)


def _refusal(score: Score, baseline: Choice, compressed: Choice, action: str | None) -> dict[str, object] | None:
    if baseline.chosen is None or compressed.chosen is None:
        return None
    section: dict[str, object] = {"score": score.value, "threshold": baseline.chosen.threshold}
    section["compressed_threshold"] = compressed.chosen.threshold
    return section if action is None else {**section, "action": action}


def show(found: Calibration, out: Console) -> None:
    """Print the curves, what is promised, and the line to paste."""
    side = "above" if found.score is Score.ENTROPY else "below"
    for role, choice in ((Role.BASELINE, found.baseline), (Role.COMPRESSED, found.compressed)):
        out.print(f"[bold]{role}[/]: refuses where {found.score} is {side} the threshold", highlight=False)
        out.print(_curve(found, choice))
    if found.persistence is not None:
        kept = found.persistence
        out.print(
            f"Of {kept.refused:,} rows that the baseline refuses the compressed model refuses "
            f"{1 - kept.accepted / kept.refused:.1%}, at least {1 - kept.bound:.1%} (asked: {1 - kept.limit:.0%}).",
            highlight=False,
        )
    if found.refusal is not None:
        sure = f"{1 - found.delta:.4g}"
        out.print(f"The chosen rows and this share hold with probability {sure} each.", highlight=False)
        out.print(f"Under models.{found.model}:", style="bold", highlight=False)
        pasted = ", ".join(f"{key}: {value}" for key, value in found.refusal.items())
        out.print(f"    refusal: {{{pasted}}}", soft_wrap=True, markup=False, highlight=False)


def _curve(found: Calibration, choice: Choice) -> Grid:
    """Coverage against risk, the chosen row standing out."""
    grid = Grid(box=None, pad_edge=False)
    for heading in ("threshold", "accepted", "coverage", "wrong", "risk", "at most"):
        grid.add_column(heading, justify="right")
    grid.add_column()
    points = {*choice.curve, choice.chosen or choice.curve[0]}
    for point in sorted(points, key=lambda point: -point.accepted):
        chosen = point == choice.chosen
        grid.add_row(
            f"{point.threshold}", f"{point.accepted:,}", f"{point.accepted / found.rows:.1%}", f"{point.wrong:,}",
            f"{point.wrong / point.accepted:.2%}", f"{point.bound:.2%}", "<- chosen" if chosen else "",
            style="bold green" if chosen else "",
        )  # fmt: skip
    return grid
