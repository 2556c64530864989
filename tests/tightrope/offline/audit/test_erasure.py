"""An erased id is nowhere in the bytes of the state folder, and the state goes on: chain, modes, judgement."""

import json
import os
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from msgspec import structs

from tests.support.configs import write_config
from tests.support.harmful_pair import config, traffic
from tests.support.in_process import infer_request, run_in_process
from tests.support.judgement.review_rows import review_row
from tests.support.serving.service_harness import eventually
from tightrope.monitors.review.opinions import Opinion
from tightrope.offline.audit import erasure
from tightrope.offline.audit.erasure import erase
from tightrope.offline.audit.verification import stored_chain, verify
from tightrope.offline.incidents.record_files import all_incidents, record_of_incident
from tightrope.offline.incidents.replay import replay
from tightrope.service.adapters.journal.id_digests import DIGEST_FORMS, id_digest, stored_forms
from tightrope.service.adapters.journal.recorder import IDS_FILE, JOURNAL_FOLDER
from tightrope.service.adapters.secret_file import kept_secret
from tightrope.service.adapters.sqlite.review_table import GivenOpinion, ReviewTable
from tightrope.service.adapters.state_use.holders import held_state
from tightrope.service.config.loader import ConfigError, Settings, load
from tightrope.wiring.audit_keys import audit_keys
from tightrope.wiring.embedded import DATABASE
from tightrope.wiring.review import REVIEW_DATABASE

NOW = datetime(2026, 11, 30, tzinfo=UTC)
ROWS = 600
ID = f"person-{ROWS - 1:05d}"


@pytest.fixture(scope="module", params=["keep", "hash"])
def killed(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The folder of a configuration whose process was killed: its state as it was while rows were judged, with the ids
    in the record of incidents, or digests of them.
    """
    folder = tmp_path_factory.mktemp("killed")
    kept = {"reports": {"keep_rows": 1000, "reference_rows": 100}, "record": {"keep": "all"}}
    redact = {"ids": request.param, "columns": {"*": "keep"}}
    path = write_config(folder, config(folder, labels={}, repeats="none", redact=redact) | kept)
    with run_in_process(path) as running:
        engine = running.parts.service.engine
        for number, row in enumerate(traffic(ROWS, harm=True)):
            engine.infer(engine.pair("m"), structs.replace(infer_request(row[None]), id=f"person-{number:05d}"))
        running.sent += ROWS
        running.send(traffic(5, harm=False))
        assert running.states()["group=minority"] == "safe"
        eventually(lambda: is_recorded(load(path, {}), ID))  # the recorder writes in its own time, after the store
        shutil.copytree(folder / "state", folder / "copy")
    shutil.rmtree(folder / "state")
    (folder / "copy").rename(folder / "state")
    return folder


@pytest.fixture
def settings(killed: Path, tmp_path: Path) -> Settings:
    """The settings of a copy of it."""
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    return load(tmp_path / "tightrope.yaml", {})


def contents(folder: Path) -> Iterator[bytes]:
    """The bytes of every file, and of what is compressed in the database."""
    if (folder / DATABASE).exists():
        with closing(sqlite3.connect(folder / DATABASE)) as db:
            for (entry,) in db.execute("SELECT body FROM journal"):
                yield zlib.decompress(msgspec.msgpack.decode(entry)[1])
    yield from (path.read_bytes() for path in folder.rglob("*") if path.is_file())


def has(folder: Path, text: str) -> bool:
    """Whether a text, or the digest that it is of, is anywhere."""
    return any(form in content for content in contents(folder) for form in stored_forms(text))


def recorded_names(settings: Settings, name: str) -> list[str]:
    """An id, and the digests of it."""
    key = kept_secret(settings.state / IDS_FILE, 32)
    return [name, *(id_digest(key, name, form) for form in DIGEST_FORMS)]


def is_recorded(settings: Settings, name: str) -> bool:
    """Whether the record of incidents has a row of this id."""
    return any(has(settings.state / JOURNAL_FOLDER, each) for each in recorded_names(settings, name))


def test_kept_row_is_erased(settings: Settings) -> None:
    """The digest of its request is nowhere in the files of kept rows any more, and its neighbours stay."""
    digest = audit_keys(settings).request_digest

    def kept(name: str) -> int:
        return sum(path.read_bytes().count(digest(name).encode()) for path in (settings.state / "rows").rglob("*.rows"))

    assert [kept(ID), kept("person-00001")] == [1, 1]
    report = erase(settings, ID, NOW, "Ann")
    assert (report.left, report.unknown) == ([], [])
    assert [kept(ID), kept("person-00001")] == [0, 1]


def test_row_under_review_is_erased(settings: Settings) -> None:
    """With the opinions about it; its neighbours stay."""
    path = settings.state / REVIEW_DATABASE
    rows = [review_row("1", request_id=ID), review_row("2", request_id="person-00001")]
    with closing(ReviewTable(path)) as table:
        table.add(rows, 9)
        table.store(GivenOpinion("1", "ana", Opinion.A, 0, 1.0, 2.0))
    assert has(settings.state.folder, ID)
    assert erase(settings, ID, NOW, "Ann").left == []
    with closing(ReviewTable(path)) as table:
        assert (table.waiting("m", "bo"), table.due(99)) == (1, [])
    assert ID.encode() not in path.read_bytes()


def test_row_in_the_record_of_incidents_is_erased(settings: Settings) -> None:
    """Neither its id nor the digest of it is in a segment; a replay of the incident says how many rows it lost."""
    folder = settings.state / JOURNAL_FOLDER
    names = recorded_names(settings, ID)
    assert is_recorded(settings, ID)
    report = erase(settings, ID, NOW, "Ann")
    assert (report.recorded, report.left) == (1, [])
    assert not any(has(folder, name) for name in names)
    (incident,) = all_incidents(settings)
    assert incident.missing == ("rows were erased on 2026-11-30",)
    result = replay(record_of_incident(settings, incident.id))
    assert (result.erased, result.missed_moves(incident)) == (1, [])


def test_digests_that_cannot_be_made_stop_an_erasure(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is deleted then: a part of the rows would stay, and the id would count as erased."""
    monkeypatch.setattr(erasure, "available_form", lambda: "blake2b")
    folder = settings.state / JOURNAL_FOLDER
    if has(folder, ID):  # recorded as it is
        assert erase(settings, ID, NOW, "Ann").left == []
        return
    with pytest.raises(ConfigError, match=r"00000001\.journal: has digests of ids by AES-CMAC; .*tightrope\[signed\]"):
        erase(settings, ID, NOW, "Ann")
    assert is_recorded(settings, ID)


def test_erasure_is_an_event_of_the_trail(settings: Settings) -> None:
    """It tells who, when and how many rows; the id itself is not in it."""
    erase(settings, ID, NOW, "Ann")
    event = json.loads(stored_chain(settings).events[-1].parts[-1])
    assert (event["kind"], event["actor"], event["time"], event["model"]) == ("erased", "Ann", NOW.timestamp(), "m")
    assert event["detail"] == {"rows": 2, "recorded": 1, "request_digest": audit_keys(settings).request_digest(ID)}
    assert ID not in json.dumps(event)
    assert verify(settings).problems == []


@given(numbers=st.sets(st.integers(0, ROWS - 1), min_size=1, max_size=3))
@hypothesis.settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_can_be_erased(killed: Path, tmp_path_factory: pytest.TempPathFactory, numbers: set[int]) -> None:
    """In any order, however their rows lie in what the process wrote."""
    folder = tmp_path_factory.mktemp("erased")
    shutil.copytree(killed, folder, dirs_exist_ok=True)
    settings = load(folder / "tightrope.yaml", {})
    names = [f"person-{number:05d}" for number in numbers]
    for name in names:
        assert erase(settings, name, NOW, "Ann").left == []
    for name in names:
        assert not any(has(settings.state.folder, text) for text in recorded_names(settings, name))
    assert verify(settings).problems == []


def test_erased_id_is_in_no_byte(settings: Settings) -> None:
    """Its neighbours stay, the chain holds, and the next process goes on from the same state."""
    folder = settings.state.folder
    assert has(folder, ID)
    report = erase(settings, ID, NOW, "Ann")
    assert (report.left, report.topics) == ([], [])
    assert not has(folder, ID)
    assert has(folder, "person-00598")
    assert verify(settings).problems == []
    with run_in_process(folder.parent / "tightrope.yaml") as running:
        assert not running.parts.store.lost("m")
        assert running.states()["group=minority"] == "safe"
        running.send(traffic(5, harm=False))
    assert verify(settings).problems == []
    assert not has(folder, ID)


def test_every_id_can_be_erased(settings: Settings) -> None:
    """Whether its row tipped a scope, waits for a label, or is in a tick that is still open."""
    for number in range(0, ROWS, 60):
        erase(settings, f"person-{number:05d}", NOW, "Ann")
    assert not any(has(settings.state.folder, f"person-{number:05d}") for number in range(0, ROWS, 60))
    assert verify(settings).problems == []


def test_nothing_may_run_meanwhile(settings: Settings) -> None:
    """A judge would write what it has in memory."""
    with (
        run_in_process(settings.state.folder.parent / "tightrope.yaml"),
        pytest.raises(ConfigError, match=r"another Tightrope is running on this state.*stop it, erase the id"),
    ):
        erase(settings, ID, NOW, "Ann")
    with (
        held_state(settings.state.folder, "run"),
        pytest.raises(
            ConfigError, match=rf"process {os.getpid()} on .* \(tightrope run, since .*stop it, erase the id"
        ),
    ):
        erase(settings, ID, NOW, "Ann")
    assert has(settings.state.folder, ID)


def test_files_of_an_older_tightrope_are_rewritten(settings: Settings) -> None:
    """Alerts and deleted events had raw ids; a file that was moved aside is told, because it cannot be rewritten."""
    folder = settings.state.folder
    with closing(sqlite3.connect(folder / "alerts.db", isolation_level=None)) as db:
        db.execute("CREATE TABLE alerts (key TEXT PRIMARY KEY, annotations TEXT NOT NULL)")
        db.execute("INSERT INTO alerts VALUES ('k', ?)", (json.dumps({"request_id": ID, "summary": "x"}),))
    line = json.dumps({"seq": 1, "detail": {"request_id": ID}})
    (folder / "events-20261128.jsonl").write_text(f"{line}\nno JSON\n")
    aside = folder / f"{DATABASE}.unreadable-20261128T000000Z"
    aside.write_bytes(b"\0" + ID.encode())
    assert erase(settings, ID, NOW, "Ann").left == [aside]
    aside.unlink()
    assert not has(folder, ID)
    assert (folder / "events-20261128.jsonl").read_text().endswith("}\nno JSON\n")


def test_mistakes_are_told(settings: Settings) -> None:
    """An empty id, and a snapshot in which the id may be because it cannot be read."""
    with pytest.raises(ConfigError, match="--id: is empty"):
        erase(settings, "", NOW, "Ann")
    with closing(sqlite3.connect(settings.state / DATABASE, isolation_level=None)) as db:
        db.execute("UPDATE snapshots SET body = x'c1'")
    with pytest.raises(ConfigError, match="the snapshot of m: cannot be read, so the id may be in it"):
        erase(settings, ID, NOW, "Ann")


def test_topics_are_told_with_the_date_of_their_retention(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a cluster records stay until then."""
    monkeypatch.setattr(erasure, "record_erasure", lambda *_: "")
    document = settings.model_dump() | {"bus": {"kafka": {"servers": ["k:9092"], "prefix": "p-"}}}
    report = erase(settings.model_copy(update={"bus": Settings.model_validate(document).bus}), ID, NOW, "Ann")
    assert report.topics[0] == "p-tightrope.samples: until 2026-12-01 00:00 UTC (24 h)"
    again = "p-tightrope.incidents: until the judge of this state has started again, and its compaction"
    assert report.topics[-2] == again
    assert report.topics[-1] == "p-tightrope.snapshots: until the next snapshot of the model, and its compaction"
