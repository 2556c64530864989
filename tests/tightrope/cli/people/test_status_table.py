"""The table of the status: every state of a group has its word, and long lists are shortened honestly."""

from typing import Any

import pytest
from rich.console import Console

from tightrope.cli import console
from tightrope.cli.people.status_table import STATUS_COLUMNS, model_facts, print_status, status_lines


def entry(name: str, **changes: object) -> dict[str, Any]:
    """Return a group that is well."""
    return {
        **dict.fromkeys(STATUS_COLUMNS),
        "scope": f"a={name}",
        "name": name,
        "title": f"{name} (a)",
        "attribute": "a",
        "answers": "small",
        "state": "normal",
        "held": False,
        "own": False,
        "monitor": "disagreement",
        "label": "answered differently",
        "rate": 0.02,
        "range": [0.01, 0.04],
        "limit": 0.1,
        "evidence": 0.1,
        "way_back": None,
        "stuck": False,
        "unseen": None,
        **changes,
    }


def overview(*groups: dict[str, Any], others: int = 0) -> dict[str, Any]:
    """Return the overview of one model, or of several that are well."""
    traffic = {"requests_per_second": 16.0, "full_share": 0.06}
    part = {"ok": True, "silent_seconds": 0.0}
    first = {
        "name": "credit",
        "owner": "team-credit",
        "level": "note",
        "headline": "One group is answered by the full model.",
        "armed": True,
        "traffic": traffic,
        "sight": {"compared": 900, "worker": part, "judge": {"ok": False, "silent_seconds": 30.0}},
        "qualification": None,
        "everyone": entry("Everybody", attribute=""),
        "groups": list(groups),
    }
    models = [first, *({**first, "name": f"m{number}", "level": "ok"} for number in range(others))]
    return {"level": "note", "headline": "One group.", "sentence": "Nothing to do.", "models": models, "cards": models}


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of eighty columns."""
    monkeypatch.setattr(console, "out", Console(width=80))


@pytest.mark.usefixtures("screen")
@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"held": True, "own": True}, "by order"),
        ({"state": "latched", "answers": "full"}, "decide"),
        ({"stuck": True, "answers": "full"}, "no way back"),
        ({"way_back": 0.22, "answers": "full"}, "way back 22 %"),
        ({"unseen": [3, 60]}, "too few yet"),
        ({"evidence": 0.81}, "81 %"),
        ({"rate": None, "range": None}, "nothing compared yet"),
    ],
)
def test_each_state_of_a_group_has_its_word(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], word: str
) -> None:
    """In the last column."""
    print_status(overview(entry("b", **changes)), every=False)
    assert word in capsys.readouterr().out


@pytest.mark.usefixtures("screen")
def test_long_names_are_folded_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """Two groups of one name have their attribute beside it; characters that steer a terminal are left out."""
    long = "people_of_a_very_long_and_winding_name" * 3
    print_status(overview(entry(long), entry("b\x1b[2J"), entry("b\x1b[2J", title="b (other)")), every=False)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert "\x1b[2J" not in printed
    assert "(other)" in printed
    assert "judge silent for 30 s" in printed
    assert "…" not in printed


@pytest.mark.usefixtures("screen")
def test_groups_that_are_well_are_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    """With the most evidence that any of them has; `--all` shows each."""
    many = overview(*(entry(f"g{number}", evidence=(50 - number) / 100) for number in range(50)))
    print_status(many, every=False)
    assert "… 38 more groups" in (printed := capsys.readouterr().out)
    assert "none above 38 %" in printed
    print_status(many, every=True)
    assert "g49" in capsys.readouterr().out


@pytest.mark.usefixtures("screen")
def test_models_that_are_well_have_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside others; the first one is shown in full."""
    print_status(overview(entry("b"), others=2), every=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "all well" in line] == [f"m{number}: all well, 1 groups" for number in range(2)]
    assert any(line.startswith("credit: One group is answered") for line in lines)


def test_lines_have_every_scope_of_every_model() -> None:
    """Below a header."""
    lines = list(status_lines(overview(entry("b"), others=1)))
    assert lines[0] == "\t".join(STATUS_COLUMNS)
    assert [line.split("\t")[:2] for line in lines[1:]] == [
        ["credit", "a=Everybody"],
        ["credit", "a=b"],
        ["m0", "a=Everybody"],
        ["m0", "a=b"],
    ]


def test_facts_name_the_owner_if_there_is_one() -> None:
    """An older gateway does not tell."""
    (model,) = overview()["models"]
    assert model_facts(model).endswith(" · owner team-credit")
    del model["owner"]
    assert "owner" not in model_facts(model)


def test_narrowed_model_names_what_is_asked_again() -> None:
    """Beside the share that the full model answers; a gateway of an earlier release does not say it."""
    model = overview()["models"][0]
    assert "asked again" not in model_facts(model)
    narrow = {**model, "everyone": {**model["everyone"], "asked": ["cat"]}}
    assert "6.0 % by the full model · full model asked again where the small one says “cat” · " in model_facts(narrow)
