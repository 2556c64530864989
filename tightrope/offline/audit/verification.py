"""Walks the audit trail of a configuration's state: `tightrope audit`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tightrope.service.adapters.audit.chain import ORIGIN, Problem, StoredChain, find_problems
from tightrope.service.adapters.audit.cluster_chains import find_cluster_problems
from tightrope.service.adapters.audit.key_files import KEY_FILE, keys_beside
from tightrope.service.adapters.audit.seals import AuditKeys, Seal, SealError, SealKind, decode_seal
from tightrope.service.adapters.sqlite.event_chain import read_chain
from tightrope.service.adapters.sqlite.state_file import StoreError
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.wiring.audit_keys import public_keys, shared_keys, with_signer
from tightrope.wiring.embedded import DATABASE


@dataclass(frozen=True, slots=True)
class VerifiedTrail:
    """The result of a walk: the chain, its problems, and notes that are no problem."""

    stored: StoredChain
    problems: Sequence[Problem]
    notes: Sequence[str]
    summary: str


def _summary(stored: StoredChain) -> str:
    """The chain in one line."""
    events, head = len(stored.events), stored.head
    if head is None:
        return "the trail has no events yet"
    gone = sum(seal.last - seal.first + 1 for seal in stored.of(SealKind.GONE))
    deleted = f", {gone:,} deleted by retention" if gone else ""
    return f"{events:,} event{'' if events == 1 else 's'}{deleted}, head {head.last} {head.link[:12]}.."


def verify(settings: Settings, head: Path | None = None, key: Path | None = None) -> VerifiedTrail:
    """Walk the trail; ``head`` is a file with a head that was taken out of the machine, ``key`` that of a public key.

    Raises:
        ConfigError: when the state, the keys or the head cannot be read.
    """
    taken_out = [] if head is None else _read_heads(head)
    keys = public_keys(key) if key is not None else verifying_keys(settings)
    if settings.bus is not None:
        return _verify_cluster(settings, keys, taken_out)
    stored = stored_chain(settings)
    return VerifiedTrail(stored, find_problems(stored, keys, taken_out), list(_notes(stored)), _summary(stored))


def _verify_cluster(settings: Settings, keys: AuditKeys, taken_out: Sequence[Seal]) -> VerifiedTrail:
    """Walk the chains of all processes that have written events to the topic."""
    from tightrope.offline.audit.cluster_trail import read_chains  # noqa: PLC0415 - loads Kafka

    read = read_chains(settings)
    events = [event for stored in read.chains.values() for event in stored.events]
    problems, notes = find_cluster_problems(read, keys, taken_out)
    summary = f"{len(events):,} events in {len(read.chains)} chains, one for each process that wrote any"
    return VerifiedTrail(StoredChain(events, ()), problems, notes, summary)


def verifying_keys(settings: Settings) -> AuditKeys:
    """The keys of the configuration; none is made.

    Raises:
        ConfigError: when the secret is missing, although it signs the head, or a file cannot be used.
    """
    path = settings.state / KEY_FILE
    if (shared := shared_keys(settings)) is not None:
        return with_signer(settings, shared)
    if not path.exists() and settings.state.audit_key_file is None:
        raise ConfigError([f"state: {path} does not exist, so the head cannot be checked"])
    return with_signer(settings, keys_beside(path) if path.exists() else AuditKeys())


def stored_chain(settings: Settings) -> StoredChain:
    """The chain in the state of a configuration.

    Raises:
        ConfigError: when it cannot be read, or is not in a state file.
    """
    path = settings.state / DATABASE
    if not path.exists():
        raise ConfigError([f"state: {path} does not exist yet; `tightrope run` makes it"])
    try:
        return read_chain(path)
    except StoreError as error:
        raise ConfigError([str(error)]) from error


def heads_of(settings: Settings) -> list[Seal]:
    """The newest signed head of each writer.

    Raises:
        ConfigError: when the trail has no head.
    """
    if settings.bus is None:
        chains = [stored_chain(settings)]
    else:
        from tightrope.offline.audit.cluster_trail import read_chains  # noqa: PLC0415 - loads Kafka

        chains = [*read_chains(settings).chains.values()]
    heads = [stored.head for stored in chains if stored.head is not None]
    if not heads:
        raise ConfigError(["the audit trail has no head: it has no events, or lost it"])
    return heads


def _read_heads(path: Path) -> list[Seal]:
    """The heads in a file, one a line."""
    try:
        return [decode_seal(json.loads(line)) for line in path.read_bytes().splitlines() or [b""]]
    except OSError as error:
        raise ConfigError([f"--head: {path}: cannot be read: {error.strerror}"]) from error
    except (SealError, ValueError) as error:
        raise ConfigError([f"--head: {path}: {error}; `tightrope audit head CONFIG > {path}` writes one"]) from error


def _notes(stored: StoredChain) -> list[str]:
    """The parts of the trail about which the chain says less."""
    return [
        f"events {seal.first} to {seal.last} are of an older Tightrope and were chained on {_day(seal.time)}: "
        "what happened to them before is not known"
        for seal in stored.of(SealKind.FOUND)
        if seal.previous == ORIGIN
    ]


def _day(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"
