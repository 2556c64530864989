"""Every figure of a card follows the field that it cites: one that changes there changes here, and nowhere else."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.statement_files import StatementFiles, write_statement_files
from tests.support.statements import BREACH, NOW, PASSED, UNTOLD
from tightrope.offline.card.blocks import CardContent
from tightrope.offline.card.content import build_card
from tightrope.offline.card.markdown import card_markdown
from tightrope.offline.card.page import card_page
from tightrope.offline.card.sources import CardSources, read_sources
from tightrope.offline.card.verification import verify_card
from tightrope.offline.card.write import CARD_NAMES, write_card
from tightrope.service.config.loader import load
from tightrope.service.statements.bundle import encode_statement, write_bundle
from tightrope.service.statements.envelope import Envelope
from tightrope.service.statements.qualification import QualificationStatement

ROLES = ("baseline", "compressed")


def by_role(baseline: float, compressed: float) -> dict[str, float]:
    """A figure of each role."""
    return {"baseline": baseline, "compressed": compressed}


LINK = {
    "requests": 100,
    "answered": {"baseline": 61, "compressed": 37},
    "p99": 0.251,
    "failed": 1,
    "failed_after": 2.01,
}
CUT = {**LINK, "waiting": 1, "waiting_since": 3.2, "seconds": 10.0}
SCENARIOS = {
    "jitter": {
        "rows": 4000,
        "flips_compressed": 0.0352,
        "flips_baseline": 0.0408,
        "differ_before": 0.0405,
        "differ_after": 0.046,
    },
    "typos": {"reason": "does not apply: no input has texts"},
    "link": {"links": {"baseline": {"+50 ms": LINK, "cut": CUT}}},
    "probe": {
        "starts": 400,
        "found": 62,
        "median_query": 21.0,
        "largest": 0.573,
        "gap": 0.3,
        "queries": 64,
        "unit": "",
    },
    "membership": {
        "pairs": 840,
        "advantage": {
            role: {"members": 0.6 + shift, "others": 0.45, "seen": 0.15 + shift, "lower": 0.06, "upper": 0.35 + shift}
            for role, shift in (("baseline", 0.0), ("compressed", 0.02))
        },
    },
    "groups": {
        "boundary": [{"margin": 0.1, "rows": 400, "differ": 0.21}, {"margin": 0.9, "rows": 400, "differ": 0.012}],
        "disparity": {"sex=male": 0.031},
        "by": "margin",
        "no_boundary": "",
    },
}
MEASURED: dict[str, Any] = {
    "host_class": "x86_64 avx2 ort1.31",
    "latency": {
        "p50": by_role(5.52e-05, 3.91e-05),
        "p99": by_role(9.1e-05, 7.2e-05),
        "one_core_p50": by_role(5.6e-05, 4.1e-05),
        "one_thread_p99": by_role(9.4e-05, 8.3e-05),
        "concurrent_p99": by_role(3.1e-04, 2.2e-04),
        "cliff": by_role(3.4, 3.05),
    },
    "file_bytes": by_role(355123, 26812),
    "peak_bytes": by_role(81e6, 77e6),
    "cold_start_seconds": by_role(0.51, 0.43),
    "energy": {
        "joules_per_row": by_role(2.2e-3, 1.5e-3),
        "cpu_seconds_per_row": by_role(6.1e-05, 4.4e-05),
        "how": "RAPL",
    },
    "scenarios": SCENARIOS,
}
MEMBERSHIP = {**PASSED, "criterion": "membership", "rows": 840, "seen": 0.021, "bound": 0.044, "limit": 0.05}
COST: dict[str, Any] = {
    "criterion": "file_size", "scope": "model", "outcome": "pass", "limit": 0.5, "note": "ratio within",
}  # fmt: skip


@pytest.fixture
def whole(tmp_path: Path) -> StatementFiles:
    """A statement with figures of every kind: cells, costs, scenarios, golden bounds, attempts and samples."""
    files = write_statement_files(tmp_path, "breach", [BREACH, UNTOLD, PASSED, MEMBERSHIP, COST])
    document = msgspec.to_builtins(read_sources(load(files.config), "m", NOW).signed.statement)
    predicate = document["predicate"]
    predicate["measured"] = MEASURED
    predicate["criteria"] |= {"membership": {"model": 0.05}, "file_size": {"ratio": 0.5}}
    predicate["result"] |= {"covers": 0.77, "withheld": ["race=other"]}
    predicate["result"]["golden"] = {"rows": "", "answers": {}, "bound": by_role(0.0001, 0.0123)}
    predicate["data"]["samples"] = {
        "since": "2026-10-02T00:00:00Z",
        "until": "2026-11-03T00:00:00Z",
        "kept": 4100,
        "refused": {"row cut": 73, "twice": 27},
        "of_model": 3800,
        "labels": 0,
    }
    attempt = {"criteria_digest": "sha256:" + "cd" * 32, "artefacts": ["ee" * 32, "ff" * 32], "verdict": "insufficient"}
    predicate["data"]["attempts"] = [attempt]
    statement = msgspec.convert(document, QualificationStatement)
    write_bundle(files.bundle, [Envelope(encode_statement(statement))])
    return files


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all numbers in a document."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def altered(sources: CardSources, path: Sequence[str | int]) -> CardSources:
    """The sources with another number in the statement's predicate."""
    document = msgspec.to_builtins(sources.signed.statement)
    place: Any = document["predicate"]
    for key in path[:-1]:
        place = place[key]
    number = place[path[-1]]
    place[path[-1]] = 2 * number + 1 if isinstance(number, int) else number / 2 + 0.001
    statement = msgspec.convert(document, QualificationStatement)
    return replace(sources, signed=replace(sources.signed, statement=statement))


def cited(path: Sequence[str | int]) -> str:
    """The source under which the card shows a number."""
    if path[:2] == ("result", "cells"):
        return f"q:cell {path[2]}]"
    return f"q:{path[0]}" + "".join(f".{each}" for each in path[1:2])


NOT_SHOWN = re.compile(
    r"result\.cells\.\d+\.(hits|p_within|p_over)|result\.seed|subgroups\..*|refusal\..*"
    r"|measured\.scenarios\.jitter\.rows|measured\.scenarios\.groups\.boundary\.\d+\.(margin|rows)"
    r"|measured\.scenarios\.membership\.pairs|measured\.scenarios\.probe\.largest"
    r"|data\.samples\.(kept|of_model|labels)"
)
"""Numbers of a statement that no card shows: a card is for people, and names the payload for the rest."""


@pytest.mark.parametrize("render", [card_markdown, card_page])
def test_altered_field_changes_the_lines_that_cite_it_and_no_others(
    whole: StatementFiles, render: Callable[[CardContent], str]
) -> None:
    """Each number of a statement, one after the other."""
    sources = read_sources(load(whole.config), "m", NOW)
    before = render(build_card(sources)).split("\n")
    document = msgspec.to_builtins(sources.signed.statement.predicate)
    shown = 0
    for path in leaves(document):
        after = render(build_card(altered(sources, path))).split("\n")
        changed = [line for line, old in zip(after, before, strict=True) if line != old]
        name = ".".join(map(str, path))
        if NOT_SHOWN.fullmatch(name):
            assert changed == [], name
            continue
        assert changed, f"{name} is not shown"
        assert all(cited(path) in _plain(line) for line in changed), (name, changed)
        shown += 1
    assert shown > 60


def _plain(line: str) -> str:
    return re.sub(r"\\(?=[^\w\s])|<[^>]*>", "", line)


@pytest.mark.parametrize("name", CARD_NAMES)
def test_every_altered_digit_below_the_stamp_is_named(whole: StatementFiles, name: str) -> None:
    """With the source that the line cites, for each kind of figure."""
    settings = load(whole.config)
    path = next(each for each in write_card(settings, None, NOW) if each.name == name)
    lines = path.read_text().split("\n")
    start = next(number for number, line in enumerate(lines) if "Of 1,000 in group quarters" in line)
    checked = 0
    for number, line in enumerate(lines[start:], start):
        tags = re.findall(r"\[[qmaec]:[^\]]*\]", _plain(line))
        digits = [found.start() for found in re.finditer(r"(?<![\w:])\d(?![^<]*>)(?![^\[]*\])", line)]
        for position in digits[:: max(len(digits) // 2, 1)] if tags else []:
            altered_line = f"{line[:position]}{(int(line[position]) + 1) % 10}{line[position + 1 :]}"
            path.write_text("\n".join([*lines[:number], altered_line, *lines[number + 1 :]]))
            (fault,) = verify_card(settings, path).faults
            assert fault.startswith(f"line {number + 1}: says "), fault
            assert all(tag in fault for tag in tags), (fault, tags)
            checked += 1
    assert checked > 40
