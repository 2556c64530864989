from pathlib import Path

import pytest

from docs.generate import HERE, PAGES
from tightrope.monitors.safemode import TABLE


@pytest.mark.parametrize("page", PAGES)
def test_page_is_what_the_program_says(page: str) -> None:
    """Whoever changes the table, the catalogue or the settings runs `make docs`."""
    assert (HERE / page).read_text() == PAGES[page]()


def test_diagram_has_every_row_of_the_table() -> None:
    """One label in the diagram for every pair of state and input."""
    diagram = PAGES["safe-mode.md"]().partition("```mermaid")[2].partition("```")[0]
    arrows = [line for line in diagram.splitlines() if " --> " in line and "[*]" not in line]
    drawn = {(line.split()[0], label.split()[0]) for line in arrows for label in line.partition(": ")[2].split("<br/>")}
    assert drawn == {(str(state), str(what)) for state, what in TABLE}


def test_links_between_the_pages_lead_somewhere() -> None:
    """A relative link names a file that exists."""
    for page in [*HERE.glob("*.md"), HERE.parent / "README.md"]:
        targets = [part.partition(")")[0] for part in page.read_text().split("](")[1:]]
        for target in targets:
            if not target.startswith(("http", "#")):
                assert (Path(page).parent / target.partition("#")[0]).exists(), f"{page.name}: {target}"
