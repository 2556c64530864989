"""An erased id is nowhere in the record of the judgement, and what is left can be judged again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import make_comparisons
from tests.support.judgement.recorded import KEY, RecordedJudge, recorded_plan
from tightrope.monitors.folding.inputs import ComparedRows, LabelledRows
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Comparisons, Stream
from tightrope.offline.incidents.record_files import all_incidents, record_of_incident
from tightrope.offline.incidents.replay import replay
from tightrope.service.adapters.journal.column_redaction import KEEP_ALL
from tightrope.service.adapters.journal.entries import (
    Entry,
    RecordedInput,
    RecordedState,
    SegmentBegin,
    encode_entry,
    read_entries,
)
from tightrope.service.adapters.journal.erasure import erase_from_record
from tightrope.service.adapters.journal.id_digests import DIGEST_FORMS, DigestForm, id_digest, stored_forms
from tightrope.service.adapters.journal.incident import INCIDENTS_FOLDER
from tightrope.service.adapters.journal.redaction import IdWay, Redaction
from tightrope.service.adapters.journal.segments import segment_path
from tightrope.service.adapters.wire.record_codec import decode_state, encode_state

GONE, NOTE = "erased-1", "rows were erased"
ID = 'ann\'s "id" é#7'

IDS = st.sampled_from([ID, ID + "1", "x" + ID, ID + "#0", "bob", ""])
PLACES = st.lists(st.lists(IDS, min_size=1, max_size=4), min_size=3, max_size=3)


def rows_of(ids: Sequence[str], **columns: object) -> Comparisons:
    """Rows of these requests, with a column of their input."""
    rows = make_comparisons(len(ids), **columns)
    features, known = np.full((len(ids), 1), 7.0, np.float32), np.full(len(ids), 5, np.uint64)
    return replace(rows, request_id=tuple(ids), features=features, twin=known, caller=known)


def write_segment(folder: Path, number: int, entries: Sequence[Entry]) -> None:
    """Write a segment of a model."""
    folder.mkdir(exist_ok=True)
    segment_path(folder, number).write_bytes(b"".join(map(encode_entry, entries)))


def read_segment(folder: Path, number: int) -> list[Entry]:
    """The entries of a segment."""
    return list(read_entries(segment_path(folder, number).read_bytes()))


def begin_with(waiting: Sequence[str]) -> SegmentBegin:
    """The begin of a segment in whose state rows of these requests wait for the end of their tick."""
    state = replace(initial_state(recorded_plan()), pending={Stream.COMPARISONS: rows_of(waiting, member=True)})
    return SegmentBegin(encode_state(state), "k", 1.0, (0, 0, 0), {"model": 0}, {}, "host", has_columns=True)


@settings(max_examples=40)
@given(places=PLACES)
def test_id_leaves_every_place_and_other_ids_stay(
    tmp_path_factory: pytest.TempPathFactory, places: list[list[str]]
) -> None:
    """In the state's rows that wait, in compared rows, and in rows with their label, in any number."""
    folder = tmp_path_factory.mktemp("journal")
    waiting, compared, labelled = places
    numbered = [f"{name}#{row}" for row, name in enumerate(labelled)]
    write_segment(
        folder / "m",
        1,
        [
            begin_with(waiting),
            RecordedInput(ComparedRows(rows_of(compared)), (len(compared), 0, 0)),
            RecordedInput(LabelledRows(rows_of(numbered)), (len(compared), 0, 1)),
            RecordedState("ab"),
        ],
    )
    before = read_segment(folder / "m", 1)
    counted = erase_from_record(folder, [ID], GONE, NOTE)
    assert counted == +Counter(m=max(part.count(ID) for part in places))
    after = read_segment(folder / "m", 1)
    assert after[3] == before[3] == RecordedState("ab")
    parts = decode_state(after[0].state).pending[Stream.COMPARISONS], after[1].item.rows, after[2].item.rows  # type: ignore[union-attr]
    for names, rows, mark in zip((waiting, compared, labelled), parts, (False, False, True), strict=True):
        wanted = [GONE if name == ID else name for name in names]
        assert rows.request_id == tuple(f"{name}#{row}" if mark else name for row, name in enumerate(wanted))
        own = np.array([name == ID for name in names])
        assert np.array_equal(np.isnan(rows.features[:, 0]), own)
        assert np.array_equal(rows.twin == 0, own)
        assert np.array_equal(rows.caller == 0, own)


@pytest.mark.parametrize(("way", "form"), [("keep", "aes-cmac"), ("hash", "aes-cmac"), ("hash", "blake2b")])
def test_replay_of_an_incident_that_lost_rows_says_so(tmp_path: Path, way: IdWay, form: DigestForm) -> None:
    """The number of rows is told, the incident is not complete, and its moves come again: ids are compared only."""
    judged = RecordedJudge(tmp_path)
    judged.redaction = Redaction(KEY, KEEP_ALL, way, form)
    judged.start()
    judged.judge_harm(slice(0, 20))
    judged.stop()
    (incident,) = all_incidents(judged.settings())
    record = record_of_incident(judged.settings(), incident.id)
    item = next(entry.item for entry in record.entries()[0] if isinstance(entry, RecordedInput))
    assert isinstance(item, ComparedRows)
    recorded = item.rows.request_id[0]
    names = ["0-0", *(id_digest(KEY, "0-0", form) for form in DIGEST_FORMS)]
    assert recorded == (names[0] if way == "keep" else id_digest(KEY, "0-0", form))
    forms = set[bytes]().union(*map(stored_forms, names[1:])) if way == "hash" else {b"0-0"}
    assert any(each in record.segments[0] for each in forms)
    assert erase_from_record(judged.folder, names, GONE, NOTE) == {"m": 1}
    (incident,) = all_incidents(judged.settings())
    assert incident.missing == (NOTE,)
    record = record_of_incident(judged.settings(), incident.id)
    assert not any(each in path.read_bytes() for each in forms - {b"0-0"} for path in tmp_path.rglob("*.j*"))
    result = replay(record)
    assert (result.erased, result.missed_moves(incident)) == (1, [])
    assert erase_from_record(judged.folder, names, "erased-2", NOTE) == {}
    assert replay(record).erased == 1


def test_rows_that_are_judged_twice_count_once(tmp_path: Path) -> None:
    """After a restart a record has what followed the snapshot once more."""
    folder = tmp_path / "m"
    for number in (1, 2):
        write_segment(folder, number, [begin_with([]), RecordedInput(ComparedRows(rows_of([ID, ID])), (2, 0, 0))])
    assert erase_from_record(tmp_path, [ID], GONE, NOTE) == {"m": 2}


def test_damaged_end_goes_and_unreadable_file_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Bytes after a damaged entry are read by nothing, and may have the id; a file without a begin is told."""
    folder = tmp_path / "m"
    write_segment(folder, 1, [begin_with([]), RecordedInput(ComparedRows(rows_of(["bob"])), (1, 0, 0))])
    path = segment_path(folder, 1)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0\0\0\1" + ID.encode())
    (other := segment_path(folder, 2)).write_bytes(ID.encode())
    (folder / INCIDENTS_FOLDER).mkdir()
    assert erase_from_record(tmp_path, [ID], GONE, NOTE) == {}
    assert path.read_bytes() == whole
    assert other.read_bytes() == ID.encode()
    assert "00000002.journal cannot be read, so it may still have an id" in caplog.text


def test_segment_without_the_id_is_not_touched(tmp_path: Path) -> None:
    """Its bytes and its file stay."""
    write_segment(tmp_path / "m", 1, [begin_with(["bob"])])
    before = segment_path(tmp_path / "m", 1).stat()
    assert erase_from_record(tmp_path, [ID], GONE, NOTE) == {}
    assert segment_path(tmp_path / "m", 1).stat() == before
    assert erase_from_record(tmp_path / "none", [ID], GONE, NOTE) == {}
