"""`tightrope qualify`: judges a pair by its criteria on rows of a file, or on kept ones, stage by stage."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import UNSET

from tightrope import __version__
from tightrope.monitors.qualification.cells import JudgedCell, MeasuredCell, QualificationVerdict, judge, verdict_of
from tightrope.monitors.records import Outcome, Role
from tightrope.offline.pair_evaluation import PairEvaluation, load_pair
from tightrope.offline.progress import NO_PROGRESS, Progress
from tightrope.offline.qualification.attempts import add_attempt, earlier_attempts
from tightrope.offline.qualification.cost_cells import cost_cells
from tightrope.offline.qualification.costs import Costs
from tightrope.offline.qualification.criteria import CLEAR_DISAGREEMENT, CriteriaPlan, plan_criteria
from tightrope.offline.qualification.runner import JudgedStage, QualificationRun
from tightrope.offline.qualification.samples.row_source import RowSource
from tightrope.offline.qualification.stages import StageStore, TimedProgress
from tightrope.offline.qualification.statement import (
    Signer,
    build_statement,
    cell_record,
    data_digest,
    write_statement,
)
from tightrope.offline.qualification.stress.membership import read_members
from tightrope.offline.qualification.stress.scenario_stages import StressFigures, run_stress
from tightrope.offline.qualification.subjects.named_models import bundle_file, digest_notes
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.row_files.row_reader import read_rows
from tightrope.service.inference.row_files.row_schema import schema_of
from tightrope.service.statements.qualification import (
    AttemptRecord,
    DataRecord,
    GoldenRecord,
    QualificationResult,
    QualificationStatement,
)


@dataclass(frozen=True, slots=True)
class QualifyOptions:
    """The options of the command. ``expect`` is the digest that the criteria must have; ``seconds`` bound the run;
    ``signer`` signs the statement. Without ``costs`` those are not measured. ``members`` are rows of the training.
    """

    expect: str | None = None
    seconds: float | None = None
    stress: bool = False
    out: Path | None = None
    signer: Signer | None = None
    costs: bool = True
    members: Path | None = None


@dataclass(frozen=True, slots=True)
class QualificationReport:
    """The cells of a pair on the rows of ``data``, and the statement about it that was written to ``files``; ``notes``
    are lines about where rows came from, and what was not judged.
    """

    model: str
    data: str
    cells: tuple[JudgedCell, ...]
    statement: QualificationStatement
    costs: Costs | None
    stress: StressFigures
    files: Sequence[Path]
    notes: Sequence[str]

    @property
    def verdict(self) -> QualificationVerdict:
        """The verdict on all cells."""
        return verdict_of(self.cells)


def require_digest(plan: CriteriaPlan, expected: str | None) -> None:
    """Refuse criteria that are not the expected ones.

    Raises:
        ConfigError: with both digests.
    """
    if expected is not None and expected.removeprefix("sha256:") != plan.digest:
        raise ConfigError([f"--expect: is {expected}; the criteria have {plan.digest}: they are other criteria"])


def qualify(
    settings: Settings,
    data: Path,
    name: str | None,
    options: QualifyOptions,
    progress: Progress = NO_PROGRESS,
    now: datetime | None = None,
) -> QualificationReport:
    """Judge a pair on the rows of the file ``data`` and write its statement.

    Raises:
        TightropeError: as `qualify_rows`.
        RowFileError: when the file cannot be used.
    """
    pair = load_pair(settings, name)
    source = RowSource(read_rows(data, schema_of(pair)), data_digest(data), data.name)
    return qualify_rows(settings, pair, source, options, progress, now)


def qualify_rows(
    settings: Settings,
    pair: ModelPair,
    source: RowSource,
    options: QualifyOptions,
    progress: Progress = NO_PROGRESS,
    now: datetime | None = None,
) -> QualificationReport:
    """Judge a pair on rows and write its statement.

    Raises:
        ConfigError: when a criterion does not fit, or the criteria are not the expected ones.
        RowFileError: when a model fails on a row.
        QualificationStateError: when a file cannot be written.
    """
    deadline = None if options.seconds is None else time.monotonic() + options.seconds
    timed = TimedProgress(progress, deadline)
    evaluation = PairEvaluation(pair, source.table, timed)
    plan = plan_criteria(pair, settings)
    require_digest(plan, options.expect)
    bundle = bundle_file(settings, pair, options.out, is_signed=options.signer is not None)
    members = None if options.members is None else read_members(evaluation, options.members)
    given: dict[str, Any] = {"drawn": source.drawn, "golden": source.golden, "members": members}
    run = QualificationRun(evaluation, settings, plan, timed, stress=options.stress, **given)
    training = "" if options.members is None else data_digest(options.members)
    store = StageStore.open(settings.state.folder, _run_digest(run, source.digest, training))
    finished = store.run("cells", JudgedStage, run.cells)
    stage = run.unreached() if finished is None else finished
    golden = store.run("numerics", GoldenRecord, run.numerics)
    costs = store.run("costs", Costs, run.costs) if options.costs else None
    flips = store.run("scenarios", list[MeasuredCell], lambda: run.flips(stage.withheld)) if run.of_scenarios() else []
    stress = run_stress(run.of_model(), store)
    measured = [*stage.cells, *(run.unreached_flips() if flips is None else flips), *stress.cells]
    cells = breaches_first(plan, [*judge(measured, plan.alpha), *cost_cells(plan, golden, costs)])
    result = QualificationResult(
        verdict=verdict_of(cells).value,
        withheld=stage.withheld,
        covers=stage.covers,
        seed=plan.section.seed,
        cells=[cell_record(each) for each in cells],
        clear_margin=stage.clear_margin if plan.asks(CLEAR_DISAGREEMENT) else None,
        golden=golden,
    )
    record, now = _data_record(settings, run, stage, source), now or datetime.now(UTC)
    statement = build_statement(settings, run, record, result, costs, stress.document, now)
    files = write_statement(bundle, statement, options.signer)
    _keep_attempt(run, source.digest, result.verdict)
    is_whole = None not in (finished, golden, flips) and stress.is_whole
    if is_whole and (costs or not options.costs):  # else a later run goes on
        store.remove()
    notes = [*source.notes, *_notes(run, stage)]
    return QualificationReport(pair.name, source.name, cells, statement, costs, stress, files, notes)


def _keep_attempt(run: QualificationRun, rows: str, verdict: str) -> None:
    """Note the attempt on the rows with this digest, so that trying until one passes shows."""
    artefacts = [run.evaluation.pair.models[role].digest for role in (Role.COMPRESSED, Role.BASELINE)]
    record = AttemptRecord(criteria_digest=f"sha256:{run.plan.digest}", artefacts=artefacts, verdict=verdict)
    add_attempt(run.settings.state.folder, rows, record)


def breaches_first(plan: CriteriaPlan, cells: Sequence[JudgedCell]) -> tuple[JudgedCell, ...]:
    """Order cells: breaches first, by criterion and then the surest, because people read the first ones."""
    order = {criterion.name: index for index, criterion in enumerate(plan.criteria)}

    def key(judged: JudgedCell) -> tuple[int, int, float]:
        if judged.outcome is not Outcome.BREACH:
            return 1, 0, 0.0
        evidence = judged.cell.evidence
        return 0, order[judged.cell.criterion], 0.0 if evidence is None else evidence.p_over

    return tuple(sorted(cells, key=key))


def _data_record(settings: Settings, run: QualificationRun, stage: JudgedStage, source: RowSource) -> DataRecord:
    return DataRecord(
        sha256=source.digest,
        rows=len(run.evaluation.table),
        chosen_on=stage.chosen_on,
        judged_on=stage.judged_on,
        labels=run.labelled,
        attempts=earlier_attempts(settings.state.folder, source.digest),
        samples=UNSET if source.samples is None else source.samples,
    )


def _notes(run: QualificationRun, stage: JudgedStage) -> list[str]:
    """Lines about what was not judged."""
    notes = []
    if stage.withheld:
        notes.append(
            f"withheld, the baseline serves them: {', '.join(stage.withheld)} ({1 - stage.covers:.1%} of rows)"
        )
    if not run.labelled and not run.plan.written:
        where = "file has" if run.drawn is None else "kept rows have"
        given = f"the {where} no labels"
        if run.evaluation.table.labels is not None:
            given = "a label is one class a row, which this decision is not"
        notes.append(f"{given}: whether either model is right was not judged")
    left_out: dict[str, list[str]] = {}
    for name, reason in run.plan.left_out.items():
        left_out.setdefault(reason, []).append(name)
    notes += [f"not judged: {', '.join(names)}: {reason}" for reason, names in left_out.items()]
    return [*notes, *digest_notes(run.settings, run.evaluation.pair)]


def _run_digest(run: QualificationRun, data: str, training: str) -> str:
    """A digest of everything that the stages depend on."""
    pair = run.evaluation.pair
    parts = [
        run.plan.digest, *(pair.models[role].digest for role in Role), data, *map(str, pair.host_classes.values()),
        __version__, str(run.stress), str(run.plan.section.golden_rows), training,
    ]  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
