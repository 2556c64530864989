import numpy as np

from tests.support.judgement.compared_rows import table
from tightrope.service.adapters.archive.row_format import Table
from tightrope.shadow.drift_statistics import standings
from tightrope.shadow.page import Subject, head

rng = np.random.default_rng(3)
SUBJECT = Subject("credit", 1_769_860_800.0, "the first that were compared")


def tables(reference: Table, window: Table) -> str:
    """The page's tables."""
    return head(SUBJECT, reference, window, standings(reference, window))


def rows(shift: float = 0.0, *, time: float = 1_769_860_000.0) -> Table:
    """A thousand rows with an input that lies ``shift`` off."""
    inputs = {"income": rng.normal(shift, 1.0, 1000), "flat": np.zeros(1000)}
    return table(inputs, member={"sex=female": np.arange(1000) % 2}, time=time)


def test_figures_stand_beside_what_chance_gives() -> None:
    """And what a column has to exceed."""
    page = tables(rows(), rows(3.0))
    line = page[page.index("<td>income</td>") :].partition("</tr>")[0]
    assert "drifted" in line
    assert "<td>0.0180</td>" in line, "(10 - 1)(1/1000 + 1/1000)"


def test_it_says_why_a_column_is_not_tested() -> None:
    """A constant one, and how many there are."""
    page = tables(rows(), rows())
    assert "<td>flat</td><td></td><td></td><td></td><td><span class='quiet'>constant</span>" in page
    assert "columns are not tested; the tables say why." in page


def test_every_subgroup_has_a_line() -> None:
    """The model as a whole first; what could not be told is a dash."""
    page = tables(rows(), rows())
    assert page.index("<td>model</td><td>1000</td>") < page.index("<td>sex=female</td><td>500</td><td>500</td>")
    assert "<td>-</td>" in tables(rows(), table({"income": rng.normal(size=1000)}, member={"a=b": np.zeros(1000)}))


def test_it_says_what_is_compared_and_when_it_was() -> None:
    """Rows of traffic have times; golden rows have none."""
    page = tables(rows(time=0.0), rows())
    assert "credit: drift report of 2026-01-31 12:00:00 UTC" in page
    assert "1000 compared rows, from 2026-01-31 11:46:40 UTC to 2026-01-31 11:46:40 UTC." in page
    assert "Then: 1000 rows, the first that were compared.<" in page


def test_it_says_that_a_model_was_replaced_since() -> None:
    """Otherwise a new model would look like drift."""
    old, new = rows(), rows()
    replaced = Table(old.inputs, old.outcomes, old.member, ("b1", "c0"))
    assert "The compressed model's file is not the one of then" in tables(replaced, new)
    assert "not the one of then" not in tables(old, new)


def test_names_from_outside_are_text() -> None:
    """An input, a subgroup or a model may be called anything."""
    name = "<script>alert(1)</script>"
    page = tables(table({name: rng.normal(size=500)}), table({name: rng.normal(size=500)}, member={name: np.ones(500)}))
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2
