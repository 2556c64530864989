"""Facts about the models, plain and complete: the headlines are functions of them."""

from dataclasses import dataclass, field

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.api.overview.phrases import scope_parts, scope_title

FULL, SMALL = "full", "small"
"""The model that answers a scope: the full one is the baseline, the small one is compressed."""

WORTH_WATCHING = 0.75
"""The share of an alarm's evidence from which a scope is worth watching."""


@dataclass(frozen=True, slots=True)
class ScopeFacts:
    """Facts of a scope. ``answers`` is `FULL` or `SMALL`; ``own`` is False where it follows another scope or the
    configuration. ``evidence`` and ``share`` (of the requests, None: unknown) are shares; ``returns`` is True where a
    return is projected, False where none is, None where that is not known. ``finding`` is what is off, in words;
    ``why`` is why the full model answers, in a sentence. ``asked`` are the names of the classes of the whole model that
    are asked again of the full one where the small one says them.
    """

    scope: str
    answers: str = SMALL
    state: str = "normal"
    held: bool = False
    own: bool = True
    harmed: bool = False
    evidence: float = 0.0
    share: float | None = None
    returns: bool | None = None
    finding: str = ""
    why: str = ""
    asked: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The scope in one phrase."""
        return scope_title(self.scope)

    @property
    def name(self) -> str:
        """The scope's value."""
        return scope_parts(self.scope)[0]


@dataclass(frozen=True, slots=True)
class Freshness:
    """Facts of what is seen of a model: requests ``waiting`` to be judged for ``seconds``, the seconds since a judge
    was heard, and those after which the full model takes over (0: never).
    """

    waiting: int = 0
    seconds: float = 0.0
    heard_seconds: float = 0.0
    limit: float = 60.0


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts of a model. ``overlay`` is the reason for which the gateway sends all requests to the full model above the
    modes (empty: none), and ``distrusted``, ``unqualified``, ``starved``, ``unknown`` are others of that kind.
    ``trouble`` says of the full model that it "fails" or "is slow" now; ``capacity`` is the share of the fallback that
    it can bear. ``found`` are groups that are not declared and harmed; ``expires`` tells of a qualification that ends
    soon.
    """

    name: str
    everyone: ScopeFacts = field(default_factory=lambda: ScopeFacts(MODEL_SCOPE))
    groups: tuple[ScopeFacts, ...] = ()
    armed: bool = True
    compared: int = 1
    freshness: Freshness = field(default_factory=Freshness)
    overlay: str = ""
    blind: bool = False
    judge_missing: bool = False
    distrusted: str = ""
    unqualified: str = ""
    starved: bool = False
    unknown: bool = False
    trouble: str = ""
    capacity: float = 1.0
    found: tuple[str, ...] = ()
    expires: str = ""

    @property
    def moved(self) -> tuple[ScopeFacts, ...]:
        """The groups that the full model answers for a reason of their own."""
        return tuple(group for group in self.groups if group.answers == FULL and group.own)

    @property
    def near(self) -> tuple[ScopeFacts, ...]:
        """The scopes with almost the evidence of an alarm, most of it first."""
        scopes = [s for s in (self.everyone, *self.groups) if s.answers == SMALL and s.evidence >= WORTH_WATCHING]
        return tuple(sorted(scopes, key=lambda each: -each.evidence))
