"""The walk of a configuration's state, with the keys that the configuration names."""

import json
from pathlib import Path

import pytest

from tests.support.key_files import write_key
from tightrope.monitors.records import Event
from tightrope.offline.audit.verification import heads_of, stored_chain, verify, verifying_keys
from tightrope.service.adapters.audit.seals import encode_seal
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.state import StateSection
from tightrope.wiring.audit_keys import audit_keys
from tightrope.wiring.embedded import DATABASE


def settings(folder: Path, **more: Path) -> Settings:
    """Settings with this state folder, and no models."""
    return Settings.model_construct(bus=None, state=StateSection(folder=folder, **more))  # type: ignore[arg-type]


def save(settings_: Settings, *numbers: int) -> None:
    """Save events, as a process that starts and stops."""
    store = SqliteStore(settings_.state / DATABASE, exclusive=True, keys=audit_keys(settings_))
    store.save("l", {}, {}, [Event(f"e{n}", float(n), "m", "note", "model", "judge", "") for n in numbers])
    store.close()


def test_sound_trail_has_a_summary(tmp_path: Path) -> None:
    """With its head."""
    save(settings(tmp_path), 1, 2)
    found = verify(settings(tmp_path))
    assert (found.problems, found.notes) == ([], [])
    assert found.summary.startswith("2 events, head 2 ")


def test_public_key_verifies_on_another_machine(tmp_path: Path) -> None:
    """Heads that were signed by HMAC are signed anew at the start after the key was configured."""
    private, public = write_key(tmp_path, "audit", 1)
    state = tmp_path / "state"
    save(settings(state), 1)
    with_key = settings(state, audit_key_file=private)
    save(with_key)
    assert verify(settings(state), key=public).problems == []
    save(with_key, 2)
    assert verify(with_key).problems == []
    (state / "audit.key").unlink()
    assert verify(settings(state), key=public).problems == []
    _, other = write_key(tmp_path, "other", 2)
    assert "signature of the head" in str(verify(settings(state), key=other).problems[0])


def test_head_in_a_file_is_compared(tmp_path: Path) -> None:
    """One that cannot be read is refused with its path."""
    save(settings(tmp_path), 1, 2)
    kept = tmp_path / "head.json"
    kept.write_text(encode_seal(heads_of(settings(tmp_path))[0]))
    assert verify(settings(tmp_path), kept).problems == []
    for content in ("{}", "no JSON", json.dumps({"kind": "head"})):
        kept.write_text(content)
        with pytest.raises(ConfigError, match=r"--head: .*head\.json: .*; `tightrope audit head CONFIG > "):
            verify(settings(tmp_path), kept)
    with pytest.raises(ConfigError, match=r"missing\.json: cannot be read"):
        verify(settings(tmp_path), tmp_path / "missing.json")


def test_reading_makes_nothing(tmp_path: Path) -> None:
    """A state that is missing or damaged is told, and no secret is made for the check of a head."""
    with pytest.raises(ConfigError, match="does not exist yet"):
        stored_chain(settings(tmp_path))
    (tmp_path / DATABASE).write_bytes(b"no database" * 100)
    with pytest.raises(ConfigError, match="cannot be read"):
        stored_chain(settings(tmp_path))
    with pytest.raises(ConfigError, match=r"audit\.key does not exist"):
        verifying_keys(settings(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == [DATABASE]


def test_trail_without_events_has_no_head(tmp_path: Path) -> None:
    """Nothing is wrong with it."""
    save(settings(tmp_path))
    assert verify(settings(tmp_path)).problems == []
    assert verify(settings(tmp_path)).summary == "the trail has no events yet"
    with pytest.raises(ConfigError, match="has no head"):
        heads_of(settings(tmp_path))
