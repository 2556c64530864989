"""Knowledge of a model that outlives its plan.

How it works. A plan names the scopes and monitors of one configuration and the digests of one pair of artefacts. A
state that moves to another plan loses none of these: modes of scopes that the plan no longer has (``orphans``),
monitors that sent a scope to safe mode and were switched off (``disabled``), what was learnt about earlier pairs
(``pairs``), and the settings of judgement (``settings``), so that a change of them can be told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from tightrope.monitors.safemode import Mode, ModeState

MAX_PAIRS = 16
"""The number of artefact pairs that are remembered, the newest."""

MAX_ORDERS = 256
"""The number of orders that are remembered, the newest."""

BEFORE_MARK = "@before"
"""The end of the name of an orphan whose scope has another definition now."""

Definition: TypeAlias = Mapping[str, object]
"""The rows of a scope: the ``source`` of its attribute, and the ``codes`` of its value."""

SEVERAL: Definition = {"source": None, "codes": None}
"""The definition of rows that were gathered from several."""

STRICTNESS = (ModeState.NORMAL, ModeState.SAFE, ModeState.LATCHED)
"""The states by how much they take to end."""


@dataclass(frozen=True, slots=True)
class ScopeRecord:
    """A scope's mode, the names of the monitors that breached in it, and the definition of its rows; None is unknown.

    >>> ScopeRecord(Mode(ModeState.LATCHED)).join(ScopeRecord(monitors=("disagreement",))).mode.state
    <ModeState.LATCHED: 'latched'>
    """

    mode: Mode = field(default_factory=Mode)
    monitors: tuple[str, ...] = ()
    definition: Definition | None = None

    @property
    def relevant(self) -> bool:
        """Whether the mode differs from that of a scope without a history."""
        return self.mode.apart or self.mode.held or self.mode.flaps > 0

    @property
    def harmed(self) -> bool:
        """Whether evidence speaks against the compressed model."""
        return self.mode.apart and bool(self.monitors)

    def join(self, other: "ScopeRecord") -> "ScopeRecord":
        """Return the record of a scope that takes over both: the stricter mode, and the monitors of both."""
        strict, mild = sorted((self.mode, other.mode), key=_strictness, reverse=True)
        if mild.safe:  # a trial asks for less evidence, so both must be on trial
            strict = replace(strict, trial=strict.trial and mild.trial)
        dwelling = strict.state is ModeState.SAFE and (strict.dwelling or mild.dwelling)
        mode = replace(
            strict,
            dwelling=dwelling,
            flaps=max(strict.flaps, mild.flaps),
            returned=max(strict.returned, mild.returned),
            unread=strict.unread or mild.unread,
            withheld=strict.withheld or mild.withheld,
        )
        definitions = [each for each in (self.definition, other.definition) if each is not None]
        definition = definitions[0] if definitions and definitions[0] == definitions[-1] else SEVERAL
        monitors = tuple(dict.fromkeys(self.monitors + other.monitors))
        return ScopeRecord(mode, monitors, definition if definitions else None)


def _strictness(mode: Mode) -> tuple[int, bool, float]:
    """Rank a mode: the state first; a hold is stricter in safe mode, and weaker in normal mode."""
    return STRICTNESS.index(mode.state), mode.held == mode.safe, mode.since


@dataclass(frozen=True, slots=True)
class PairRecord:
    """The scopes that a pair of artefacts harmed.

    >>> PairRecord("b", "c", {"model": ScopeRecord()}).pair
    ('b', 'c')
    """

    baseline_digest: str
    compressed_digest: str
    harmed: Mapping[str, ScopeRecord]

    @property
    def pair(self) -> tuple[str, str]:
        """Both digests."""
        return self.baseline_digest, self.compressed_digest


@dataclass(frozen=True, slots=True)
class Retained:
    """Knowledge that outlives a plan, as explained above; the newest of ``pairs`` is the last.

    ``settings`` maps the dotted name of each setting of judgement to its value in JSON types; empty where unknown.
    ``orders`` are the ids of the orders that were carried out: a copy of one is refused. ``statement`` is the digest of
    the latest statement of qualification: what it withheld is not withheld again.

    >>> sorted(Retained(orphans={"sex=f": ScopeRecord(Mode(ModeState.LATCHED))}).unmapped)
    ['sex=f']
    """

    orphans: Mapping[str, ScopeRecord] = field(default_factory=dict)
    disabled: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pairs: tuple[PairRecord, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    orders: tuple[str, ...] = ()
    statement: str = ""

    @property
    def unmapped(self) -> Mapping[str, ScopeRecord]:
        """The orphans in safe mode: a person has to map them to a scope, or drop them."""
        return {scope: record for scope, record in self.orphans.items() if record.mode.safe}

    def recall(self, pair: tuple[str, str]) -> PairRecord | None:
        """Return what is known of a pair, if anything."""
        return next((record for record in self.pairs if record.pair == pair), None)

    def remember(self, record: PairRecord) -> "Retained":
        """Return this with a pair as the newest."""
        others = [other for other in self.pairs if other.pair != record.pair]
        return replace(self, pairs=(*others, record)[-MAX_PAIRS:])

    def note_order(self, order: str) -> "Retained":
        """Return this with an order that was carried out as the newest."""
        return replace(self, orders=(*self.orders, order)[-MAX_ORDERS:])


def changed_settings(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Return the old and the new value of each setting that differs, None where it is missing.

    >>> changed_settings({"mode": "armed"}, {"mode": "advisory"})
    {'mode': {'before': 'armed', 'after': 'advisory'}}
    """
    return {
        name: {"before": before.get(name), "after": after.get(name)}
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


def is_redefined(before: Definition | None, after: Definition | None) -> bool:
    """Tell whether rows that were in a scope by the one definition may not be by the other; None is unknown.

    >>> one, more = (scope_definition("sex=f", {"subgroups.sex.values.f": codes}) for codes in ([0], [0, 2]))
    >>> is_redefined(one, more), is_redefined(more, one)
    (False, True)
    """
    if before is None or after is None or before == after:
        return False
    old, new = before["codes"], after["codes"]
    wider = isinstance(old, list) and isinstance(new, list) and set(old) <= set(new)
    return before["source"] != after["source"] or not wider


def scope_definition(scope: str, settings: Mapping[str, object]) -> Definition | None:
    """Return the source of a subgroup's attribute and the codes of its value; None where the settings have neither.

    All values together define the rows without a declared one.
    """
    attribute, _, value = scope.partition("=")
    prefix = f"subgroups.{attribute}."
    source = {name: setting for name, setting in settings.items() if name.startswith(prefix)}
    codes = {name: source.pop(name) for name in list(source) if name.startswith(f"{prefix}values")}
    source.pop(f"{prefix}otherwise", None)
    listed = codes.get(f"{prefix}values")
    if isinstance(listed, list):  # the caller sends the value
        return {"source": source, "codes": [value] if value in listed else {"besides": listed}}
    return {"source": source, "codes": codes.get(f"{prefix}values.{value}", codes)} if codes else None
