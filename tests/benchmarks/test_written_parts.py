"""A benchmark replaces its own part of a page, and nothing else."""

import pytest

from benchmarks.written_parts import POWER_PAGE, markdown_table, with_part

SITUATIONS = ("bursts", "requests", "intersections", "labels", "class-loss")
PLACES = [
    f"<!-- written by `python -m {module}` -->\n{part}<!-- to here -->\n"
    for module, part in (("x", "old\n"), ("y", ""))
]
PAGE = f"a\n{PLACES[0]}b\n{PLACES[1]}"


def test_part_of_one_module_is_replaced() -> None:
    """The text around it stays."""
    written = with_part(PAGE, "x", "new")
    assert written == PAGE.replace("old", "new")
    assert with_part(written, "x", "new") == written


def test_page_without_a_place_is_refused() -> None:
    """Nothing is lost without notice."""
    with pytest.raises(ValueError, match="no place for z"):
        with_part(PAGE, "z", "new")


@pytest.mark.parametrize("module", ["benchmarks.whole_fold", *(f"benchmarks.situations {name}" for name in SITUATIONS)])
def test_page_of_power_has_the_parts(module: str) -> None:
    """In the page and in its template."""
    template = POWER_PAGE.parents[1] / "benchmarks" / "power" / "page.md"
    for page in (POWER_PAGE.read_text(), template.read_text()):
        assert "new" in with_part(page, module, "new")


def test_table_has_a_head() -> None:
    """A line of dashes follows it."""
    assert markdown_table([["a", "b"], ["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
