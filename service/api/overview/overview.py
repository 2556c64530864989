"""The overview of all models, computed at most once a second however many look, and never on the request path.

How it works. Verdicts cost most, so those of each model are kept and computed anew once they are a second old, a tenth
of the time at most: a model whose verdicts take long has older ones. All else is collected anew once a second. One
caller computes while the others wait for its answer. The tag of an answer is a digest of it without its time: an answer
that has not changed is not sent again.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import json

from tightrope.monitors.verdict import Verdict
from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.adapters.ports import AuditTrail
from tightrope.service.api.overview import headlines
from tightrope.service.api.overview.documents import Overview
from tightrope.service.api.overview.models import MAX_CHECKED, DescribedModel, describe, model_card, model_entry
from tightrope.service.api.overview.sources import COUNTERS, SightReader, collect
from tightrope.service.api.overview.traffic import TrafficWindow
from tightrope.service.api.overview.trail import RecentTrail
from tightrope.service.api.ports import VerdictReader
from tightrope.service.inference.engine import InferenceEngine

OVERVIEW_SECONDS = 1.0
"""An answer this old is computed anew."""

DEFAULT_MODELS = 8
"""The models of a page."""

BUSY_SHARE = 0.1
"""The share of the time that verdicts may take."""


@dataclass(frozen=True, slots=True)
class TaggedAnswer:
    """The bytes of an answer, and its tag."""

    body: bytes
    tag: str


@dataclass(frozen=True, slots=True)
class _KeptVerdicts:
    verdicts: Sequence[Verdict]
    computed: float
    cost: float


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of models: one by name, or ``limit`` of them from ``offset`` on."""

    model: str | None
    offset: int
    limit: int


class OverviewReader:
    """Makes the overview. Safe to share between threads; ``clock`` is monotonic, ``now`` the wall clock (s).
    ``control`` tells whether orders are taken, ``cost`` what a model costs, in a sentence, ``incidents`` are
    those that are recorded, oldest first.
    """

    def __init__(
        self,
        engine: InferenceEngine,
        reader: VerdictReader,
        trail: AuditTrail,
        sight: SightReader,
        newest_report: Callable[[str], str | None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        *,
        control: bool = False,
        cost: Callable[[str], str] = str,
        incidents: Callable[[], Sequence[Incident]] = tuple,
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._trail = RecentTrail(trail)
        self._sight = sight
        self._newest_report = newest_report
        self._clock = clock
        self._now = now
        self._control = control
        self._cost = cost
        self._incidents = incidents
        self._lock = threading.Lock()
        self._window = TrafficWindow()
        self._verdicts: dict[str, _KeptVerdicts] = {}
        self._described: tuple[float, float, Sequence[DescribedModel]] = (float("-inf"), 0.0, ())
        self._answers: dict[_Page, tuple[float, TaggedAnswer]] = {}
        self._window.observe(engine.metrics.counts(*COUNTERS), clock())

    def answer(self, model: str | None = None, offset: int = 0, limit: int = DEFAULT_MODELS) -> TaggedAnswer:
        """The overview with the entry of one model, or of ``limit`` models from ``offset`` on, the worst first.

        Raises:
            UnknownModelError: when the model is not served here.
        """
        if model is not None:
            self._engine.pair(model)
        page = _Page(model, offset, limit)
        with self._lock:
            described_at, at, models = self._describe()
            made, answer = self._answers.get(page, (float("-inf"), None))
            if answer is None or made != described_at:
                answer = self._encode(page, models, at, answer)
                kept = {key: each for key, each in self._answers.items() if each[0] == described_at}
                self._answers = {**kept, page: (described_at, answer)}
            return answer

    def refresh_trail(self) -> None:
        """Read the newest events ahead of the first answer."""
        self._trail.lines()

    def document(self, models: Sequence[DescribedModel], page: _Page, at: float) -> Overview:
        """The overview at ``at``, seconds since the epoch."""
        first = headlines.describe_all([each.facts for each in models], [each.headline for each in models])
        chosen = [each for each in models if each.source.name == page.model]
        chosen = chosen or list(models[page.offset : page.offset + page.limit])
        incidents = self._incidents()
        return {
            "at": at,
            "level": first.level,  # type: ignore[typeddict-item]
            "headline": first.headline,
            "sentence": first.sentence,
            "control": self._control,
            "total": len(models),
            "cards": [model_card(each) for each in models],
            "models": [
                model_entry(
                    each,
                    self._newest_report(each.source.name),
                    self._cost(each.source.name),
                    [incident for incident in incidents if incident.model == each.source.name],
                )
                for each in chosen
            ],
        }

    def _encode(
        self, page: _Page, models: Sequence[DescribedModel], at: float, before: TaggedAnswer | None
    ) -> TaggedAnswer:
        document = self.document(models, page, at)
        body = json.encode(document)
        tag = hashlib.blake2b(body.partition(b",")[2], digest_size=12).hexdigest()
        return before if before is not None and before.tag == tag else TaggedAnswer(body, tag)

    def _describe(self) -> tuple[float, float, Sequence[DescribedModel]]:
        """All models, described within the last second: when, on both clocks, and the most urgent first."""
        clock = self._clock()
        if clock - self._described[0] < OVERVIEW_SECONDS:
            return self._described
        at, lines = self._now(), self._trail.lines()
        rates = self._window.observe(self._engine.metrics.counts(*COUNTERS), clock)
        models = [
            describe(
                collect(
                    self._engine,
                    self._reader,
                    self._sight,
                    pair,
                    self._current_verdicts(name),
                    [line for line in lines if line.model == name],
                    rates,
                    self._now,
                ),
                at,
            )
            for name, pair in self._engine.pairs.items()
        ]
        models.sort(key=_urgency)
        self._described = (clock, at, models)
        return self._described

    def _current_verdicts(self, model: str) -> Sequence[Verdict]:
        kept, clock = self._verdicts.get(model), self._clock()
        if kept is not None and clock - kept.computed < max(OVERVIEW_SECONDS, self._most_seconds()):
            return kept.verdicts
        verdicts = self._reader.leading_verdicts(model, MAX_CHECKED + 1)
        self._verdicts[model] = _KeptVerdicts(verdicts, clock, self._clock() - clock)
        return verdicts

    def _most_seconds(self) -> float:
        """The age of verdicts at which computing those of all models takes a tenth of the time."""
        return sum(each.cost for each in self._verdicts.values()) / BUSY_SHARE


def _urgency(model: DescribedModel) -> tuple[int, float]:
    return model.headline.rank, -max(entry["worst"] for entry in model.entries)
