from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.statement_files import StatementFiles
from tests.support.statements import BREACH_KEY, NOW, UNTOLD_KEY
from tightrope.monitors.records import Event
from tightrope.offline.card.sources import CardError, CardSources, only_model, read_sources
from tightrope.offline.statements.opinion import new_opinion, write_opinion
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.config.loader import ConfigError, load


def test_opinions_in_force_have_their_digests(files: StatementFiles) -> None:
    """An opinion that its writer replaced is not in the card."""
    for decision in (True, False):
        opinion = new_opinion("owner", f"dissents: {decision}", NOW, dissents=decision, serve=False)
        accepted = [] if decision else [f"{key}=known" for key in (BREACH_KEY, UNTOLD_KEY)]
        written = write_opinion(files.bundle, files.keys["bo"], opinion, accepted)
    sources = read_sources(load(files.config), "m", NOW)
    assert [each.opinion.note for each in sources.examination.opinions] == ["dissents: False"]
    assert sources.opinions == [written.digest]


def test_scopes_are_withheld_only_where_the_model_serves(files: StatementFiles, card_sources: CardSources) -> None:
    """Cells that did not pass withhold their scopes once they are accepted."""
    assert card_sources.withheld == frozenset()
    for name, role in (("ana", "safety-reviewer"), ("bo", "owner")):
        opinion = new_opinion(role, "fine", NOW, dissents=False, serve=False)
        write_opinion(files.bundle, files.keys[name], opinion, [f"{key}=known" for key in (BREACH_KEY, UNTOLD_KEY)])
    sources = read_sources(load(files.config), "m", NOW)
    assert sources.withheld == {"residence=group_quarters", "race=institution"}


def test_trips_are_those_of_the_artefact(files: StatementFiles, card_sources: CardSources, tmp_path: Path) -> None:
    """Alarms of an earlier artefact, and events after the asked one, are left out."""
    assert card_sources.live.missing == "no event is in the state folder"
    digest = card_sources.signed.statement.subject[0].digest.sha256
    event = Event("1", 5.0, "m", "breach", "model", "judge", "disagreement", {"compressed_digest": digest})
    (tmp_path / "state").mkdir(exist_ok=True)
    store = SqliteStore(tmp_path / "state" / "tightrope.db")
    other = replace(event, id="2", detail={"compressed_digest": "other"})
    store.save("log", {}, {}, [event, other, replace(event, id="3")])
    store.close()
    live = read_sources(load(files.config), "m", NOW, state=tmp_path / "state").live
    assert ([seq for seq, _ in live.trips], live.last) == ([1, 3], 3)
    earlier = read_sources(load(files.config), "m", NOW, state=tmp_path / "state", last_event=2).live
    assert ([seq for seq, _ in earlier.trips], earlier.last) == ([1], 2)


def test_missing_statement_says_who_writes_it(files: StatementFiles) -> None:
    """And one about other files says so."""
    settings = load(files.config)
    files.bundle.with_name("baseline.onnx").write_bytes(files.bundle.with_name("compressed.onnx").read_bytes())
    with pytest.raises(CardError, match=r"is for .*, but baseline is "):
        read_sources(settings, "m", NOW)
    files.bundle.unlink()
    with pytest.raises(CardError, match="is missing; `tightrope qualify` writes it"):
        read_sources(settings, "m", NOW)


def test_model_is_named_where_there_are_several(files: StatementFiles) -> None:
    """The only one needs no name."""
    settings = load(files.config)
    assert only_model(settings, None) == "m"
    with pytest.raises(ConfigError, match="--model: 'n' is not one of m"):
        only_model(settings, "n")
    several = settings.model_copy(update={"models": {**settings.models, "n": settings.models["m"]}})
    with pytest.raises(ConfigError, match="--model: must be given; it is one of m, n"):
        only_model(several, None)
