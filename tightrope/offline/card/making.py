"""How an artefact was made, from the manifest beside it: it counts only if it is about this very artefact."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tightrope.offline.qualification.statement import MANIFEST_SUFFIX
from tightrope.offline.statements.manifest import PROVENANCE_TYPE
from tightrope.service.adapters.model_files import STANDARD_INPUT, find_files
from tightrope.service.statements.qualification import MadeRecord


class _ProvenanceBuild(msgspec.Struct):
    externalParameters: dict[str, str | int | float | bool] = {}  # noqa: N815 - as SLSA names it
    resolvedDependencies: list[dict[str, Any]] = []  # noqa: N815 - as above


class _ProvenanceBuilder(msgspec.Struct):
    version: dict[str, str] = {}


class _ProvenanceRun(msgspec.Struct):
    builder: _ProvenanceBuilder = msgspec.field(default_factory=_ProvenanceBuilder)


class _Provenance(msgspec.Struct):
    buildDefinition: _ProvenanceBuild  # noqa: N815 - as SLSA names it
    runDetails: _ProvenanceRun  # noqa: N815 - as above


class _ManifestSubject(msgspec.Struct):
    name: str
    digest: dict[str, str]


class _SignedManifest(msgspec.Struct):
    predicateType: str  # noqa: N815 - as in-toto names it
    subject: list[_ManifestSubject]
    predicate: _Provenance


@dataclass(frozen=True, slots=True)
class MadeBy:
    """The recipe, the tools with their versions, and the materials by SHA-256, all by name. ``digest`` is the
    manifest's; ``missing`` says why nothing is told.
    """

    digest: str = ""
    recipe: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    materials: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""


def read_making(artefact: Path, made: MadeRecord) -> MadeBy:
    """Read the manifest beside an artefact; one that is about other files, or is not the one that the statement names,
    tells nothing.
    """
    path = artefact.with_name(artefact.stem + MANIFEST_SUFFIX)
    try:
        content = path.read_bytes()
    except OSError:
        return MadeBy(missing="there is no manifest (`tightrope manifest` writes one)")
    digest = hashlib.sha256(content).hexdigest()
    try:
        manifest = msgspec.json.decode(content, type=_SignedManifest)
    except msgspec.MsgspecError:
        return MadeBy(missing="the manifest cannot be read")
    files = find_files(artefact).digests
    expected = {artefact.name if name == STANDARD_INPUT else name: found for name, found in files.items()}
    if manifest.predicateType != PROVENANCE_TYPE or _digests(manifest) != expected:
        return MadeBy(missing="the manifest is about other files")
    if isinstance(made.manifest_sha256, str) and made.manifest_sha256 != digest:
        return MadeBy(missing="the manifest is not the one that the statement names")
    build = manifest.predicate.buildDefinition
    materials = {
        str(each.get("name")): str(each.get("digest", {}).get("sha256")) for each in build.resolvedDependencies
    }
    return MadeBy(digest, build.externalParameters, manifest.predicate.runDetails.builder.version, materials)


def _digests(manifest: _SignedManifest) -> dict[str, str]:
    return {each.name: each.digest.get("sha256", "") for each in manifest.subject}
