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
    append_entry,
    position_of,
)
from tightrope.service.adapters.journal.incident import (
    INCIDENTS_FOLDER,
    Incident,
    incident_id,
    is_apart,
    write_incident,
)
from tightrope.service.adapters.journal.lead import JournalStep, Lead
from tightrope.service.adapters.journal.plan_codec import encode_plan, plan_key
from tightrope.service.adapters.journal.redaction import PlanRedaction, Redaction, recorded_plan
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
    """Where and how a process records: the clock in seconds since the epoch, its versions, and its host. Only incidents
    are written where there is a ``lead`` for what comes before one, in bytes of memory of each model.
    """

    clock: Callable[[], float]
    versions: Mapping[str, str]
    host: str
    lead: int = 0


class ModelJournal:
    """Writes one model's record. ``files`` are those of its folder."""

    def __init__(self, folder: Path, model: str, redaction: Redaction, recording: Recording) -> None:
        self.files = RecordedFiles(folder)
        self._folder, self._model = folder, model
        self._redaction, self._recording = redaction, recording
        self._contents: PlanRedaction | None = None
        self._redacted_plan: Plan | None = None
        self._file: FileIO | None = None
        self._segment: SegmentFile | None = None
        self._last: State | None = None
        self._known: tuple[State, PlanRedaction, bytes] | None = None
        self._lead, self._first = Lead(recording.lead), 0
        self._plan_keys: dict[int, tuple[Plan, str]] = {}
        last = self.files.segments.get(max(self.files.segments, default=0))
        self._position = last.position if last else None
        self._incident = next((each for each in self.files.incidents.values() if each.last is None), None)

    def write(self, plan: Plan, before: State, steps: Sequence[FoldStep]) -> None:
        """Write the steps that followed a state, or keep them in memory while no incident needs them.

        Raises:
            OSError: when the disk refuses; `end` then ends the segment.
            PlanFormatError: when the plan cannot be written.
        """
        for step in steps:
            if self._recording.lead and self._incident is None and not is_apart(step.after):
                self._keep_in_memory(plan, before, step)
            else:
                self._write_lead(before, step)
                self._write(plan, before, step)
            before = step.after

    def _keep_in_memory(self, plan: Plan, before: State, step: FoldStep) -> None:
        if self._file is not None:
            self.end(None)  # of the incident before
            self._known = None
        contents = self._redacted(plan)
        if contents.breaks(before, step):
            self._lead.clear()
        else:
            after = step.after if step.moves else None
            kept = JournalStep(contents.without_columns(step.item), position_of(step.after), after)
            self._lead.add(plan, before, step.after, kept)

    def _write_lead(self, before: State, step: FoldStep) -> None:
        """Write the inputs that led to this step, before the first one of an incident."""
        if self._file is not None or not self._recording.lead:
            return
        self._first = self.files.next_number
        for part in self._lead.take(before, step.moves[0].scope if step.moves else before.scopes[0]):
            self._begin(part.plan, part.before)
            for each in part.steps:
                self._write_step(each)
            self._last = part.after

    def _write(self, plan: Plan, before: State, step: FoldStep) -> None:
        if before is not self._last or self._file is None or self._is_full() or self._changes_contents(plan):
            self._begin(plan, before)
        if self._redacted(plan).breaks(before, step):
            self.end(None)
            self._miss(NOT_RECORDED)
            self._begin(plan, step.after)
        else:
            self._write_step(JournalStep(step.item, position_of(step.after), step.after if step.moves else None))
        self._last = step.after
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
            self._lead.clear()
            self._miss(reason)

    def _changes_contents(self, plan: Plan) -> bool:
        """Whether another plan has other columns: the digests of one segment are all of the same contents."""
        return self._contents is None or not self._contents.columns.is_same(self._redacted(plan).columns)

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
        self._contents = contents = self._redacted(plan)
        encoded, own = self._encoded(state), self._recording
        left_out = self._redaction.document()
        begin = SegmentBegin(encoded, key, time, position, rows, own.versions, own.host, contents.has_columns, left_out)
        path = segment_path(self._folder, self.files.next_number)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._segment = SegmentFile(path, 0, time, rows, position)
        self._file = path.open("xb", buffering=0)
        self.files.segments[self._segment.number] = self._segment
        self._put(self._file, begin)
        self._last, self._position = state, position

    def _write_step(self, step: JournalStep) -> None:
        assert self._file is not None  # noqa: S101 - it was begun
        assert self._contents is not None  # noqa: S101 - as the file was
        key = self._plan_key(step.item.plan) if isinstance(step.item, NewPlan) else ""
        self._position = step.position
        ids = self._contents.id_column(step.item)
        self._put(self._file, RecordedInput(self._contents.item(step.item), step.position, key, ids))
        if step.digested is not None:
            self._put(self._file, RecordedState(self._digest(step.digested)))

    def _put(self, file: FileIO, entry: Entry) -> None:
        assert self._segment is not None  # noqa: S101 - it is the file's
        self._segment.size += append_entry(file, entry)
        self._segment.position = self._position or self._segment.position

    def _digest(self, state: State) -> str:
        return sha256(self._encoded(state)).hexdigest()

    def _encoded(self, state: State) -> bytes:
        """A state as it is recorded. The last one of a segment is mostly the first one of the next."""
        assert self._contents is not None  # noqa: S101 - a segment was begun
        known = self._known
        if known is None or known[0] is not state or known[1] is not self._contents:
            self._known = known = state, self._contents, encode_state(self._contents.state(state))
        return known[2]

    def _redacted(self, plan: Plan) -> PlanRedaction:
        """The contents of the record while a plan judges."""
        base = plan.base or plan
        if self._redacted_plan is not base:
            self._redacted_plan, self._plan_contents = base, self._redaction.of(base)
        return self._plan_contents

    def _plan_key(self, plan: Plan) -> str:
        """The key of a plan, whose document is written once."""
        base = plan.base or plan
        if id(base) not in self._plan_keys:
            document = encode_plan(recorded_plan(base, has_columns=self._redacted(base).has_columns))
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
        first = max(self._first, self.files.first_of_lead(scope, rows))
        opened = Incident(name, self._model, time, first, artefact=plan.compressed_digest)
        return replace(opened, advisory=not is_armed(plan, state))

    def _miss(self, reason: str) -> None:
        if self._incident is not None:
            self._keep(self._incident.without(reason))

    def _keep(self, incident: Incident) -> None:
        self.files.incidents[incident.id] = incident
        self._incident = incident if incident.last is None else None
        write_incident(self._folder / INCIDENTS_FOLDER, incident)
