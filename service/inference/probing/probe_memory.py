"""The findings of earlier probes, in a file of the state folder: a model that was probed needs no run on made-up rows.

An entry is found by everything that the findings depend on: the digest of the model, its outputs, its runtime options,
the host class, and the versions of onnxruntime and of the probe. A damaged file is as good as none.
"""

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import msgspec

from tightrope.service.adapters.ports import Model, host_class_of, loaded_model
from tightrope.service.config.runtime import RuntimeSection
from tightrope.service.inference.batchability import Findings, Proof, RowFinding
from tightrope.service.inference.row_probe import USUAL_PROBE, ProbeOptions

log = logging.getLogger(__name__)

PROBES_FILE = "probes.json"
"""The file in the state folder."""

PROBE_VERSION = 4
"""The version of what a probe finds: another one makes all models be probed again."""

MAX_REMEMBERED = 128
"""Models that are remembered, the latest ones."""

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Bytes beyond which the file is taken for damaged."""

ENTRIES = msgspec.json.Decoder(dict[str, dict[str, RowFinding]])


@dataclass
class ProbeMemory:
    """The remembered findings of a state folder. Findings wait for `save` where the folder is not there yet."""

    folder: Path
    _path: Path = field(init=False)
    _waiting: dict[str, dict[str, RowFinding]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._path = self.folder / PROBES_FILE

    def recall(
        self, model: Model, runtime: RuntimeSection, outputs: Sequence[str], options: ProbeOptions = USUAL_PROBE
    ) -> Findings | None:
        """The findings for these outputs of a model; None if it was not probed before."""
        return self._entries().get(_key(model, runtime, outputs, options))

    def probe(
        self,
        model: Model,
        runtime: RuntimeSection,
        outputs: Sequence[str],
        run: Callable[[], Findings],
        options: ProbeOptions = USUAL_PROBE,
    ) -> Findings:
        """Make the runs of a probe, and remember what they find. Where something stays unknown, or time was short, the
        next start tries again.
        """
        began = time.perf_counter()
        findings = run()
        took = time.perf_counter() - began
        if took < options.seconds and all(found.proof is not Proof.UNKNOWN for found in findings.values()):
            self._waiting[_key(model, runtime, outputs, options)] = dict(findings)
            self.save()
        return findings

    def save(self) -> None:
        """Write the file with the findings that wait, atomically; a folder that cannot be written to remembers none."""
        if not (self._waiting and self.folder.is_dir()):
            return
        entries = {**self._entries(), **self._waiting}
        self._waiting = {}
        kept = dict(list(entries.items())[-MAX_REMEMBERED:])
        draft = self._path.with_name(f"{PROBES_FILE}.{secrets.token_hex(4)}")
        try:
            draft.touch(mode=0o600, exist_ok=False)
            draft.write_bytes(msgspec.json.encode(kept))
            draft.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written, so the next start probes again: %s", self._path, error.strerror)
            draft.unlink(missing_ok=True)

    def _entries(self) -> dict[str, dict[str, RowFinding]]:
        try:
            if self._path.stat().st_size > MAX_FILE_BYTES:
                return {}
            return ENTRIES.decode(self._path.read_bytes())
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return {}


def _key(model: Model, runtime: RuntimeSection, outputs: Sequence[str], options: ProbeOptions) -> str:
    host = [host_class_of(model), version("onnxruntime")]
    rows = options.given.sha256 if options.given else ""
    document = [PROBE_VERSION, model.digest, list(outputs), runtime.answer_options, host, options.seconds, rows]
    if loaded_model(model) is not model:  # the tensors of callers, together with those of the file, tell the mapping
        sides = (model.inputs, model.outputs)
        document.append([[spec.name, spec.datatype, list(spec.shape)] for specs in sides for spec in specs])
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
