"""`tightrope sweep`: judges all variants of a baseline in a folder by the same criteria, and recommends one.

How it works. Pass 1 loads one variant after the other, compares its rows, measures its costs, and looks whether the
rows that choose speak against it. The others are the V candidates. Pass 2 weighs the cells of each on the rows that
judge, at alpha / V. Each finished stage of a variant is kept in the state folder, so that a killed sweep goes on from
there.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tightrope import __version__
from tightrope.monitors.qualification.cells import MeasuredCell
from tightrope.monitors.records import Role
from tightrope.offline.pair_evaluation import PairEvaluation, load_pair, model_name
from tightrope.offline.progress import NO_PROGRESS, Progress
from tightrope.offline.qualification.attempts import add_attempt
from tightrope.offline.qualification.costs import Costs
from tightrope.offline.qualification.criteria import CriteriaPlan, plan_criteria
from tightrope.offline.qualification.runner import QualificationRun
from tightrope.offline.qualification.stages import StageStore, TimedProgress
from tightrope.offline.sweep.criteria_choice import only_criteria
from tightrope.offline.sweep.goal import Goal
from tightrope.offline.sweep.hotspots import find_hotspots
from tightrope.offline.sweep.making.making import require_extra
from tightrope.offline.sweep.making.preparation import SweepFiles, make_variants
from tightrope.offline.sweep.making.recipes import Recipe
from tightrope.offline.sweep.report import SweepReport, SweptVariant
from tightrope.offline.sweep.screened_variant import ScreenedVariant
from tightrope.offline.sweep.sizes import size_of
from tightrope.offline.sweep.swept_rows import SweptRows, read_swept_rows
from tightrope.offline.sweep.variant_progress import VariantProgress
from tightrope.offline.sweep.variant_run import (
    ComparedVariant,
    ScreenedStage,
    at_alpha,
    compare_variant,
    judging_cells,
    measure_variant_costs,
    screen_variant,
)
from tightrope.offline.sweep.variants import SkippedFile, Variant, find_variants, reason_of, with_compressed
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.row_files.row_file import RowFileError
from tightrope.service.inference.row_files.row_schema import schema_of
from tightrope.service.statements.qualification import AttemptRecord

MOST_KEPT_ROWS = 2_000_000
"""Compared rows of all variants that stay in memory between the passes: beyond them a variant is compared again."""


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """The options of the command. ``criteria`` names those that judge, all if empty; ``seconds`` bound the run;
    ``recipes`` are made in the folder first; with ``hotspots`` one tensor of the baseline is changed at a time.
    """

    goal: Goal = Goal.SIZE
    criteria: Sequence[str] = ()
    seconds: float | None = None
    recipes: Sequence[Recipe] = ()
    hotspots: bool = False


def sweep(
    settings: Settings,
    data: Path,
    name: str | None,
    folder: Path,
    options: SweepOptions,
    progress: Progress = NO_PROGRESS,
) -> SweepReport:
    """Judge the variants in a folder on the rows of ``data``.

    Raises:
        ConfigError: when the folder has no variant, or a criterion does not fit.
        RowFileError: when the file cannot be used.
        QualificationStateError: when a finished stage cannot be kept.
    """
    model = model_name(settings, name)
    baseline = settings.models[model].baseline
    if not isinstance(baseline, Path):
        raise ConfigError([f"models.{model}.baseline: is on another server; a sweep is about files"])
    deadline = None if options.seconds is None else time.monotonic() + options.seconds
    if options.hotspots:
        require_extra()
    shown = VariantProgress(progress)
    rows, failed = make_variants(settings, model, SweepFiles(baseline, data, folder), options.recipes, shown)
    variants, skipped = find_variants(folder, baseline)
    run = _Sweep(settings, model, baseline, data, options, shown, deadline, [*skipped, *failed], rows)
    report = run.run(variants)
    if not options.hotspots or run.rows is None:
        return report
    shown.variant = ""
    found, untried = find_hotspots(settings, report, run.rows, TimedProgress(shown, deadline))
    return replace(report, hotspots=found, untried=untried)


@dataclass(slots=True)
class _Sweep:
    settings: Settings
    model: str
    baseline: Path
    data: Path
    options: SweepOptions
    shown: VariantProgress
    deadline: float | None
    skipped: list[SkippedFile]
    rows: SweptRows | None = None
    kept_rows: int = 0
    loaded: QualificationRun | None = None
    left_out: Sequence[str] = ()

    def run(self, variants: Sequence[Variant]) -> SweepReport:
        """Screen all variants, then judge them."""
        screened = []
        for number, variant in enumerate(variants, 1):
            self.shown.variant = f"{variant.name} ({number} of {len(variants)})"
            if (found := self._screen(variant)) is not None:
                screened.append(found)
        opposed = sum(each.stage is not None and bool(each.stage.opposed) for each in screened)
        swept = [self._judge(each, max(len(screened) - opposed, 1)) for each in screened]
        if not self._timed().is_over:  # else a later sweep goes on
            for each in screened:
                each.store.remove()
        return self._report(screened, swept)

    def _timed(self) -> TimedProgress:
        return TimedProgress(self.shown, self.deadline)

    def _load(self, variant: Variant) -> QualificationRun | None:
        """Load a variant; one that cannot be loaded is skipped."""
        settings = with_compressed(self.settings, self.model, variant.path)
        self.shown.begin("loading", 1)
        try:
            pair = load_pair(settings, self.model)
        except ConfigError as error:
            self.skipped.append(SkippedFile(variant.path.name, reason_of(error.problems, self.model, variant)))
            return None
        whole = plan_criteria(pair, settings)
        plan = only_criteria(whole, self.options.criteria)
        self.left_out = [criterion.name for criterion in whole.criteria if criterion not in plan.criteria]
        if self.rows is None:
            self.shown.begin("reading the rows", 1)
            self.rows = read_swept_rows(self.data, schema_of(pair), plan.section.seed)
        timed = self._timed()
        evaluation = PairEvaluation(pair, self.rows.table, timed)
        return QualificationRun(evaluation, settings, plan, timed, stress=False)

    def _screen(self, variant: Variant) -> ScreenedVariant | None:
        """Pass 1 of a variant; one that fails on a row is skipped."""
        if (run := self._load(variant)) is None or self.rows is None:
            return None
        self.loaded = run
        kept: list[ComparedVariant] = []
        chosen, store = self.rows.chosen, self._store(run)

        def measure() -> ScreenedStage:
            kept.append(compare_variant(run))
            return screen_variant(run, kept[0], chosen)

        energy = self.options.goal is Goal.ENERGY
        try:
            stage = store.run("screened", ScreenedStage, measure)
        except RowFileError as error:
            self.skipped.append(SkippedFile(variant.path.name, str(error)))
            return None
        costs = store.run(f"costs {energy}", Costs, lambda: measure_variant_costs(run, energy=energy))
        self.kept_rows += len(chosen) if kept else 0
        compared = kept[0] if kept and self.kept_rows <= MOST_KEPT_ROWS else None
        unreached = [*run.unreached().cells, *run.unreached_flips()]
        return ScreenedVariant(variant, run.plan, store, unreached, stage, compared, costs)

    def _store(self, run: QualificationRun) -> StageStore:
        """The stages of a variant; they depend on the criteria, both models, the rows, the host and this version."""
        assert self.rows is not None  # noqa: S101 - `_load` has read them
        pair = run.evaluation.pair
        parts = [
            "sweep", run.plan.digest, *(pair.models[role].digest for role in Role), self.rows.digest,
            *map(str, pair.host_classes.values()), __version__,
        ]  # fmt: skip
        return StageStore.open(self.settings.state.folder, hashlib.sha256("\n".join(parts).encode()).hexdigest())

    def _judge(self, screened: ScreenedVariant, candidates: int) -> SweptVariant:
        """Pass 2 of a variant."""
        self.shown.variant = screened.variant.name
        stage, plan = screened.stage, at_alpha(screened.plan, screened.plan.alpha / candidates)
        proofs: list[MeasuredCell] | None = None
        if stage is not None:
            proofs = screened.store.run(
                f"judged {plan.alpha:.12g}", list[MeasuredCell], lambda: self._judging_cells(screened, stage, plan)
            )
        swept = screened.judged(proofs, plan.alpha)
        self._remember(screened, swept.verdict.value)
        return swept

    def _judging_cells(self, screened: ScreenedVariant, stage: ScreenedStage, plan: CriteriaPlan) -> list[MeasuredCell]:
        """The cells of a variant on the rows that judge; it is compared again where its rows were not kept."""
        assert self.rows is not None  # noqa: S101 - pass 1 has read them
        compared = screened.compared
        if compared is None:
            run = self._load(screened.variant)
            assert run is not None  # noqa: S101 - pass 1 has loaded it
            compared = compare_variant(run)
        return judging_cells(compared, plan, self.rows.chosen, stage.withheld, self._timed())

    def _remember(self, screened: ScreenedVariant, verdict: str) -> None:
        """Add the attempt, so that a later statement on the same rows lists it."""
        assert self.rows is not None  # noqa: S101 - pass 1 has read them
        assert self.loaded is not None  # noqa: S101
        artefacts = [screened.variant.digest, self.loaded.evaluation.pair.models[Role.BASELINE].digest]
        record = AttemptRecord(criteria_digest=f"sha256:{screened.plan.digest}", artefacts=artefacts, verdict=verdict)
        add_attempt(self.settings.state.folder, self.rows.digest, record)

    def _report(self, screened: Sequence[ScreenedVariant], swept: Sequence[SweptVariant]) -> SweepReport:
        plan = screened[0].plan if screened else None
        names = [] if plan is None else [criterion.name for criterion in plan.criteria]
        pair = None if self.loaded is None else self.loaded.evaluation.pair
        return SweepReport(
            model=self.model,
            baseline=self.baseline,
            baseline_size=size_of(self.baseline),
            data=self.data,
            data_digest="" if self.rows is None else self.rows.digest,
            rows=0 if self.rows is None else len(self.rows.table),
            chosen=0 if self.rows is None else int(self.rows.chosen.sum()),
            judging=0 if self.rows is None else self.rows.judging,
            alpha=0.0 if plan is None else plan.alpha,
            goal=self.options.goal,
            criteria=names,
            criteria_digest="" if plan is None else plan.digest,
            left_out=self.left_out,
            scopes=() if pair is None else pair.plan.scopes,
            host_class="" if pair is None else pair.host_classes.get(Role.COMPRESSED, ""),
            variants=swept,
            skipped=self.skipped,
        )
