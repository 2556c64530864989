"""Checks for kinds of decision: `check_kind` shows that a kind keeps what the monitors rely on."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.kinds.seam import MOST_CLASSES, NO_CLASS, Compared, DecisionKind, KindReading
from tightrope.monitors.records import Fault, Role, Tensors

_UNIT = ("confidence", "uncertainty", "margin")
_BY_CLASS = ("mix", "missed", "gained")


@dataclass(frozen=True, slots=True)
class PairSample:
    """The outputs of both models of a pair for the same rows, and the inputs of these rows; rows come first.

    >>> p = {"p": np.array([[0.2, 0.8], [0.5, 0.5]])}
    >>> len(PairSample(baseline=p, compressed=p, inputs={}))
    2
    """

    baseline: Tensors
    compressed: Tensors
    inputs: Tensors

    def __len__(self) -> int:
        return len(next(iter(self.baseline.values())))

    def outputs(self, role: Role) -> Tensors:
        """The outputs of one role."""
        return self.baseline if role is Role.BASELINE else self.compressed

    def take(self, rows: slice | NDArray[np.int64]) -> "PairSample":
        """Select rows, as copies."""
        return PairSample(*(_take(side, rows) for side in (self.baseline, self.compressed, self.inputs)))


def check_kind(kind: DecisionKind, samples: Iterable[PairSample]) -> None:
    """Check a kind on samples: figures in their ranges, a reading equal to itself, rows that do not depend on the rows
    beside them, faults that stay in their row, and arguments that are not changed.

    Raises:
        AssertionError: with a sentence that says what is wrong.
    """
    _require(bool(kind.name and kind.outputs), "a kind has a name and at least one output")
    _require(not (kind.has_confidence and kind.has_bias), "has_confidence and has_bias exclude each other")
    _require(len({*kind.classes}) == len(kind.classes), f"classes: {kind.classes!r} has a name twice")
    checked = 0
    for sample in samples:
        checked += 1
        frozen = PairSample(*(_frozen(side) for side in (sample.baseline, sample.compressed, sample.inputs)))
        before = [_entries(side) for side in (frozen.baseline, frozen.compressed, frozen.inputs)]
        readings, compared = _read_and_compare(kind, frozen)
        for role, reading in readings.items():
            _check_reading(kind, reading, len(sample), role)
            _check_itself(kind, reading)
        _check_compared(kind, readings, compared)
        _check_rows(kind, frozen, readings, compared)
        _check_carrying(kind, readings, compared)
        _check_damage(kind, frozen, compared)
        _require(_same(_read_and_compare(kind, frozen), (readings, compared)), "the same rows were read differently")
        after = [_entries(side) for side in (frozen.baseline, frozen.compressed, frozen.inputs)]
        _require(before == after, "an argument was changed")
    _require(checked > 0, "there are no samples")


def _require(holds: bool, sentence: str) -> None:  # noqa: FBT001 - a condition, as of an assertion
    if not holds:
        raise AssertionError(sentence)


def _read(kind: DecisionKind, outputs: Tensors, inputs: Tensors, role: Role, rows: int) -> KindReading:
    try:
        return kind.read(outputs, inputs, role, rows)
    except Exception as error:  # a kind may raise anything, also for an array that it must not change
        raise AssertionError(f"read of {role} raised {error!r}") from error


def _compare(kind: DecisionKind, baseline: KindReading, compressed: KindReading) -> Compared:
    try:
        return kind.compare(baseline, compressed)
    except Exception as error:
        raise AssertionError(f"compare raised {error!r}") from error


def _read_and_compare(kind: DecisionKind, sample: PairSample) -> tuple[dict[Role, KindReading], Compared]:
    readings = {role: _read(kind, sample.outputs(role), sample.inputs, role, len(sample)) for role in Role}
    return readings, _compare(kind, readings[Role.BASELINE], readings[Role.COMPRESSED])


def _check_reading(kind: DecisionKind, reading: KindReading, rows: int, role: Role) -> None:
    for name, array in reading.to_tensors().items():
        _require(len(array) == rows, f"{name} of {role} has {len(array)} entries for {rows} rows")
    faulty = reading.fault != Fault.NONE
    _require(bool(np.isin(reading.fault, [*Fault]).all()), f"fault of {role} holds an unknown code")
    for name in (*_UNIT, "entropy"):
        values = getattr(reading, name)
        most = 1.0 if name in _UNIT else np.inf
        _require(_within(values, 0.0, most), f"{name} of {role} leaves [0, {most:g}]: {values}")
        _require(bool(np.isnan(values[faulty]).all()), f"{name} of {role} is given for a row with a fault")
    for name in ("confidence", "uncertainty"):
        given = not np.isnan(getattr(reading, name)).all()
        _require(kind.has_confidence or not given, f"{name} is given, but has_confidence is False")
    no_margin = np.isnan(reading.margin)
    _require(
        not getattr(kind, "has_margin", False) or not no_margin[~faulty].any(),
        f"has_margin is True, but {role} has none",
    )
    _require(bool((reading.top[faulty] == NO_CLASS).all()), f"top of {role} is given for a row with a fault")
    _require(kind.has_top or bool((reading.top == NO_CLASS).all()), "top is given, but has_top is False")
    most = len(kind.classes) or np.iinfo(np.int64).max
    _require(bool(((reading.top >= NO_CLASS) & (reading.top < most)).all()), f"top of {role} is outside the classes")


def _check_itself(kind: DecisionKind, reading: KindReading) -> None:
    compared = _compare(kind, reading, reading)
    for name in ("loss", "distance", "bias", *_BY_CLASS):
        values = getattr(compared, name)
        _require(bool((np.isnan(values) | (values == 0)).all()), f"{name} of a reading with itself is not 0: {values}")


def _check_compared(kind: DecisionKind, readings: Mapping[Role, KindReading], compared: Compared) -> None:
    b, c = readings[Role.BASELINE], readings[Role.COMPRESSED]
    _require(bool((compared.fault >= np.maximum(b.fault, c.fault)).all()), "a fault was lost in the comparison")
    faulty = compared.fault != Fault.NONE
    for name, least in {"loss": 0, "distance": 0, "bias": -1, "mix": -1, "missed": 0, "gained": 0}.items():
        values = getattr(compared, name)
        _require(len(values) == len(b), f"{name} has {len(values)} entries for {len(b)} rows")
        _require(bool(np.isnan(values[faulty]).all()), f"{name} is given for a row with a fault")
        _require(name == "distance" or _within(values, least, 1.0), f"{name} leaves [{least}, 1]: {values}")
    loss = compared.loss[~np.isnan(compared.loss)]
    _require(not kind.binary_loss or bool(np.isin(loss, [0, 1]).all()), f"binary_loss is True, but loss holds {loss}")
    _require(kind.has_bias or bool(np.isnan(compared.bias).all()), "bias is given, but has_bias is False")
    widths = {getattr(compared, name).shape[1] for name in _BY_CLASS}
    allowed = {0, len(kind.classes)} if len(kind.classes) <= MOST_CLASSES else {0}
    _require(len(widths) == 1 and widths <= allowed, f"mix, missed and gained have {widths} columns, not {allowed}")


def _check_rows(
    kind: DecisionKind, sample: PairSample, readings: Mapping[Role, KindReading], compared: Compared
) -> None:
    """Rows alone, and in another order, are read and compared bit by bit as together."""
    rows = len(sample)
    orders = [np.array([row]) for row in range(rows)] + [np.arange(rows)[::-1], np.arange(0, rows, 2)]
    for order in orders:
        alone = _read_and_compare(kind, sample.take(order))
        expected = {role: reading.take(order) for role, reading in readings.items()}, _taken(compared, order)
        _require(_same(alone, expected), f"rows {order.tolist()} alone are read or compared differently than together")


def _check_carrying(kind: DecisionKind, readings: Mapping[Role, KindReading], compared: Compared) -> None:
    """Readings are taken apart, joined and carried as tensors without a change."""
    carried = {role: KindReading.from_tensors(reading.to_tensors()) for role, reading in readings.items()}
    _require(_same(carried, dict(readings)), "a reading is another after to_tensors and from_tensors")
    half = len(compared.fault) // 2
    joined = {role: each.take(slice(half)).join(each.take(slice(half, None))) for role, each in carried.items()}
    _require(_same(joined, dict(readings)), "a reading is another after take and join")
    again = _compare(kind, joined[Role.BASELINE], joined[Role.COMPRESSED])
    _require(_same(again, compared), "readings that were carried are compared differently")


def _check_damage(kind: DecisionKind, sample: PairSample, compared: Compared) -> None:
    """Outputs that cannot be read are a fault of their row; those without one entry a row, of every row."""
    rows = len(sample)
    for role in Role:
        for value in (np.nan, np.inf, -np.inf):
            for row, damaged in _spoilt_rows(kind, sample, role, value):
                _, found = _read_and_compare(kind, damaged)
                speaks = bool(np.isfinite(compared.loss[row]))
                _require(bool(np.isnan(found.loss[row])), f"a row of {value} of {role} has a loss")
                _require(not speaks or found.fault[row] != Fault.NONE, f"a row of {value} of {role} is no fault")
                others = np.delete(np.arange(rows), row)
                same = _same(_taken(found, others), _taken(compared, others))
                _require(same, f"a row of {value} of {role} changes the comparison of another row")
        for name, outputs in _misshapen(kind, sample, role):
            reading = _read(kind, outputs, sample.inputs, role, rows)
            _require(len(reading) == rows, f"{name} of {role} gives {len(reading)} rows instead of {rows}")
            _require(bool((reading.fault != Fault.NONE).all()), f"{name} of {role} is no fault of every row")
    failed = KindReading.failed(rows)
    whole = _read(kind, sample.compressed, sample.inputs, Role.COMPRESSED, rows)
    for found in (_compare(kind, failed, whole), _compare(kind, whole, failed), _compare(kind, failed, failed)):
        _require(bool((found.fault == Fault.RUN_FAILED).all()), "a failed run is not the fault of its rows")
        _require(bool(np.isnan(found.loss).all()), "a failed run has a loss")


def _spoilt_rows(kind: DecisionKind, sample: PairSample, role: Role, value: float) -> Iterator[tuple[int, PairSample]]:
    """For the first rows, the sample with that row of the deciding output set to a value, where it can hold it."""
    name, outputs = kind.outputs[0], sample.outputs(role)
    if outputs[name].dtype.kind != "f" or not outputs[name].size:
        return
    for row in range(min(len(sample), 3)):
        spoilt = np.array(outputs[name])
        spoilt[row] = value
        both = {each: sample.outputs(each) for each in Role} | {role: {**outputs, name: spoilt}}
        yield row, PairSample(both[Role.BASELINE], both[Role.COMPRESSED], sample.inputs)


def _misshapen(kind: DecisionKind, sample: PairSample, role: Role) -> Iterator[tuple[str, Tensors]]:
    name, outputs = kind.outputs[0], sample.outputs(role)
    tensor = outputs[name]
    yield "a missing output", {other: each for other, each in outputs.items() if other != name}
    yield "an output of one row too many", {**outputs, name: np.concatenate([tensor, tensor[:1]])}
    yield "an output without rows", {**outputs, name: tensor.ravel()[:1].reshape(())}
    yield "an output of booleans as objects", {**outputs, name: np.full(tensor.shape, None, dtype=object)}


def _take(tensors: Tensors, rows: slice | NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    return {name: np.array(tensor[rows]) for name, tensor in tensors.items()}


def _frozen(tensors: Tensors) -> dict[str, NDArray[Any]]:
    copies = {name: np.array(tensor) for name, tensor in tensors.items()}
    for copy in copies.values():
        copy.flags.writeable = False
    return copies


def _taken(compared: Compared, rows: NDArray[np.int64]) -> Compared:
    arrays: Any = [getattr(compared, field.name)[rows] for field in fields(compared)]
    return Compared(*arrays)


def _same(left: object, right: object) -> bool:
    return _entries(left) == _entries(right)


def _entries(value: object) -> object:
    """Readings, comparisons and tensors as values that are equal where every bit is; one NaN is like another."""
    match value:
        case KindReading():
            return _entries(value.to_tensors())
        case Compared():
            return [_entries(getattr(value, field.name)) for field in fields(value)]
        case Mapping():
            return {name: _entries(each) for name, each in value.items()}
        case tuple():
            return [_entries(each) for each in value]
        case np.ndarray():
            if value.dtype.kind == "f":
                value = np.where(np.isnan(value), np.array(np.nan, value.dtype), value)
            return value.dtype.str, value.shape, value.tolist() if value.dtype.kind == "O" else value.tobytes()
    return value


def _within(values: NDArray[np.float64], least: float, most: float) -> bool:
    return bool((np.isnan(values) | ((values >= least) & (values <= most))).all())
