"""Slots: when they are chosen, what they skip, and that their evidence is that of a detector that starts then."""

from dataclasses import replace

import numpy as np
import pytest

from tightrope.monitors.catalogue import SLOT_SHARE, SLOTS
from tightrope.monitors.detector import Bernoulli, advance
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.hunter.evidence import LOSS_UNITS, slice_test
from tightrope.monitors.hunter.findings import FoundGroup
from tightrope.monitors.hunter.fold import TickRows, search_tick
from tightrope.monitors.hunter.lattice import Lattice
from tightrope.monitors.hunter.past_rows import PastRows
from tightrope.monitors.hunter.search import Search, SearchPlan
from tightrope.monitors.hunter.slots import with_slots_of
from tightrope.monitors.records import Bools, Ints

COLUMNS, VALUES = 6, 2
INPUTS = tuple(InputColumn("x", index, f"column {index}") for index in range(COLUMNS))
PREDICATES = [(column, float(value), float(value)) for column in range(COLUMNS) for value in range(VALUES)]
SCOPES = ("sex=f",)
DECLARED = (COLUMNS + 2, 1.0, 1.0)
LATTICE = replace(Lattice.of([*PREDICATES, DECLARED], [], 0.1), is_complete=True)
"""A lattice that holds no slice, so that all slices that alarm are slots."""

PLAN = SearchPlan(INPUTS, SCOPES, 0.1, LATTICE)
NEVER = 600.0
TRIPLE = ((0, 1.0, 1.0), (1, 1.0, 1.0), (2, 1.0, 1.0))


def tick_of(number: int, codes: Ints, lost: Bools, *, member: Bools | None = None, settles: bool = True) -> TickRows:
    """A tick of rows with these codes (n, 6), each a step of its own."""
    rows = len(codes)
    own = np.zeros(rows) if member is None else member
    vectors = np.column_stack([codes, np.full((rows, 2), np.nan), own]).astype(np.float64)
    alone, end = np.zeros(rows, dtype=bool), 64 * (number + 1)
    return TickRows(vectors, lost * LOSS_UNITS, np.arange(rows), alone, rows, float(end), end, settles)


def ticks(number: int, *, seed: int = 0, harmed: float = 0.9, first: int = 0) -> list[TickRows]:
    """Ticks of random codes; rows with a 1 in three columns, by default the first ones, are harmed."""
    rng, made = np.random.default_rng(seed), []
    for each in range(number):
        codes = rng.integers(0, VALUES, (64, COLUMNS))
        own = (codes[:, first : first + 3] == 1).all(axis=1)
        made.append(tick_of(each, codes, rng.random(64) < np.where(own, harmed, 0.01)))
    return made


def folded(made: list[TickRows], *, plan: SearchPlan = PLAN, log_samples: float = NEVER) -> Search:
    """The search after ticks; nothing alarms by default."""
    search = Search.fresh(plan)
    for each in made:
        search = search_tick(search, plan, each, log_samples)
    return search


def slots_of(search: Search) -> list[tuple[tuple[int, float, float], ...]]:
    """The predicates of the slots."""
    assert search.lattice is not None
    return [search.lattice.predicates(index) for index in range(search.lattice.fixed, len(search.lattice))]


def test_slots_are_chosen_after_256_rows_and_twice_as_many_each_time() -> None:
    """And at no other time."""
    search, chosen = Search.fresh(PLAN), []
    for each in ticks(34):
        after = search_tick(search, PLAN, each, NEVER)
        if after.lattice is not search.lattice:
            chosen.append(after.rows)
        search = after
    assert chosen == [256, 512, 1_024, 2_048]
    assert TRIPLE in slots_of(search)
    assert len(slots_of(search)) <= SLOTS


def test_mass_of_a_slot_is_that_of_a_detector_that_starts_when_it_is_chosen() -> None:
    """It has an eighth of the share of the slots, and none of the rows by which it was chosen."""
    made, bernoulli = ticks(40), Bernoulli.above(0.1)
    search, started, log_mass = Search.fresh(PLAN), False, np.full(6, -np.inf)
    for each in made:
        if started:
            own = (each.vectors[:, :3] == 1).all(axis=1)
            ones = float((own & (each.units > 0)).sum())
            log_mass = advance(log_mass, SLOT_SHARE / SLOTS * 64, bernoulli.log_e(own.sum(), ones))
        search = search_tick(search, PLAN, each, NEVER)
        started = started or TRIPLE in slots_of(search)
    assert search.lattice is not None
    index = search.lattice.fixed + slots_of(search).index(TRIPLE)
    assert np.log(search.mass[:, index]) == pytest.approx(log_mass, abs=1e-9)
    evidence = slice_test(search.lattice).evidence(search.mass)[index]
    assert evidence == pytest.approx(float(bernoulli.evidence(log_mass)), abs=1e-9)
    assert evidence > 100


def test_finding_of_a_slot_tells_the_rows_since_the_beginning() -> None:
    """Its share and its beginning are those of all rows, not of those since it was chosen."""
    sound, harmed = ticks(6, harmed=0.01), [*ticks(34, seed=1)]
    later = [replace(each, row=each.row + 384, time=each.time + 384) for each in harmed]
    search = folded([*sound, *later], log_samples=19.6)
    (finding,) = search.findings
    assert {*finding.predicates} <= {*TRIPLE}
    assert 512 < finding.row < 1_300
    assert finding.since_row == pytest.approx(384, abs=128)
    assert finding.share == pytest.approx(0.5 ** len(finding.predicates), abs=0.05)
    assert finding.model_rows == 40 * 64
    assert not slots_of(replace(search, findings=()).anew())


def test_alarm_chooses_slots_anew() -> None:
    """From the rows to come, as all slices start anew."""
    search, found = Search.fresh(PLAN), 0
    for each in ticks(40):
        search = search_tick(search, PLAN, each, 19.6)
        if search.found > found:
            found = search.found
            assert slots_of(search) == []
            assert len(search.past) == search.rows == 0
    assert found == 1


def test_slice_that_stays_keeps_its_evidence() -> None:
    """A new one, of rows that are harmed later, starts without any."""
    made, search = [*ticks(8), *ticks(8, first=3)], Search.fresh(PLAN)
    for each in made[:-1]:
        search = search_tick(search, PLAN, each, NEVER)
    after = search_tick(search, PLAN, made[-1], NEVER)
    assert after.rows == 1_024
    kept, new = {*slots_of(search)} & {*slots_of(after)}, {*slots_of(after)} - {*slots_of(search)}
    assert TRIPLE in kept
    assert after.mass[:, slots_of(after).index(TRIPLE)].min() > 0
    assert new
    for each in new:
        assert not after.mass[:, slots_of(after).index(each)].any()


def test_slots_hold_what_the_lattice_does_not() -> None:
    """A slice that the lattice holds would only take a place."""
    number = LATTICE.predicate_numbers()
    held = [(number[TRIPLE[0]],), (number[TRIPLE[0]], number[TRIPLE[1]])]
    lattice = replace(Lattice.of([*PREDICATES, DECLARED], held, 0.1), is_complete=True)
    search = folded(ticks(8), plan=replace(PLAN, reference=lattice))
    assert TRIPLE in slots_of(search)
    assert TRIPLE[:2] not in slots_of(search)
    assert TRIPLE[:2] in slots_of(folded(ticks(8)))


def test_declared_subgroup_is_no_slot() -> None:
    """One with nearly the rows of the harmed slice is watched already."""

    def declared(each: TickRows) -> TickRows:
        own = (each.vectors[:, :3] == 1).all(axis=1)
        return replace(each, vectors=np.column_stack([each.vectors[:, :-1], own]))

    assert TRIPLE not in slots_of(folded([declared(each) for each in ticks(8)]))


def test_found_group_is_no_slot() -> None:
    """Its rows do not count either."""
    found = FoundGroup(1, TRIPLE, 0.1, 64, 64.0, 0, 0.0, 20.0, 0.0, 0.0)
    search = replace(Search.fresh(PLAN), findings=(found,))
    for each in ticks(16):
        search = search_tick(search, PLAN, each, NEVER)
    assert slots_of(search) == []
    assert (search.past.units < 0).sum() == search.findings[0].rows > 0


def test_slots_are_chosen_at_the_end_of_a_window() -> None:
    """The rows of an open one belong together with those that chose the slice."""
    plan, search = PLAN, Search.fresh(PLAN).in_unit(64)
    for each in ticks(5):
        search = search_tick(search, plan, replace(each, settles=False), NEVER)
    assert slots_of(search) == []
    assert len(search.past) == 320
    search = search_tick(search, plan, ticks(6)[-1], NEVER)
    assert TRIPLE in slots_of(search)


def test_slots_outlive_a_new_lattice() -> None:
    """Those whose predicates it has, and which it does not hold, with their past rows."""
    search = folded(ticks(8))
    before = search.lattice
    assert before is not None
    kept = [each for each in PREDICATES if each[0] <= 2][::-1]
    other = Lattice.of(kept, [], 0.1)
    assert {*_predicates(with_slots_of(before, other, 0.1))} == {
        tuple(sorted(each, key=kept.index)) for each in slots_of(search) if all(one in kept for one in each)
    }
    holding = Lattice.of(kept, [tuple(sorted(kept.index(each) for each in TRIPLE))], 0.1)
    assert all({*each} != {*TRIPLE} for each in _predicates(with_slots_of(before, holding, 0.1)))


def _predicates(lattice: Lattice) -> list[tuple[tuple[int, float, float], ...]]:
    return [lattice.predicates(index) for index in range(lattice.fixed, len(lattice))]


def test_search_can_be_without_slots() -> None:
    """Its evidence is that of another plan."""
    plan = replace(PLAN, slots=False)
    search = folded(ticks(8), plan=plan)
    assert slots_of(search) == []
    assert len(search.past) == 0
    assert plan.key != PLAN.key


def alarms(plan: SearchPlan, samples: float, *, number: int) -> tuple[int, float]:
    """The alarms of ticks in which every slice is at its limit, and the number that is promised to the slots; a found
    group is forgotten at once.
    """
    rng, search = np.random.default_rng(3), Search.fresh(plan)
    for each in range(number):
        codes = rng.integers(0, VALUES, (64, COLUMNS))
        search = search_tick(search, plan, tick_of(each, codes, rng.random(64) < plan.limit), float(np.log(samples)))
        search = replace(search, findings=())
    return search.found, SLOT_SHARE * 64 * number / samples


def test_false_alarms_of_slots_keep_the_promise() -> None:
    """Over all slots and all that was ever chosen for them."""
    found, promised = alarms(PLAN, 5.0, number=1_000)
    assert 0 < found <= promised


def test_no_past_rows_is_the_beginning() -> None:
    """The state before the first row."""
    assert len(Search.fresh(PLAN).past) == 0
    assert Search.fresh(PLAN).past.next_look == PastRows().next_look
