"""`tightrope calibrate`: refusal thresholds that bound the share of wrong answers with a guarantee."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tightrope.monitors import thresholds
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.compare import Scale, Score, certainty
from tightrope.monitors.records import Bools, Floats, Role
from tightrope.monitors.thresholds import Ranking, ThresholdPoint
from tightrope.offline.pair_evaluation import PairEvaluation, prepare
from tightrope.offline.progress import NO_PROGRESS, Progress
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.row_files.row_file import LABEL_NAME, RowFileError

PERSISTENCE_MONITOR = "refusal_persistence"


@dataclass(frozen=True, slots=True)
class Choice:
    """One model's threshold in the configuration's units (entropy refuses above it, every other score below).

    ``chosen`` stays None unless a threshold is proved; ``curve`` shows alternatives; ``steps`` bounds share delta.
    """

    chosen: ThresholdPoint | None
    curve: tuple[ThresholdPoint, ...]
    steps: int


@dataclass(frozen=True, slots=True)
class Persistence:
    """Rows that the baseline refuses: their number, how many the compressed model accepts, the upper bound of that
    share with probability 1 - delta, and the share that is tolerated.
    """

    refused: int
    accepted: int
    bound: float
    limit: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Thresholds for a pair, from ``rows`` labelled rows; ``problems`` has one line for each threshold not result.

    ``refusal`` is the section for the configuration, None unless both models have a threshold.
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
class _RankedModel:
    """One model's rows, ranked by certainty: ``certainty`` (n,) in file order; with the risk and delta to prove."""

    role: Role
    certainty: Floats
    ranking: Ranking
    risk: float
    delta: float

    def point(self, index: int) -> ThresholdPoint:
        """Return the point at an index of the ranking in the configuration's units.

        An entropy is a negative certainty; every other score is not negative.
        """
        point = self.ranking.point(index, self.delta)
        return replace(point, threshold=abs(point.threshold))

    def choice(self, index: int | None) -> Choice:
        """Return the point at an index, None without one, with the curve around it."""
        curve = tuple(map(self.point, thresholds.curve_indices(self.ranking)))
        return Choice(None if index is None else self.point(index), curve, self.ranking.steps)


def calibrate(
    settings: Settings,
    data: Path,
    name: str | None,
    risk: float,
    delta: float,
    progress: Progress = NO_PROGRESS,
) -> Calibration:
    """Choose a pair's refusal thresholds from the labelled rows of ``data``; nothing may have been trained on them.

    Each guarantee holds with probability 1 - delta: at most ``risk`` of what a model accepts is wrong, and of the rows
    that the baseline refuses the compressed model accepts at most the limit of the monitor `refusal_persistence`. A
    threshold that is not proved is not returned.

    Raises:
        ConfigError: when there is no such model, it is a regression, or ``risk`` or ``delta`` lies outside (0, 1).
        RowFileError: when the file cannot be used.
    """
    for option, value in (("--risk", risk), ("--delta", delta)):
        if not 0 < value < 1:
            raise ConfigError([f"{option}: is {value:g}; it must lie above 0 and below 1"])
    evaluation = prepare(settings, name, data, progress=progress)
    section = settings.models[evaluation.pair.name]
    score = section.refusal.score if section.refusal else Score.MAX_PROBABILITY
    evaluation.begin(runs=len(Role))
    baseline, compressed = (_rank(evaluation, role, score, risk, delta) for role in (Role.BASELINE, Role.COMPRESSED))
    problems: list[str] = []
    first, second = (_select(ranked, problems) for ranked in (baseline, compressed))
    limit = section.limits.get(PERSISTENCE_MONITOR, CATALOGUE[PERSISTENCE_MONITOR].limit)
    persistence = None
    if first is not None and limit is not None:
        refused = baseline.certainty < baseline.ranking.certainty[first]
        second = _persist(compressed, second, refused, limit, problems)
        persistence = None if second is None else _persistence(compressed, second, refused, limit)
    choices = baseline.choice(first), compressed.choice(second)
    return Calibration(
        model=evaluation.pair.name,
        data=str(data),
        rows=len(baseline.certainty),
        score=score,
        risk=risk,
        delta=delta,
        baseline=choices[0],
        compressed=choices[1],
        persistence=persistence,
        refusal=_refusal(score, *choices, action=section.refusal.action if section.refusal else None),
        problems=tuple(problems),
    )


def _rank(evaluation: PairEvaluation, role: Role, score: Score, risk: float, delta: float) -> _RankedModel:
    """Run one model on the rows and rank them by certainty, with each row right or wrong."""
    table = evaluation.table
    if (kind := evaluation.pair.kind) is not None:
        text = f"is {kind.name}; thresholds are chosen for classes by probabilities or logits"
        raise ConfigError([f"models.{evaluation.pair.name}.decision.kind: {text}"])
    if evaluation.pair.decision.scale is Scale.REGRESSION:
        raise ConfigError([f"models.{evaluation.pair.name}.decision.scale: a regression has no certainty to refuse by"])
    if table.labels is None:
        raise RowFileError(f"{table.path}: has no column {LABEL_NAME!r}; thresholds need the true class of every row")
    values = evaluation.answers(role).values
    invalid = np.flatnonzero(table.labels >= values.shape[1])
    if len(invalid):
        position, label = table.position(invalid[0]), table.labels[invalid[0]]
        raise RowFileError(f"{position}: column {LABEL_NAME!r}: is {label}; there are {values.shape[1]} classes")
    certain = certainty(values, score) * (-1 if score is Score.ENTROPY else 1)
    return _RankedModel(role, certain, Ranking.from_rows(certain, values.argmax(axis=1) != table.labels), risk, delta)


def _select(ranked: _RankedModel, problems: list[str]) -> int | None:
    """Return the index that bounds the risk; without one add a problem: the labels needed and the lowest bound."""
    ranking, risk, delta = ranked.ranking, ranked.risk, ranked.delta
    index = thresholds.select_threshold(ranking, risk, delta)
    if index is None:
        needed, searched = (thresholds.rows_without_error(risk, part) for part in (delta, delta / ranking.steps))
        best = min(ranked.choice(index).curve, key=lambda point: point.bound)
        problems.append(
            f"{ranked.role}: no threshold: needs at least {needed:,} labels accepted with no error, {searched:,} in a "
            f"search of {ranking.steps} steps; the lowest bound on its curve is {best.bound:.1%}, at {best.accepted:,} "
            f"accepted, {best.wrong:,} of them wrong"
        )
    return index


def _persist(ranked: _RankedModel, index: int | None, refused: Bools, limit: float, problems: list[str]) -> int | None:
    """Return the index that keeps both guarantees: the stricter of the two, if the risk is still proved there."""
    persistent = thresholds.persistent_threshold(ranked.ranking, ranked.certainty[refused], limit, ranked.delta)
    if persistent is None:
        needed = thresholds.rows_without_error(limit, ranked.delta)
        problems.append(
            f"{ranked.role}: no threshold: needs at least {needed:,} rows that the baseline refuses, nearly all "
            f"of them refused by the compressed model too; this file has {np.count_nonzero(refused):,}"
        )
    if index is None or persistent is None:
        return None
    both = min(index, persistent)
    if not ranked.ranking.is_safe(both, ranked.risk, ranked.delta):
        problems.append(f"{ranked.role}: no threshold: where refusals persist too few rows are left to bound the risk")
        return None
    return both


def _persistence(ranked: _RankedModel, index: int, refused: Bools, limit: float) -> Persistence:
    accepted = int(np.count_nonzero(ranked.certainty[refused] >= ranked.ranking.certainty[index]))
    total = int(np.count_nonzero(refused))
    return Persistence(total, accepted, thresholds.upper_bound(accepted, total, ranked.delta), limit)


def _refusal(score: Score, baseline: Choice, compressed: Choice, action: str | None) -> dict[str, object] | None:
    if baseline.chosen is None or compressed.chosen is None:
        return None
    section: dict[str, object] = {"score": score.value, "threshold": baseline.chosen.threshold}
    section["compressed_threshold"] = compressed.chosen.threshold
    return section if action is None else {**section, "action": action}


def print_calibration(result: Calibration, out: Console) -> None:
    """Print the curves, the guarantees, and the line to paste into the configuration."""
    side = "above" if result.score is Score.ENTROPY else "below"
    for role, choice in ((Role.BASELINE, result.baseline), (Role.COMPRESSED, result.compressed)):
        out.print(f"[bold]{role}[/]: refuses where {result.score} is {side} the threshold", highlight=False)
        out.print(_curve(result, choice))
    if result.persistence is not None:
        persistence = result.persistence
        out.print(
            f"Of {persistence.refused:,} rows that the baseline refuses the compressed model refuses "
            f"{1 - persistence.accepted / persistence.refused:.1%}, at least {1 - persistence.bound:.1%} "
            f"(required: {1 - persistence.limit:.0%}).",
            highlight=False,
        )
    if result.refusal is not None:
        probability = f"{1 - result.delta:.4g}"
        out.print(
            f"Each guarantee, the chosen rows and this share, holds with probability {probability}.", highlight=False
        )
        out.print(f"Under models.{result.model}:", style="bold", highlight=False)
        pasted = ", ".join(f"{key}: {value}" for key, value in result.refusal.items())
        out.print(f"    refusal: {{{pasted}}}", soft_wrap=True, markup=False, highlight=False)


def _curve(result: Calibration, choice: Choice) -> Table:
    """Return coverage against risk as a table, the chosen point highlighted."""
    grid = Table(box=None, pad_edge=False)
    for heading in ("threshold", "accepted", "coverage", "wrong", "risk", "at most"):
        grid.add_column(heading, justify="right")
    grid.add_column()
    points = {*choice.curve, choice.chosen or choice.curve[0]}
    for point in sorted(points, key=lambda point: -point.accepted):
        chosen = point == choice.chosen
        grid.add_row(
            f"{point.threshold}", f"{point.accepted:,}", f"{point.accepted / result.rows:.1%}", f"{point.wrong:,}",
            f"{point.wrong / point.accepted:.2%}", f"{point.bound:.2%}", "<- chosen" if chosen else "",
            style="bold green" if chosen else "",
        )  # fmt: skip
    return grid
