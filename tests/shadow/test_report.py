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
from tightrope.service.adapters.archive.report_store import SCRIPT_ELEMENT, content_security_policy, script_hashes
from tightrope.service.adapters.archive.row_format import PER_ROLE_COLUMNS
from tightrope.shadow.drift_statistics import INPUTS, MIN_DRIFT_PSI, OUTCOMES, PAIR, ColumnDrift, scope_drifts
from tightrope.shadow.page import SECTION_TITLES

DRAWN = re.compile(r"Drift in column '(.*?)'\", \"label\": \"Data drift (not )?detected.*?Drift score: ([0-9.]+)\"")
"""Evidently's title of a chart: the column's name, whether it drifted, its score."""

UNTESTED = {"nan", "infinite", "constant", "blank"}
"""Columns of `tests.support.report_cases` that hold one value at most, or none."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of all cases, built with a network that refuses every connection."""
    made: Path = tmp_path_factory.mktemp("drawn")
    done = run("-m", "tests.support.report_cases", made, offline=True)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    return made


def page(folder: Path, case: str = "awkward") -> str:
    """Read the page of a case."""
    return (folder / f"{case}.html").read_text(encoding="utf-8")


def figures(folder: Path, case: str = "awkward") -> dict[str, Any]:
    """Read the statistics of a case; NaN in the JSON is an error."""
    parsed: dict[str, Any] = json.loads((folder / f"{case}.json").read_text(), parse_constant=partial(pytest.fail))
    return parsed


class Tags(HTMLParser):
    """Collects the tags of a page, the targets of their links and their event handlers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag."""
        self.names.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "action", "data", "srcset"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_report_is_one_page_without_links(folder: Path) -> None:
    """No tag and no style fetches anything; building the page used no network."""
    for case in ("awkward", "flat"):
        text = page(folder, case)
        tags = Tags(text)
        assert [link for link in tags.links if not link.startswith("data:")] == []
        assert "@import" not in SCRIPT_ELEMENT.sub("", text)
        assert not re.search(r"url\(\s*['\"]?(?!data:)", SCRIPT_ELEMENT.sub("", text))


def test_policy_allows_exactly_the_scripts_of_the_page(folder: Path) -> None:
    """The policy lists their hashes ahead of the first script; nothing may be fetched, even from the same server."""
    text = page(folder)
    hashes = script_hashes(text)
    meta = f'<meta http-equiv="Content-Security-Policy" content="{content_security_policy(hashes)}">'
    assert text.count("Content-Security-Policy") == 1
    assert 0 < text.index(meta) < text.index("<script")
    assert len(hashes) == Tags(text).names.count("script") == 4
    assert "default-src 'none'" in meta
    assert "unsafe-inline" not in content_security_policy(hashes).partition("script-src")[2].partition(";")[0]


@pytest.mark.parametrize("case", ["awkward", "flat"])
def test_hostile_text_makes_no_tag(folder: Path, case: str) -> None:
    """Hostile text comes as the name of a model, column, subgroup or file, and as a caller's value."""
    tags = Tags(page(folder, case))
    assert "img" not in tags.names
    assert tags.handlers == []
    assert OWNED not in page(folder, case)
    assert escape(SUBJECT.model) in page(folder, case)


def test_browser_runs_nothing_that_callers_sent(folder: Path) -> None:
    """The charts are drawn under the page's own policy, and the title stays."""
    log, body = drawn_by_a_browser(folder / "awkward.html")
    assert "Content Security Policy" not in log
    assert "<title>credit&lt;img" in body
    assert "<title>owned" not in body
    assert body.count('class="main-svg"') > 10


def test_evidently_shows_the_values_of_the_tables(folder: Path) -> None:
    """Each chart has the PSI of the table to three places, and the same decision on drift."""
    drifts = {(one.kind, one.column): one for one in scope_drifts(*CASES["awkward"])[0].drifts}
    shown = [(bool(drifted), float(score)) for _, drifted, score in DRAWN.findall(page(folder))]
    expected = [
        (not one.drifted, round(one.psi, 3)) for one in drifts.values() if one.psi is not None and drawable(one)
    ]
    assert sorted(shown) == sorted(expected)
    assert len(shown) == len(NAMES) + len(["words"]) + 4 + 2, (
        "plus predictions and confidences of two models against the reference, and of the pair"
    )


def drawable(one: ColumnDrift) -> bool:
    """Whether Evidently can draw a column; columns of huge numbers appear only in the tables."""
    return one.column != "huge"


def test_json_has_the_values_of_the_tables(folder: Path) -> None:
    """The statistics of scopes and columns equal those of `drift_statistics`; none is NaN, which JSON lacks."""
    written, scopes = figures(folder), scope_drifts(*CASES["awkward"])
    assert written["scopes"] == {one.scope: json.loads(json.dumps(one.to_json())) for one in scopes}
    assert [(one["kind"], one["column"], one["psi"]) for one in written["columns"]] == [
        (one.kind, one.column, one.psi) for one in scopes[0].drifts
    ]
    assert (written["model"], written["reference"]["rows"], written["window"]["rows"]) == (SUBJECT.model, ROWS, ROWS)


def test_only_the_shifted_column_has_drifted(folder: Path) -> None:
    """Missing, infinite, huge, rare and strange values occur equally often on both sides, so they are no drift."""
    columns = figures(folder)["columns"]
    assert [one["column"] for one in columns if one["drifted"]] == [NAMES["picture"]]
    assert next(one for one in columns if one["drifted"])["psi"] > 10 * MIN_DRIFT_PSI


def test_columns_of_one_value_are_listed_and_not_tested(folder: Path) -> None:
    """A column that is all missing, all infinite, all blank or constant has no bins."""
    columns = [one for one in figures(folder)["columns"] if one["kind"] == INPUTS]
    assert {one["column"] for one in columns if one["psi"] is None} == UNTESTED
    assert {one["note"] for one in columns if one["psi"] is None} == {"constant"}


def test_names_that_become_alike_are_kept_apart(folder: Path) -> None:
    """Two columns whose names differ only in replaced characters have a chart each; a long name is cut."""
    names = [name for name, _, _ in DRAWN.findall(page(folder))]
    assert len(set(names)) == len(names)
    assert sum(name.startswith("c(d") for name in names) == 2
    assert LONG not in SCRIPT_ELEMENT.findall(page(folder))[0]
    assert max(map(len, names)) < 90


def test_report_without_drawable_columns_has_its_tables(folder: Path) -> None:
    """The page then has no script and all tables."""
    text = page(folder, "flat")
    assert "<script" not in text
    assert content_security_policy(()) in text
    assert all(title in text for title in SECTION_TITLES.values())
    assert {one["note"] for one in figures(folder, "flat")["columns"]} == {"constant"}


def test_too_few_rows_are_refused(folder: Path) -> None:
    """The refusal names the present and the required number of rows."""
    assert not (folder / "few.html").exists()
    assert (
        (folder / "few.refused").read_text().startswith("no report yet: 200 reference rows and 900 newer ones; with ")
    )


def test_each_kind_is_drawn(folder: Path) -> None:
    """Inputs have plain names, other kinds a prefix."""
    names = [name for name, _, _ in DRAWN.findall(page(folder))]
    assert [name for name in names if name.startswith("newest against reference: ")] != []
    assert {f"compressed against baseline: {figure}" for figure in PER_ROLE_COLUMNS[:2]} <= set(names)
    assert {one["kind"] for one in figures(folder)["columns"]} == {INPUTS, OUTCOMES, PAIR}
