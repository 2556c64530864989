from datetime import UTC, datetime

from tests.support.statements import sample_cell
from tightrope.offline.card import figures
from tightrope.service.statements.qualification import LimitRecord


def test_figures_have_three_significant_digits() -> None:
    """A share near one keeps what tells it apart from one."""
    shown = [figures.shown_figure(value) for value in (0.5391705, 0.0087181935, -0.00025, None)]
    assert shown == ["0.539", "0.00872", "-0.00025", "-"]
    assert [figures.shown_percent(share) for share in (0.999, 0.95, 0.77, 1.0)] == ["99.9 %", "95 %", "77 %", "100 %"]
    assert figures.scaled(27082.0, 1e-3, "kB") == "27.1 kB"
    assert figures.scaled(None, 1e-3, "kB") == "not told"
    assert [figures.scaled(value, 1e6, "µs") for value in (1.2834e-3, 1.18e-2, 9.96e-4)] == [
        "1,280 µs", "11,800 µs", "996 µs",
    ]  # fmt: skip


def test_limits_say_what_had_to_be_shown() -> None:
    """A limit that had to be proved is a number alone."""
    shown = [figures.shown_limit(limit) for limit in (0.07, LimitRecord(limit=0.1, proof="not_over"), None)]
    assert shown == ["0.07", "0.1, not shown to be over", "-"]


def test_names_are_those_of_people() -> None:
    """The class of a criterion stays in its name."""
    assert figures.criterion_title(sample_cell(criterion="class_miss class_1")) == "class miss class_1"
    assert figures.group_title("residence=group_quarters") == "group quarters (residence)"
    assert figures.group_title("model") == "everybody"
    assert figures.shown_day(datetime(2027, 5, 27, tzinfo=UTC)) == "2027-05-27"
    assert figures.cell_source(12) == "q:cell 12"
