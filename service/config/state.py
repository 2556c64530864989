"""The section of the state folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ByteSize, Field, model_validator

from tightrope.service.config.section import Section


class StateSection(Section):
    """The state folder, and how long the audit trail is kept in it. ``section / name`` is a path in the folder.

    >>> StateSection.model_validate("state") / "tightrope.db" == StateSection(folder=Path("state")) / "tightrope.db"
    True
    """

    folder: Path = Path("state")
    """The folder with the verdicts, modes and events that survive a restart, relative to this file. A state in it that
    cannot be read is moved aside, and every scope begins in safe mode. `state: FOLDER` is the short form.
    """
    events_days: Annotated[float, Field(gt=0)] = 365.0
    """Days for which events are kept, in a single process; in a cluster see `bus.kafka.retention_hours`. An event stays
    while it explains a mode that still stands.
    """
    events_most: Annotated[int, Field(ge=1)] = 1_000_000
    """Events that are kept at most; the oldest go first."""
    audit_key_file: Path | None = None
    """The private key (Ed25519, PEM, mode 0600) that signs the head of the audit trail; needs the extra `signed`. If
    left out, HMAC with the secret `audit.key` of the folder does; see docs/audit.md.
    """
    events_file: bool = False
    """Write events that go to `events-YYYYMMDD.jsonl` in the folder, by the day on which they go."""

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:  # noqa: ANN401 - any YAML
        """A path alone is the folder."""
        if not isinstance(value, str | Path | Mapping):
            raise ValueError("must be a folder, or a map with folder:")  # noqa: TRY004 - pydantic's kind of mistake
        return {"folder": value} if isinstance(value, str | Path) else value

    def __truediv__(self, name: str) -> Path:
        """A path in the folder."""
        return self.folder / name


class RecordSection(Section):
    """The record of the judgement in the state folder, from which incidents are replayed; see docs/incidents.md."""

    keep: Literal["incidents", "all"] = "incidents"
    """The inputs that are written. incidents: those of an incident, with the ones that led to it, which are in memory
    until then (16 MB); all: every one, so that `tightrope whatif` knows quiet times as well; 100 to 300 bytes a row.
    """
    keep_days: Annotated[float, Field(gt=0)] = 90.0
    """Days for which an incident is kept after it closed."""
    most_bytes: ByteSize = ByteSize(1_000_000_000)
    """Size of the record, such as 1GB. What belongs to no incident goes first, then the oldest closed incident."""
    reserve_bytes: ByteSize = ByteSize(500_000_000)
    """Free space on the volume, or a tenth of it if that is less, below which nothing is recorded."""
