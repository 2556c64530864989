import pytest

from docs.generate import HERE, PAGES, PICTURES, TABLES
from tests.house.sources import ROOT
from tightrope.monitors.safemode import TABLE

WRITERS = PAGES | TABLES | PICTURES


@pytest.mark.parametrize("name", WRITERS)
def test_generated_file_is_current(name: str) -> None:
    """The committed page or diagram is what its generator writes; `make docs` updates it."""
    assert (HERE / name).read_text() == WRITERS[name]()


@pytest.mark.parametrize("name", PICTURES)
def test_diagram_is_shown_and_readable_in_both_colour_schemes(name: str) -> None:
    """The architecture page shows the diagram, which brings its own background and colours for dark pages."""
    assert f"({name})" in (HERE / "architecture.md").read_text()
    assert 'class="back"' in PICTURES[name]()
    assert "prefers-color-scheme: dark" in PICTURES[name]()


def test_state_diagram_has_every_row_of_the_table() -> None:
    """The diagram has one label for every pair of state and input."""
    diagram = PAGES["safe-mode.md"]().partition("```mermaid")[2].partition("```")[0]
    arrows = [line for line in diagram.splitlines() if " --> " in line and "[*]" not in line]
    drawn = {(line.split()[0], label.split()[0]) for line in arrows for label in line.partition(": ")[2].split("<br/>")}
    assert drawn == {(str(state), str(trigger)) for state, trigger in TABLE}


def test_relative_links_lead_to_files() -> None:
    """A relative link of any page names a file of the repository."""
    for page in [*HERE.glob("*.md"), *ROOT.glob("*.md")]:
        targets = [part.partition(")")[0] for part in page.read_text().split("](")[1:]]
        for target in targets:
            if not target.startswith(("http", "#")):
                assert (page.parent / target.partition("#")[0]).exists(), f"{page.name}: {target}"
