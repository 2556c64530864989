import numpy as np

from tests.support.judgement.compared_rows import table
from tightrope.service.adapters.archive.row_format import RowTable
from tightrope.shadow.drift_statistics import scope_drifts
from tightrope.shadow.page import ReportSubject, render_tables

rng = np.random.default_rng(3)
SUBJECT = ReportSubject("credit", 1_769_860_800.0, "the first that were compared")


def tables(reference: RowTable, window: RowTable) -> str:
    """Render the tables for these two samples."""
    return render_tables(SUBJECT, reference, window, scope_drifts(reference, window))


def rows(shift: float = 0.0, *, time: float = 1_769_860_000.0) -> RowTable:
    """A thousand rows whose input has mean ``shift``."""
    inputs = {"income": rng.normal(shift, 1.0, 1000), "flat": np.zeros(1000)}
    return table(inputs, member={"sex=female": np.arange(1000) % 2}, time=time)


def test_psi_is_shown_beside_its_expectation() -> None:
    """The row of a column has PSI, expectation and alarm."""
    page = tables(rows(), rows(3.0))
    line = page[page.index("<td>income</td>") :].partition("</tr>")[0]
    assert "drifted" in line
    assert "<td>0.0180</td>" in line, "(10 - 1)(1/1000 + 1/1000)"


def test_untested_column_has_its_reason() -> None:
    """The table says "constant"; the summary counts the untested columns."""
    page = tables(rows(), rows())
    assert "<td>flat</td><td></td><td></td><td></td><td><span class='quiet'>constant</span>" in page
    assert "columns are not tested; the tables give the reasons." in page


def test_each_subgroup_has_a_line() -> None:
    """The model as a whole comes first; a missing value is a dash."""
    page = tables(rows(), rows())
    assert page.index("<td>model</td><td>1000</td>") < page.index("<td>sex=female</td><td>500</td><td>500</td>")
    assert "<td>-</td>" in tables(rows(), table({"income": rng.normal(size=1000)}, member={"a=b": np.zeros(1000)}))


def test_mean_loss_is_named_where_losses_lie_between() -> None:
    """A loss of 0 or 1 is a share of rows that disagree; rows without a loss do not count."""
    assert "<th>window disagree</th>" in tables(rows(), rows())
    losses = np.where(np.arange(1000) < 500, 0.25, np.nan)
    page = tables(rows(), table({"income": np.arange(1000.0)}, disagree=losses))
    assert "<th>reference mean loss</th><th>window mean loss</th>" in page
    assert "<td>model</td><td>1000</td><td>1000</td><td>0.0000</td><td>0.2500</td>" in page


def test_summary_names_both_samples_and_their_times() -> None:
    """Rows of traffic have times; golden rows have none."""
    page = tables(rows(time=0.0), rows())
    assert "credit: drift report of 2026-01-31 12:00:00 UTC" in page
    assert "1000 compared rows, from 2026-01-31 11:46:40 UTC to 2026-01-31 11:46:40 UTC." in page
    assert "Reference: 1000 rows, the first that were compared.<" in page


def test_summary_names_a_replaced_model() -> None:
    """Without it a new model would look like drift."""
    old, new = rows(), rows()
    replaced = RowTable(old.inputs, old.outcomes, old.member, ("b1", "c0"))
    assert "The compressed model's file has changed since the reference" in tables(replaced, new)
    assert "has changed since" not in tables(old, new)


def test_names_from_outside_are_escaped() -> None:
    """Inputs, subgroups and models may have any name."""
    name = "<script>alert(1)</script>"
    page = tables(table({name: rng.normal(size=500)}), table({name: rng.normal(size=500)}, member={name: np.ones(500)}))
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2
