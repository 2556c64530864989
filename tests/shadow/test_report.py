import json
import re
from functools import partial
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.support.report_cases import CASES, LONG, NAMES, OWNED, ROWS, SUBJECT
from tests.support.reports_interpreter import drawn_by_a_browser, run
from tightrope.service.adapters.archive.report_store import SCRIPT, policy, script_hashes
from tightrope.service.adapters.archive.row_format import PAIRED
from tightrope.shadow.drift_statistics import CUSTOMARY, INPUTS, OUTCOMES, PAIR, Drift, standings
from tightrope.shadow.page import TITLES

DRAWN = re.compile(r"Drift in column '(.*?)'\", \"label\": \"Data drift (not )?detected.*?Drift score: ([0-9.]+)\"")
"""What Evidently says of a column: its name, whether it drifted, its figure."""

UNTESTED = {"nan", "infinite", "constant", "blank"}
"""Columns of `tests.support.report_cases` that hold one value at most, or none."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What came of every case, with a network that refuses."""
    made: Path = tmp_path_factory.mktemp("drawn")
    done = run("-m", "tests.support.report_cases", made, offline=True)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    return made


def page(folder: Path, case: str = "awkward") -> str:
    """The page of a case."""
    return (folder / f"{case}.html").read_text(encoding="utf-8")


def figures(folder: Path, case: str = "awkward") -> dict[str, Any]:
    """The figures of a case, from JSON that has no NaN in it."""
    told: dict[str, Any] = json.loads((folder / f"{case}.json").read_text(), parse_constant=partial(pytest.fail))
    return told


class Tags(HTMLParser):
    """Collects what a browser would see as tags, and where they point."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One more."""
        self.names.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "action", "data", "srcset"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_a_report_is_one_page_that_points_nowhere(folder: Path) -> None:
    """No tag fetches anything: neither by a link nor by a style; and building it asked no network."""
    for case in ("awkward", "flat"):
        text = page(folder, case)
        tags = Tags(text)
        assert [link for link in tags.links if not link.startswith("data:")] == []
        assert "@import" not in SCRIPT.sub("", text)
        assert not re.search(r"url\(\s*['\"]?(?!data:)", SCRIPT.sub("", text))


def test_its_policy_names_its_scripts_and_no_other(folder: Path) -> None:
    """By their hashes, before the first of them; nothing may be fetched, not even from the same server."""
    text = page(folder)
    hashes = script_hashes(text)
    told = f'<meta http-equiv="Content-Security-Policy" content="{policy(hashes)}">'
    assert text.count("Content-Security-Policy") == 1
    assert 0 < text.index(told) < text.index("<script")
    assert len(hashes) == Tags(text).names.count("script") == 4
    assert "default-src 'none'" in told
    assert "unsafe-inline" not in policy(hashes).partition("script-src")[2].partition(";")[0]


@pytest.mark.parametrize("case", ["awkward", "flat"])
def test_hostile_text_makes_no_tag(folder: Path, case: str) -> None:
    """Whether it is a model's name, a column's, a subgroup's, a file's, or what a caller sent."""
    tags = Tags(page(folder, case))
    assert "img" not in tags.names
    assert tags.handlers == []
    assert OWNED not in page(folder, case)
    assert escape(SUBJECT.model) in page(folder, case)


def test_a_browser_runs_nothing_that_callers_sent(folder: Path) -> None:
    """It draws the charts under the page's own policy, and keeps the title that we gave it."""
    told, body = drawn_by_a_browser(folder / "awkward.html")
    assert "Content Security Policy" not in told
    assert "<title>credit&lt;img" in body
    assert "<title>owned" not in body
    assert body.count('class="main-svg"') > 10


def test_evidently_shows_the_very_figures_of_the_tables(folder: Path) -> None:
    """Every column that is drawn has our PSI to three places, and our word on whether it drifted."""
    drifts = {(one.kind, one.column): one for one in standings(*CASES["awkward"])[0].drifts}
    shown = [(bool(drifted), float(score)) for _, drifted, score in DRAWN.findall(page(folder))]
    expected = [
        (not one.drifted, round(one.psi, 3)) for one in drifts.values() if one.psi is not None and drawable(one)
    ]
    assert sorted(shown) == sorted(expected)
    assert len(shown) == len(NAMES) + len(["words"]) + 4 + 2, (
        "and two predictions and confidences, now and then and apart"
    )


def drawable(one: Drift) -> bool:
    """Whether Evidently can draw a column; numbers beyond its reach stand in the tables alone."""
    return one.column != "huge"


def test_the_figures_are_those_of_the_tables(folder: Path) -> None:
    """By scope and by column, as `shadow.drift_statistics` has them, and none of them NaN: JSON knows none."""
    told, found = figures(folder), standings(*CASES["awkward"])
    assert told["scopes"] == {one.scope: json.loads(json.dumps(one.told())) for one in found}
    assert [(one["kind"], one["column"], one["psi"]) for one in told["columns"]] == [
        (one.kind, one.column, one.psi) for one in found[0].drifts
    ]
    assert (told["model"], told["reference"]["rows"], told["window"]["rows"]) == (SUBJECT.model, ROWS, ROWS)


def test_the_column_that_moved_is_the_one_that_drifted(folder: Path) -> None:
    """Missing, infinite, huge, rare and strange values in the others are alike on both sides, and no drift."""
    columns = figures(folder)["columns"]
    assert [one["column"] for one in columns if one["drifted"]] == [NAMES["picture"]]
    assert next(one for one in columns if one["drifted"])["psi"] > 10 * CUSTOMARY


def test_columns_of_one_value_are_told_and_not_tested(folder: Path) -> None:
    """All missing, all infinite, all blank or constant: there is nothing to bin."""
    columns = [one for one in figures(folder)["columns"] if one["kind"] == INPUTS]
    assert {one["column"] for one in columns if one["psi"] is None} == UNTESTED
    assert {one["note"] for one in columns if one["psi"] is None} == {"constant"}


def test_names_that_become_alike_are_kept_apart(folder: Path) -> None:
    """Two columns whose names differ only in what was made harmless have a chart each; a long name is cut."""
    names = [name for name, _, _ in DRAWN.findall(page(folder))]
    assert len(set(names)) == len(names)
    assert sum(name.startswith("c(d") for name in names) == 2
    assert LONG not in SCRIPT.findall(page(folder))[0]
    assert max(map(len, names)) < 90


def test_where_nothing_can_be_drawn_there_are_still_the_tables(folder: Path) -> None:
    """Columns of one value are no reason to fail: no script runs, and every table stands."""
    text = page(folder, "flat")
    assert "<script" not in text
    assert policy(()) in text
    assert all(title in text for title in TITLES.values())
    assert {one["note"] for one in figures(folder, "flat")["columns"]} == {"constant"}


def test_too_few_rows_are_said(folder: Path) -> None:
    """No page that would mislead, but how many there are and how many it takes."""
    assert not (folder / "few.html").exists()
    assert (folder / "few.refused").read_text().startswith("no report yet: 200 reference rows and 900 newer ones, and ")


def test_every_kind_is_drawn(folder: Path) -> None:
    """Inputs by their names; what is compared otherwise says so."""
    names = [name for name, _, _ in DRAWN.findall(page(folder))]
    assert [name for name in names if name.startswith("now against then: ")] != []
    assert {f"compressed against baseline: {figure}" for figure in PAIRED[:2]} <= set(names)
    assert {one["kind"] for one in figures(folder)["columns"]} == {INPUTS, OUTCOMES, PAIR}
