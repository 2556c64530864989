"""Parts of pages that a benchmark writes, between two comments that name its module."""

from pathlib import Path

END = "<!-- to here -->"

POWER_PAGE = Path(__file__).parents[1] / "docs" / "power.md"


def with_part(page: str, module: str, part: str) -> str:
    """Return a page with the part of one module replaced.

    Raises:
        ValueError: when the page has no place for it.
    """
    begin = f"<!-- written by `python -m {module}` -->"
    before, found, rest = page.partition(begin)
    if not found or END not in rest:
        raise ValueError(f"the page has no place for {module}")
    return f"{before}{begin}\n{part}\n{END}{rest.partition(END)[2]}"


def markdown_table(lines: list[list[str]]) -> str:
    """Return a table, its head first."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], ["---"] * len(lines[0]), *lines[1:]])
