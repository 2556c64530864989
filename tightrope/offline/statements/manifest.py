"""`tightrope manifest`: how an artefact was made, as provenance, and as a bill of materials of machine learning.

What is not given is absent: the manifest guesses nothing. Equal arguments and files give equal bytes.

Sources: SLSA v1.0 (`provenance`); in-toto Attestation Framework v1.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeAlias

import tightrope
from tightrope.service.adapters.model_files import STANDARD_INPUT, file_digest, find_files, require_file
from tightrope.service.errors import TightropeError
from tightrope.service.statements.qualification import STATEMENT_TYPE

PROVENANCE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:tightrope:compression:v1"
BUILDER_ID = "urn:tightrope:manifest:v1"

RecipeValue: TypeAlias = str | int | float | bool


class ManifestError(TightropeError):
    """An option of the manifest is no KEY=VALUE, or the manifest cannot be written."""


@dataclass(frozen=True, slots=True)
class NamedDigest:
    """A file and its SHA-256."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """An artefact, its files, and what is known of its making. ``digest`` is the one digest of all its files."""

    name: str
    digest: str
    files: Sequence[NamedDigest]
    recipe: Mapping[str, RecipeValue]
    tools: Mapping[str, str]
    baseline: NamedDigest | None = None
    data: Sequence[NamedDigest] = ()


def read_manifest(
    model: Path,
    recipe: Sequence[str],
    tools: Sequence[str],
    baseline: Path | None,
    data: Sequence[Path],
) -> ModelManifest:
    """Digest the files; ``recipe`` and ``tools`` are texts "KEY=VALUE".

    Raises:
        ModelFileError: when a file cannot be read.
        ManifestError: naming the option.
    """
    files = find_files(model)
    named = {model.name if name == STANDARD_INPUT else name: digest for name, digest in files.digests.items()}
    for path in data:
        require_file(path)
    return ModelManifest(
        name=model.name,
        digest=files.digest,
        files=[NamedDigest(name, named[name]) for name in sorted(named)],
        recipe={key: _value(value) for key, value in _pairs("--recipe", recipe).items()},
        tools=_pairs("--tool", tools),
        baseline=NamedDigest(baseline.name, find_files(baseline).digest) if baseline else None,
        data=[NamedDigest(path.name, file_digest(path)) for path in data],
    )


def provenance(manifest: ModelManifest) -> dict[str, Any]:
    """The manifest as an in-toto statement with SLSA provenance. Its subjects are all files of the artefact."""
    materials = [*([manifest.baseline] if manifest.baseline else []), *manifest.data]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [_resource(file) for file in manifest.files],
        "predicateType": PROVENANCE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": dict(manifest.recipe),
                "resolvedDependencies": [_resource(material) for material in materials],
            },
            "runDetails": {
                "builder": {"id": BUILDER_ID, "version": {"tightrope": tightrope.__version__, **manifest.tools}},
            },
        },
    }


def encode_document(document: Mapping[str, Any]) -> bytes:
    """The bytes of a document: JSON with sorted keys, indented for people. A name that is not UTF-8 is escaped."""
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def write_document(path: Path, content: bytes) -> None:
    """Replace a file at once.

    Raises:
        ManifestError: naming the file.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        raise ManifestError(f"{path}: cannot be written: {error.strerror}") from error


def _resource(file: NamedDigest) -> dict[str, Any]:
    return {"name": file.name, "digest": {"sha256": file.sha256}}


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key.strip() and equals):
            raise ManifestError(f"{option}: {text!r} should be KEY=VALUE")
        if key.strip() in pairs:
            raise ManifestError(f"{option}: {key.strip()!r} is given twice")
        pairs[key.strip()] = value.strip()
    return pairs


def _value(text: str) -> RecipeValue:
    """A number or true or false where the text is one in JSON, else the text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, int | float) and isfinite(value) else text
