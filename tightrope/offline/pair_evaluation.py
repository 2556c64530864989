"""Evaluation of a model pair on the rows of a file, without serving: shared by `calibrate` and `limits`."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tightrope.monitors.compare import Decision, Reading, pair_readings, read_output
from tightrope.monitors.records import Bools, Comparisons, Fault, Role, Tensors
from tightrope.offline.row_file import RowFile, read_rows
from tightrope.offline.table import TableError
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.suggestions import did_you_mean
from tightrope.service.inference.loading.pair_building import build
from tightrope.service.inference.loading.pair_loading import load_model
from tightrope.service.inference.model_pair import ModelPair
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

    def answers(self, role: Role, *, batched: bool = True) -> Reading:
        """Run one model on every row: as the shadow does, in batches where requests may share a run, or one by one.

        Raises:
            TableError: naming the line, when the model fails on a row or its output is invalid.
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
            start += rows
        reading = read_output(np.concatenate(outputs), self.pair.decision.scale)
        if reading.fault.any():
            row = int(np.argmax(reading.fault > 0))
            raise self._error(row, role, f"'s answer {FAULT_TEXTS[Fault(int(reading.fault[row]))]}")
        return reading

    def compare(self) -> PairComparisons:
        """Compare the baseline with itself, row by row and in batches, and the models as they are served and shadowed.

        The served model runs row by row, the shadow in batches where requests may share a run; in safe mode they change
        places.

        Raises:
            TableError: as `answers`, or when the two models cannot be compared.
        """
        one, many = ({role: self.answers(role, batched=batched) for role in Role} for batched in (False, True))
        base, small, decision = Role.BASELINE, Role.COMPRESSED, self.pair.decision
        member = self.table.members(self.pair.subgroups)
        return PairComparisons(
            noise=self._comparisons(one[base], many[base], _with_itself(decision), member),
            ways=(
                self._comparisons(many[base], one[small], decision, member),
                self._comparisons(one[base], many[small], decision, member),
            ),
            member=np.concatenate([np.ones((len(member), 1), dtype=bool), member], axis=1),
        )

    def _comparisons(self, baseline: Reading, compressed: Reading, decision: Decision, member: Bools) -> Comparisons:
        """Return the comparisons that the shadow would publish if each row were a sampled request."""
        paired = pair_readings(baseline, compressed, decision)
        if paired.fault.any():
            raise TableError(f"{self.table.path}: the two models answer with different numbers of classes")
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
            **{name: getattr(paired, name) for name in paired.__dataclass_fields__},
        )

    def _run(self, role: Role, inputs: Tensors, begin: int) -> Tensor:
        """Return the decision output of some rows; if a batch fails, run its rows alone to name the line."""
        rows = len(next(iter(inputs.values())))
        name = self.pair.output
        try:
            output = self.pair.models[role].run(inputs, [name])[name]
        except RunFailedError as error:
            for row in range(rows if rows > 1 else 0):
                self._run(role, {key: tensor[row : row + 1] for key, tensor in inputs.items()}, begin + row)
            raise self._error(begin, role, f" could not answer: {error}") from error
        if not output.ndim or len(output) != rows:
            raise self._error(begin, role, f"'s output {name} has shape {output.shape} for {rows} rows")
        return output

    def _error(self, row: int, role: Role, text: str) -> TableError:
        return TableError(f"{self.table.position(row)}: the {role} model{text}")


def _with_itself(decision: Decision) -> Decision:
    """Return the decision for comparing the baseline with itself: both sides refuse by the baseline's threshold."""
    if decision.refusal is None:
        return decision
    own = dict.fromkeys(Role, decision.refusal.thresholds[Role.BASELINE])
    return replace(decision, refusal=replace(decision.refusal, thresholds=own))


def prepare(settings: Settings, name: str | None, data: Path, *, at_least: int = 1) -> PairEvaluation:
    """Load one model's pair (with ``name`` None the only one) and its rows from the file ``data``.

    Raises:
        ConfigError: when there is no such model, or such a file cannot feed its inputs.
        TableError: when the file cannot be used.
    """
    name = next(iter(settings.models)) if name is None and len(settings.models) == 1 else name
    if name not in settings.models:
        problem = "must be given" if name is None else f"is {name!r}; it must be one of these"
        near = did_you_mean(settings.models, name or "")
        raise ConfigError([f"--model: {problem}: {', '.join(settings.models)}{near}"])
    pair = build(name, settings, load_model)
    return PairEvaluation(pair, read_rows(data, pair, at_least=at_least))
