import re
from dataclasses import replace

import pytest

from tests.support.statements import NOW
from tightrope.offline.card.blocks import CardTable
from tightrope.offline.card.content import build_card, stamped_time
from tightrope.offline.card.sources import CardSources
from tightrope.service.config.qualification import CardOptions


def test_every_figure_names_its_source(card_sources: CardSources) -> None:
    """Each sentence and each row with a digit, but for the list of the sources itself."""
    content = build_card(card_sources)
    for block in [*content.lead, *(block for section in content.sections[:-1] for block in section.blocks)]:
        if isinstance(block, CardTable):
            assert all(row.sources for row in block.rows)
        else:
            assert block.sources or not re.search(r"\d", block.text), block.text


def test_equal_sources_give_an_equal_card(card_sources: CardSources) -> None:
    """The stamp has all that is needed to make it again, and nothing that ends a comment."""
    assert build_card(card_sources) == build_card(card_sources)
    odd = build_card(replace(card_sources, model="a--><b"))
    assert re.search(r"-|<|>", odd.stamp) is None


def test_front_matter_names_license_and_base_model_only_if_told(card_sources: CardSources) -> None:
    """The file of the baseline stands for its name on a hub."""
    front = build_card(card_sources).front
    assert (front.license, front.base_model) == (None, "baseline.onnx")
    assert front.metrics == [("disagreement", "disagreement, compressed against uncompressed", 0.00625, "q:cell 2")]
    options = CardOptions(license="apache-2.0", base_model="org/base")
    named = build_card(replace(card_sources, options=options)).front
    assert (named.license, named.base_model) == ("apache-2.0", "org/base")


def test_time_of_a_stamp_has_an_offset() -> None:
    """A time without one means another moment elsewhere."""
    assert stamped_time(NOW.isoformat()) == NOW
    with pytest.raises(ValueError, match="offset"):
        stamped_time("2026-11-30T00:00:00")
