from dataclasses import replace

from tests.support.statements import sample_cell
from tightrope.monitors.qualification.cells import NOT_SHOWN_OVER
from tightrope.monitors.records import Event
from tightrope.offline.card.blocks import CardTable, Sentence
from tightrope.offline.card.sources import CardSources, LiveEvents
from tightrope.offline.card.verdict_sections import (
    all_checks,
    criteria_section,
    first_of_scopes,
    for_whom,
    lead,
    live_harm,
)


def test_card_begins_with_the_verdict_and_the_harm_in_words(card_sources: CardSources) -> None:
    """Each sentence names the cells that it was made of."""
    found = [*lead(card_sources)]
    assert found[0].text.startswith("Proved harmful: of 3 checks 1 over the limit, 1 not proved, 1 within the limit")
    harm = "Of 1,000 in group quarters (residence) about 539 get another answer (at least 481; the limit is 100)."
    assert found[1] == Sentence(harm, ("q:cell 0",), "bad")
    assert found[2].text.startswith("It may not serve: verdict breach: residence=group_quarters")


def test_each_group_has_its_verdict_and_the_check_nearest_to_its_limit(card_sources: CardSources) -> None:
    """Harm goes before doubt, doubt before proof; the whole model stands first."""
    table = for_whom(card_sources).blocks[0]
    assert isinstance(table, CardTable)
    assert [(row.cells[:3], row.sources) for row in table.rows] == [
        (("everybody", "proved", "disagreement"), ("q:cell 2",)),
        (("group quarters (residence)", "harmful", "disagreement"), ("q:cell 0",)),
        (("institution (race)", "not proved", "disagreement"), ("q:cell 1",)),
    ]


def test_check_that_was_only_not_refuted_is_not_called_proved(card_sources: CardSources) -> None:
    """Neither among the groups nor among the checks."""
    cells = card_sources.predicate.result.cells
    cells[:] = [sample_cell(), sample_cell(criterion="accuracy", note=NOT_SHOWN_OVER)]
    table, every = for_whom(card_sources).blocks[0], all_checks(card_sources).blocks[0]
    assert isinstance(table, CardTable)
    assert table.rows[0].cells[1] == "proved (accuracy: not shown to be over)"
    assert isinstance(every, CardTable)
    assert [row.cells[2] for row in every.rows] == ["within the limit", NOT_SHOWN_OVER]


def test_only_the_first_cell_of_a_scope_is_said() -> None:
    """A group is named once."""
    cells = [(1, sample_cell(scope="a=b")), (2, sample_cell()), (3, sample_cell(scope="a=b"))]
    assert [index for index, _ in first_of_scopes(cells)] == [1, 2]


def test_limits_are_told_with_their_meaning(card_sources: CardSources) -> None:
    """And with the digest that fixed them."""
    _, table, digest = criteria_section(card_sources).blocks
    assert isinstance(table, CardTable)
    assert ("disagreement", "how many get another answer", "0.07", "0.1", "-", "-") in [row.cells for row in table.rows]
    assert isinstance(digest, Sentence)
    assert digest.text.endswith("ab" * 32)


def test_alarms_while_serving_are_told_by_their_numbers(card_sources: CardSources) -> None:
    """Events that could not be read are not taken for none."""
    assert live_harm(card_sources).blocks == [Sentence("Not known: no event is in the state folder.")]
    event = Event("1", 0.0, "m", "breach", "model", "judge", "disagreement 0.2", {"armed": False})
    _, table, where, asked = live_harm(replace(card_sources, live=LiveEvents([(4711, event)], 4712))).blocks
    assert isinstance(table, CardTable)
    assert (table.rows[0].sources, table.rows[0].cells[0]) == (("e:4711",), "1970-01-01 00:00:00 UTC")
    assert isinstance(where, Sentence)
    assert (table.rows[0].cells[3], "/v1/models/m/incidents/ and its last column" in where.text) == ("0.0", True)
    assert isinstance(asked, Sentence)
    assert asked.sources == ("e:4712",)
    quiet, _ = live_harm(replace(card_sources, live=LiveEvents((), 9))).blocks
    assert quiet == Sentence("No fallback of this model is recorded.")
