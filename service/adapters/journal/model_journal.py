"""The record of one model while it is judged: writes segments, and opens and closes incidents."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from io import FileIO
from pathlib import Path

from tightrope.monitors.folding.inputs import FoldStep, NewPlan
from tightrope.monitors.plan import Plan, State, is_armed
from tightrope.service.adapters.journal.entries import (
    Entry,
    RecordedInput,
    RecordedState,
    SegmentBegin,
    encode_entry,
    position_of,
)
from tightrope.service.adapters.journal.incident import (
    INCIDENTS_FOLDER,
    Incident,
    incident_id,
    is_apart,
    write_incident,
)
from tightrope.service.adapters.journal.plan_codec import encode_plan, plan_key
from tightrope.service.adapters.journal.redaction import Redaction, recorded_plan
from tightrope.service.adapters.journal.segments import (
    MOST_SEGMENT_BYTES,
    MOST_SEGMENT_SECONDS,
    PLANS_FOLDER,
    RecordedFiles,
    SegmentFile,
    segment_path,
)
from tightrope.service.adapters.wire.record_codec import encode_state

NOT_RECORDED = "inputs were not recorded: the record begins again after them"


@dataclass(frozen=True, slots=True)
class Recording:
    """Where and how a process records: the clock in seconds since the epoch, its versions, and its host."""

    clock: Callable[[], float]
    versions: Mapping[str, str]
    host: str


class ModelJournal:
    """Writes one model's record. ``files`` are those of its folder."""

    def __init__(self, folder: Path, model: str, redaction: Redaction, recording: Recording) -> None:
        self.files = RecordedFiles(folder)
        self._folder, self._model = folder, model
        self._redaction, self._recording = redaction, recording
        self._file: FileIO | None = None
        self._segment: SegmentFile | None = None
        self._last: State | None = None
        self._plan_keys: dict[int, tuple[Plan, str]] = {}
        last = self.files.segments.get(max(self.files.segments, default=0))
        self._position = last.position if last else None
        self._incident = next((each for each in self.files.incidents.values() if each.last is None), None)

    def write(self, plan: Plan, before: State, steps: Sequence[FoldStep]) -> None:
        """Write the steps that followed a state.

        Raises:
            OSError: when the disk refuses; `end` then ends the segment.
            PlanFormatError: when the plan cannot be written.
        """
        if before is not self._last or self._file is None or self._is_full():
            self._begin(plan, before)
        for step in steps:
            if self._redaction.breaks(before, step):
                self.end(None)
                self._miss(NOT_RECORDED)
                self._begin(plan, step.after)
            else:
                self._write_step(step)
            before = self._last = step.after
            self._follow(plan, step)

    def end(self, reason: str | None) -> None:
        """End the segment with the digest of its last state; with a ``reason``, what follows is not recorded."""
        if self._file is not None:
            file, self._file = self._file, None
            with file:
                if reason is None and self._last is not None:
                    self._put(file, RecordedState(self._digest(self._last)))
        self._last = None
        if reason is not None:
            self._miss(reason)

    def _is_full(self) -> bool:
        assert self._segment is not None  # noqa: S101 - there is one with the file
        age = self._recording.clock() - self._segment.time
        return self._segment.size >= MOST_SEGMENT_BYTES or age >= MOST_SEGMENT_SECONDS

    def _begin(self, plan: Plan, state: State) -> None:
        self.end(None)
        position = position_of(state)
        if self._position is not None and any(new > old for new, old in zip(position, self._position, strict=True)):
            self._miss(NOT_RECORDED)
        rows = dict(zip(state.scopes, state.compared.tolist(), strict=True))
        key, time = self._plan_key(plan), self._recording.clock()
        encoded = encode_state(self._redaction.state(state))
        has_columns = self._redaction.has_columns
        begin = SegmentBegin(
            encoded, key, time, position, rows, self._recording.versions, self._recording.host, has_columns
        )
        path = segment_path(self._folder, self.files.next_number)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._segment = SegmentFile(path, 0, time, rows, position)
        self._file = path.open("xb", buffering=0)
        self.files.segments[self._segment.number] = self._segment
        self._put(self._file, begin)
        self._last, self._position = state, position

    def _write_step(self, step: FoldStep) -> None:
        assert self._file is not None  # noqa: S101 - it was begun
        key = self._plan_key(step.item.plan) if isinstance(step.item, NewPlan) else ""
        self._position = position_of(step.after)
        self._put(self._file, RecordedInput(self._redaction.item(step.item), self._position, key))
        if step.moves:
            self._put(self._file, RecordedState(self._digest(step.after)))

    def _put(self, file: FileIO, entry: Entry) -> None:
        assert self._segment is not None  # noqa: S101 - it is the file's
        data = encode_entry(entry)
        if file.write(data) != len(data):
            raise OSError("the disk took a part of an entry")
        self._segment.size += len(data)
        self._segment.position = self._position or self._segment.position

    def _digest(self, state: State) -> str:
        return sha256(encode_state(self._redaction.state(state))).hexdigest()

    def _plan_key(self, plan: Plan) -> str:
        """The key of a plan, whose document is written once."""
        base = plan.base or plan
        if id(base) not in self._plan_keys:
            document = encode_plan(recorded_plan(base, has_columns=self._redaction.has_columns))
            path = self._folder / PLANS_FOLDER / f"{plan_key(document)}.json"
            if not path.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.write_bytes(document)
            self._plan_keys[id(base)] = base, plan_key(document)  # the plan is kept, so its number stays its own
        return self._plan_keys[id(base)][1]

    def _follow(self, plan: Plan, step: FoldStep) -> None:
        """Open, continue or close the incident, as the state says."""
        apart, incident = is_apart(step.after), self._incident
        assert self._segment is not None  # noqa: S101 - the step was written
        if incident is None:
            if not apart:
                return
            incident = self._opened(plan, step)
        elif not step.moves and apart:
            return
        incident = incident.with_moves(step.moves)
        if not apart:
            closed = step.moves[-1].time if step.moves else self._recording.clock()
            incident = replace(incident, closed=closed, last=self._segment.number)
        self._keep(incident)

    def _opened(self, plan: Plan, step: FoldStep) -> Incident:
        time = step.moves[0].time if step.moves else self._recording.clock()
        scope = step.moves[0].scope if step.moves else step.after.scopes[0]
        state = step.after
        rows = int(state.compared[state.scopes.index(scope)]) if scope in state.scopes else 0
        name = incident_id(self._model, time, self.files.incidents)
        return Incident(
            name, self._model, time, self.files.first_of_lead(scope, rows), advisory=not is_armed(plan, state)
        )

    def _miss(self, reason: str) -> None:
        if self._incident is not None:
            self._keep(self._incident.without(reason))

    def _keep(self, incident: Incident) -> None:
        self.files.incidents[incident.id] = incident
        self._incident = incident if incident.last is None else None
        write_incident(self._folder / INCIDENTS_FOLDER, incident)
