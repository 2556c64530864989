"""Kept rows of traffic as the rows of a qualification: `tightrope qualify --from-samples`."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from tightrope.monitors.records import Bools, Ints, Tensors
from tightrope.offline.qualification.samples.kept_rows import KeptRow, KeptRows, joined_parts, read_kept_rows
from tightrope.offline.qualification.samples.row_source import RowSource
from tightrope.offline.qualification.samples.sample_columns import SampleColumns
from tightrope.service.app import ROWS_FOLDER
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.loading.pair_loading import golden_rows
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.row_files.row_file import RowFile, RowFileError
from tightrope.service.inference.subgroups import Subgroups
from tightrope.service.statements.qualification import SamplesRecord

NAME = "kept traffic"
SHOWN_DIGITS = 12
"""Digits of the digest of a request id that an error names."""

LEAST_LABELS = 470
"""Labels from which default criteria about labels are judged: what the smallest default limit, .01, needs where nothing
moves. With fewer, they could never pass.
"""


def kept_samples(settings: Settings, pair: ModelPair, since: float = -math.inf) -> RowSource:
    """The kept rows of a model since a time, in seconds since the epoch.

    Raises:
        ConfigError: when rows of the model cannot be run again at all.
        RowFileError: when no row can.
    """
    if pair.states is not None:
        raise ConfigError([f"models.{pair.name}: has state tensors, whose rows cannot be run one by one"])
    golden = _golden(settings, pair)
    folder = settings.state / ROWS_FOLDER / pair.name
    needed = [pair.subgroups.scopes[scope] for scope in pair.subgroups.parameter_scopes]
    found = read_kept_rows(folder, pair.inputs, needed, since)
    if not found.rows:
        raise RowFileError(f"{folder}: {_none_usable(settings, found)}")
    columns = SampleColumns.of(found.rows, pair.plan.scopes)
    labels = columns.counted_labels(pair.plan.label_draw.random)
    labelled = int((labels >= 0).sum())
    section = settings.models[pair.name].qualification
    is_judged = labelled > 0 and (labelled >= LEAST_LABELS or bool(section and section.criteria))
    table = RowFile(
        folder,
        [*joined_parts(found.rows)],
        labels if is_judged else None,
        [_position(row) for row in found.rows],
        "row of",
    )
    table = _with_members(table, pair.subgroups, found.rows)
    drawn = columns.drawn()
    record = SamplesRecord(
        since=_moment(columns.time.min()),
        until=_moment(columns.time.max()),
        kept=found.kept,
        refused=dict(sorted(found.refused.items())),
        of_model=int(drawn[:, 0].sum()),
        labels=labelled,
    )
    digest = _digest(found.rows, drawn, labels)
    return RowSource(
        table, digest, NAME, drawn, golden, record, [*_notes(record, len(found.rows), is_judged=is_judged)]
    )


def _with_members(table: RowFile, subgroups: Subgroups, rows: Sequence[KeptRow]) -> RowFile:
    """The table with its subgroups: by the inputs as they are cut today, or as the request's parameters said then."""
    member = table.members(subgroups)
    for scope in subgroups.parameter_scopes:
        name = subgroups.scopes[scope]
        member[:, scope] = [row.record["member"][row.header.scopes.index(name)] for row in rows]
    return replace(table, known_members=member)


def _golden(settings: Settings, pair: ModelPair) -> Sequence[Tensors] | None:
    """The rows of the golden answers where those of kept rows would be inputs of callers in a public statement: texts,
    which are shuffled as a whole, and rows that are not to be shuffled. None where columns of numbers are shuffled.

    Raises:
        ConfigError: when the configuration names no such rows.
    """
    section = settings.models[pair.name].qualification
    is_whole = section is not None and section.golden_rows == "data"
    if not is_whole and all(spec.datatype != "BYTES" for spec in pair.inputs):
        return None
    rows = golden_rows(pair, settings)
    if rows is None:
        text = "is missing; without it the golden answers of a statement on kept rows would show inputs of callers"
        raise ConfigError([f"models.{pair.name}.golden: {text}: name a file of rows that are no person's"])
    return rows.parts


def _none_usable(settings: Settings, found: KeptRows) -> str:
    if found.kept or found.refused:
        return f"none of {found.kept:,} kept rows can be run again: {_reasons(found.refused)}"
    if not settings.reports.keep_rows:
        return "has no kept rows: reports.keep_rows is 0; set it, e.g. to 50000"
    return "has no kept rows of this time"


def _reasons(refused: Mapping[str, int]) -> str:
    return "; ".join(f"{count:,} {reason}" for reason, count in sorted(refused.items()))


def _notes(record: SamplesRecord, usable: int, *, is_judged: bool) -> Iterator[str]:
    yield f"kept rows of traffic from {record.since:%Y-%m-%d %H:%M} until {record.until:%Y-%m-%d %H:%M} UTC"
    if record.of_model < usable:
        yield f"{record.of_model:,} of them judge the whole model; floors kept the others for their subgroups alone"
    if record.refused:
        yield f"refused: {_reasons(record.refused)}"
    if record.labels and not is_judged:
        yield f"{record.labels:,} labels are too few for the default criteria: {LEAST_LABELS:,} are needed"


def _position(row: KeptRow) -> str:
    digest = bytes(row.record["request"]).decode()[:SHOWN_DIGITS]
    return f"request {digest} at {_moment(row.record['time']):%Y-%m-%dT%H:%M:%SZ}"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(math.floor(float(seconds)), UTC)


def _digest(rows: Sequence[KeptRow], drawn: Bools, labels: Ints) -> str:
    """The SHA-256 of what is judged: inputs, subgroups of parameters, draws and labels, in order."""
    found = hashlib.sha256()
    for row, mask, label in zip(rows, np.packbits(drawn, axis=1), labels.tolist(), strict=True):
        found.update(len(row.content).to_bytes(8, "little") + row.content + mask.tobytes())
        found.update(np.packbits(row.record["member"]).tobytes() + str(label).encode())
    return found.hexdigest()
