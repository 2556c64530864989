from dataclasses import replace

import msgspec
import pytest

from tests.support.statements import NOW
from tightrope.offline.card import fact_sections
from tightrope.offline.card.blocks import CardSection, CardTable
from tightrope.offline.card.making import MadeBy
from tightrope.offline.card.sources import CardSources
from tightrope.offline.statements.opinion import new_opinion
from tightrope.service.config.qualification import CardOptions
from tightrope.service.statements.opinions import HeldOpinion


def texts(section: CardSection) -> list[str]:
    """Each sentence, and each row of a table, of a section."""
    found: list[str] = []
    for block in section.blocks:
        found += [" | ".join(row.cells) for row in block.rows] if isinstance(block, CardTable) else [block.text]
    return found


def test_recipe_is_told_or_not_told(card_sources: CardSources) -> None:
    """Nothing is guessed from the file."""
    assert texts(fact_sections.what_changed(card_sources))[-1].startswith("How it was compressed is not told: there is")
    known = replace(card_sources, making=MadeBy("ab", {"bits": 8, "per_channel": True}, {"onnx": "1.19"}))
    found = texts(fact_sections.what_changed(known))[2:]
    assert found == ["bits | 8", "per_channel | true", "onnx | 1.19", "Made from: not told."]


def test_costs_name_how_they_were_measured(card_sources: CardSources) -> None:
    """Both models, with units; what was not measured is not told."""
    measured = msgspec.structs.replace(
        card_sources.predicate.measured,
        latency={"cliff": {"baseline": 3.0}, "p50": {"baseline": 5.5e-05, "compressed": 3.9e-05}},
        file_bytes={"compressed": 27082.0},
        energy={
            "joules_per_row": None,
            "cpu_seconds_per_row": {"compressed": 1e-5, "baseline": 2e-5},
            "how": "by hand",
        },
    )
    statement = card_sources.signed.statement
    predicate = msgspec.structs.replace(statement.predicate, measured=measured)
    signed = replace(card_sources.signed, statement=msgspec.structs.replace(statement, predicate=predicate))
    assert texts(fact_sections.costs_section(replace(card_sources, signed=signed))) == [
        "time of a row, half of them at most | 39 µs | 55 µs",
        "that time under load as a multiple of the time alone | not told | 3 x",
        "size of the files | 27.1 kB | not told",
        "memory of a process that loads it | not told | not told",
        "from a fresh process to the first answer | not told | not told",
        "processor time of a row | 10 µs | 20 µs",
        "Time: one row a call, both models in turn in one process. Energy: by hand.",
    ]


def test_hosts_and_data_say_what_cannot_be_checked(card_sources: CardSources) -> None:
    """A statement without golden answers checks no other host."""
    assert texts(fact_sections.hosts_section(card_sources))[1].startswith("There are no golden answers")
    assert "No earlier attempt on these rows is recorded." in texts(fact_sections.data_section(card_sources))


@pytest.mark.parametrize("contact", ["ml@example.org", None])
def test_opinions_stand_with_their_notes_beside_the_contact(card_sources: CardSources, contact: str | None) -> None:
    """A dissent is told with its reason, in full."""
    note = "no " * 200
    held = HeldOpinion("owner", 0, "bo", new_opinion("owner", note, NOW, dissents=True, serve=False))
    examination = replace(card_sources.examination, opinions=[held])
    options = CardOptions(contact=contact)
    sources = replace(card_sources, examination=examination, opinions=["cd" * 32], options=options)
    found = texts(fact_sections.people_section(sources))
    assert found[1] == f"bo | owner | dissents | 2026-11-29 | {note}"
    assert found[2] == f"To contest an answer: {contact or 'no contact is named'}."
    assert texts(fact_sections.people_section(card_sources))[1] == "No opinion is signed by a listed key."


def test_payloads_are_listed_by_their_digests(card_sources: CardSources) -> None:
    """Every kind of source that a figure may name."""
    sources = replace(card_sources, making=MadeBy("ab" * 32), opinions=["cd" * 32])
    (table,) = [block for block in fact_sections.sources_section(sources).blocks if isinstance(block, CardTable)]
    assert [row.cells[0] for row in table.rows] == ["q", "m", "a", "c"]
    assert table.rows[0].cells[2] == card_sources.signed.digest


def test_scenarios_are_told_or_not_measured(card_sources: CardSources) -> None:
    """Figures that another program wrote and that cannot be read are no figures."""
    assert texts(fact_sections.stress_section(card_sources))[0].startswith("Not measured: ")
    scenarios = card_sources.predicate.measured.scenarios
    scenarios["blur"] = {"reason": "not measured: time"}
    scenarios["groups"] = {"boundary": [], "disparity": {"residence=group_quarters": 0.527}}
    assert texts(fact_sections.stress_section(card_sources)) == [
        "Groups: group quarters (residence) differs +52.7 points from all others.",
        "blur | not measured: time",
    ]
    scenarios["probe"] = 3
    assert texts(fact_sections.stress_section(card_sources)) == ["The figures of scenarios cannot be read."]
