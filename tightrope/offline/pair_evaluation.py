"""Evaluation of a model pair on the rows of a file, without serving: shared by `calibrate` and `limits`."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tightrope.monitors.compare import Decision, PairedOutputs, Reading, Scale, pair_readings, read_output
from tightrope.monitors.kinds.seam import KindReading
from tightrope.monitors.records import Bools, Comparisons, Fault, Role, Tensors
from tightrope.offline.kind_evaluation import pair_rows
from tightrope.offline.kind_evaluation import read_rows as read_kind_rows
from tightrope.offline.progress import NO_PROGRESS, Progress
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.suggestions import did_you_mean
from tightrope.service.inference.loading.pair_building import build
from tightrope.service.inference.loading.pair_loading import load_model
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.row_files.row_file import RowFile, RowFileError
from tightrope.service.inference.row_files.row_reader import read_rows
from tightrope.service.inference.row_files.row_schema import schema_of
from tightrope.service.protocol.tensors import Tensor
from tightrope.shadow.inference import MAX_SHADOW_RUN_ROWS

FAULT_TEXTS = {Fault.NOT_FINITE: "is not finite", Fault.OUT_OF_RANGE: "holds no probabilities; see decision.scale"}


@dataclass(frozen=True, slots=True)
class PairComparisons:
    """All n rows as comparisons: ``noise`` of the baseline with itself, ``ways`` of the pair as it is run in normal and
    in safe mode, and ``member`` (n, S): which rows belong to which scope, the model first.
    """

    noise: Comparisons
    ways: tuple[Comparisons, Comparisons]
    member: Bools


@dataclass(frozen=True, slots=True)
class PairEvaluation:
    """A loaded pair, and n rows for it."""

    pair: ModelPair
    table: RowFile
    progress: Progress = NO_PROGRESS

    @property
    def has_top(self) -> bool:
        """Whether a decision is one class a row, which a label can confirm."""
        if self.pair.kind is not None:
            return self.pair.kind.has_top
        return Scale.REGRESSION not in self.pair.decision.scales.values()

    def begin(self, runs: int) -> None:
        """Begin to show the progress of ``runs`` of a model on every row."""
        self.progress.begin("running the models", runs * len(self.table))

    def answers(self, role: Role, *, batched: bool = True) -> Reading:
        """Run one model on every row: as the shadow does, in batches where requests may share a run, or one by one.

        Raises:
            RowFileError: naming the line, when the model fails on a row or its output is invalid.
        """
        most = MAX_SHADOW_RUN_ROWS if batched and not self.pair.batchability.is_closed else 1
        outputs: list[Tensor] = []
        start = 0
        for inputs in self.table.parts:
            rows = len(next(iter(inputs.values())))
            for begin in range(0, rows, most):
                run = {name: np.asarray(tensor[begin : begin + most]) for name, tensor in inputs.items()}
                outputs.append(self._run(role, run, start + begin))
                if outputs[-1].shape[1:] != outputs[0].shape[1:]:
                    shapes = f"{list(outputs[-1].shape[1:])} a row, and before {list(outputs[0].shape[1:])}"
                    raise self._error(start + begin, role, f"'s output {self.pair.output} has shape {shapes}")
                self.progress.advance(len(outputs[-1]))
            start += rows
        reading = read_output(np.concatenate(outputs), self.pair.decision.scales[role])
        if reading.fault.any():
            row = int(np.argmax(reading.fault > 0))
            raise self._error(row, role, f"'s answer {FAULT_TEXTS[Fault(int(reading.fault[row]))]}")
        return reading

    def compare(self) -> PairComparisons:
        """Compare the baseline with itself, row by row and in batches, and the models as they are served and shadowed.

        The served model runs row by row, the shadow in batches where requests may share a run; in safe mode they change
        places.

        Raises:
            RowFileError: as `answers`, or when the two models cannot be compared.
        """
        self.begin(runs=2 * len(Role))
        base, small, decision = Role.BASELINE, Role.COMPRESSED, self.pair.decision
        ways = {(role, batched): self.readings(role, batched=batched) for role in Role for batched in (False, True)}
        member = self.table.members(self.pair.subgroups)
        return PairComparisons(
            noise=self._comparisons(ways[base, False], ways[base, True], _with_itself(decision), member),
            ways=(
                self._comparisons(ways[base, True], ways[small, False], decision, member),
                self._comparisons(ways[base, False], ways[small, True], decision, member),
            ),
            member=np.concatenate([np.ones((len(member), 1), dtype=bool), member], axis=1),
        )

    def compare_with_itself(
        self, role: Role, first: Reading | list[KindReading], second: Reading | list[KindReading]
    ) -> Comparisons:
        """Compare two readings of one model, as `readings` gives them, such as those of other rows.

        Raises:
            RowFileError: when they cannot be compared.
        """
        scale = self.pair.decision.scales[role]
        decision = replace(self.pair.decision, scale=scale, compressed_scale=None, refusal=None)
        return self._comparisons(first, second, decision, self.table.members(self.pair.subgroups))

    def compare_readings(
        self, baseline: Reading | list[KindReading], compressed: Reading | list[KindReading]
    ) -> Comparisons:
        """Compare readings of both models, as `readings` gives them.

        Raises:
            RowFileError: when they cannot be compared.
        """
        return self._comparisons(baseline, compressed, self.pair.decision, self.table.members(self.pair.subgroups))

    def readings(self, role: Role, *, batched: bool) -> Reading | list[KindReading]:
        """Read one model's answers to all rows; a kind reads each part of the file."""
        if self.pair.kind is None:
            return self.answers(role, batched=batched)
        most = MAX_SHADOW_RUN_ROWS if batched and not self.pair.batchability.is_closed else 1
        return self.kind_readings(role, most)

    def kind_readings(self, role: Role, most: int) -> list[KindReading]:
        """Read one model's answers to each part of the file by the kind, at most ``most`` rows a run.

        Raises:
            RowFileError: naming the line, when the model fails on a row or its output is invalid.
        """
        assert self.pair.kind is not None  # noqa: S101 - the caller has looked

        def run(inputs: Tensors, begin: int) -> Tensors:
            outputs = self._run_outputs(role, inputs, begin)
            self.progress.advance(len(outputs[self.pair.output]))
            return outputs

        def error(row: int, text: str) -> RowFileError:
            return self._error(row, role, text)

        return read_kind_rows(self.pair.kind, self.table.parts, role, most, run, error)

    def _paired(
        self, baseline: Reading | list[KindReading], compressed: Reading | list[KindReading], decision: Decision
    ) -> PairedOutputs:
        if isinstance(baseline, Reading) and isinstance(compressed, Reading):
            return pair_readings(baseline, compressed, decision)
        assert self.pair.kind is not None  # noqa: S101 - plain decisions have plain readings
        assert isinstance(baseline, list)  # noqa: S101
        assert isinstance(compressed, list)  # noqa: S101
        return pair_rows(self.pair.kind, baseline, compressed, decision.refusal)

    def _comparisons(
        self,
        baseline: Reading | list[KindReading],
        compressed: Reading | list[KindReading],
        decision: Decision,
        member: Bools,
    ) -> Comparisons:
        """Return the comparisons that the shadow would publish if each row were a sampled request."""
        paired = self._paired(baseline, compressed, decision)
        if paired.fault.any():
            raise RowFileError(f"{self.table.path}: the two models' answers cannot be compared: their widths differ")
        rows, plan = len(member), self.pair.plan
        return Comparisons(
            model=plan.model,
            baseline_digest=plan.baseline_digest,
            compressed_digest=plan.compressed_digest,
            log="",
            scopes=plan.scopes[1:],
            partition=np.zeros(rows, dtype=np.int64),
            offset=np.arange(rows),
            time=np.zeros(rows),
            request_id=("",) * rows,
            served_by_baseline=np.zeros(rows, dtype=bool),
            member=member,
            draw=np.zeros(rows),
            inclusion=np.ones(rows),
            twin=np.zeros(rows, dtype=np.uint64),
            **dict.fromkeys(
                ("seconds", "self_disagree", "correct_baseline", "correct_compressed"), np.full(rows, np.nan)
            ),
            **paired.columns(),
        )

    def _run(self, role: Role, inputs: Tensors, begin: int) -> Tensor:
        """Return the decision output of some rows; if a batch fails, run its rows alone to name the line."""
        return self._run_outputs(role, inputs, begin)[self.pair.output]

    def _run_outputs(self, role: Role, inputs: Tensors, begin: int) -> Tensors:
        rows = len(next(iter(inputs.values())))
        name = self.pair.output
        try:
            outputs = self.pair.models[role].run(inputs, self.pair.deciding)
        except RunFailedError as error:
            for row in range(rows if rows > 1 else 0):
                self._run(role, {key: tensor[row : row + 1] for key, tensor in inputs.items()}, begin + row)
            raise self._error(begin, role, f" could not answer: {error}") from error
        if outputs[name].shape[:1] != (rows,):
            raise self._error(begin, role, f"'s output {name} has shape {outputs[name].shape} for {rows} rows")
        return outputs

    def _error(self, row: int, role: Role, text: str) -> RowFileError:
        return RowFileError(f"{self.table.position(row)}: the {role} model{text}")


def _with_itself(decision: Decision) -> Decision:
    """Return the decision for comparing the baseline with itself: both sides refuse by the baseline's threshold."""
    if decision.refusal is None:
        return decision
    own = dict.fromkeys(Role, decision.refusal.thresholds[Role.BASELINE])
    return replace(decision, refusal=replace(decision.refusal, thresholds=own))


def prepare(
    settings: Settings, name: str | None, data: Path, *, at_least: int = 1, progress: Progress = NO_PROGRESS
) -> PairEvaluation:
    """Load one model's pair (with ``name`` None the only one) and its rows from the file ``data``.

    Raises:
        ConfigError: when there is no such model, or such a file cannot feed its inputs.
        RowFileError: when the file cannot be used.
    """
    pair = load_pair(settings, name)
    return PairEvaluation(pair, read_rows(data, schema_of(pair), at_least=at_least), progress)


def load_pair(settings: Settings, name: str | None) -> ModelPair:
    """Load one model's pair, with ``name`` None the only one.

    Raises:
        ConfigError: when there is no such model.
    """
    return build(model_name(settings, name), settings, load_model)


def model_name(settings: Settings, name: str | None) -> str:
    """The name of a configured model, with ``name`` None the only one.

    Raises:
        ConfigError: when there is no such model.
    """
    name = next(iter(settings.models)) if name is None and len(settings.models) == 1 else name
    if name not in settings.models:
        problem = "must be given" if name is None else f"is {name!r}; it must be one of these"
        near = did_you_mean(settings.models, name or "")
        raise ConfigError([f"--model: {problem}: {', '.join(settings.models)}{near}"])
    return name
