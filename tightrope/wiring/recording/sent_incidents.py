"""The list of what a judge has published of its incidents, in its state folder, so that all of it can be deleted again.

STATE/journal/sent.json: the versions of each incident's file on the topic with the number of their pieces, and the
state of its own files when the last piece was acknowledged. A version is on the list before its first piece is sent.
"""

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

SENT_FORMAT = "tightrope.sent-incidents/1"


@dataclass(slots=True)
class SentIncident:
    """The versions (digests) of a file that may be on the topic, with their pieces; ``files`` is the state of the files
    in the record that was published as a whole, empty before.
    """

    copies: dict[str, int] = field(default_factory=dict)
    files: str = ""


class SentIncidents:
    """The list in a file. ``log`` is the id of the topic that it is of; ``known`` has what was sent of an incident by
    model and id.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.log = ""
        self.known: dict[tuple[str, str], SentIncident] = {}
        self._read()

    def _read(self) -> None:
        try:
            body = json.loads(self._path.read_bytes())
            if body["format"] != SENT_FORMAT:
                raise ValueError(f"format: must be {SENT_FORMAT}")  # noqa: TRY301 - one place tells all of it
            self.known = {
                (model, name): SentIncident({str(d): int(n) for d, n in sent["copies"].items()}, str(sent["files"]))
                for model, incidents in body["incidents"].items()
                for name, sent in incidents.items()
            }
            self.log = str(body["log"])
        except FileNotFoundError:
            return
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            self.known = {}
            log.warning("%s cannot be read, so all incidents are published again: %s", self._path, error)

    def begin(self, topic_id: str) -> None:
        """Begin with another topic, on which nothing is yet. It is saved with the first incident."""
        self.log = topic_id
        self.known = {key: SentIncident(sent.copies) for key, sent in self.known.items()}

    def files(self, key: tuple[str, str]) -> str:
        """The state of the files of an incident that was published as a whole; empty if none was."""
        return self.known[key].files if key in self.known else ""

    def of(self, key: tuple[str, str]) -> SentIncident:
        """The entry of an incident, to be changed and saved."""
        return self.known.setdefault(key, SentIncident())

    def save(self) -> None:
        """Write the list as a whole.

        Raises:
            OSError: when the disk refuses.
        """
        incidents: dict[str, dict[str, object]] = {}
        for (model, name), sent in self.known.items():
            incidents.setdefault(model, {})[name] = asdict(sent)
        draft = self._path.with_suffix(".part")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(json.dumps({"format": SENT_FORMAT, "log": self.log, "incidents": incidents}))
        draft.replace(self._path)
