"""The subjects of a statement: files by their digests, and models on other servers by address, name and version.

The Open Inference Protocol tells no digest of a model. A version names it, as long as its owner gives new weights a new
version; without one nothing tells one model from the next, so the statement has no digest and lets nothing serve.
"""

from collections.abc import Iterator
from pathlib import Path

from tightrope.monitors.records import Role
from tightrope.service.adapters.open_inference.model import endpoint_of
from tightrope.service.adapters.ports import Model
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.models import Endpoint
from tightrope.service.config.qualification import STATEMENT_SUFFIX
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.statements.examination import SUBJECT_ROLES
from tightrope.service.statements.qualification import NO_DIGEST, StatementSubject, SubjectDigest


def subjects(settings: Settings, pair: ModelPair) -> list[StatementSubject]:
    """The models that the statement is about, the compressed one first."""
    section = settings.models[pair.name]
    return [_subject(getattr(section, role), pair.models[Role(role)]) for role in SUBJECT_ROLES]


def _subject(artefact: Path | Endpoint, model: Model) -> StatementSubject:
    if isinstance(artefact, Path):
        return StatementSubject(name=artefact.name, digest=SubjectDigest(sha256=model.digest))
    endpoint = endpoint_of(model)
    versions = artefact.version or (", ".join(endpoint.metadata.versions) if endpoint else "")
    name = f"{artefact.model}, version {versions or 'unknown'}, on another server"
    return StatementSubject(name=name, digest=SubjectDigest(sha256=model.digest if versions else NO_DIGEST))


def digest_notes(settings: Settings, pair: ModelPair) -> Iterator[str]:
    """A line for each model that has no digest."""
    section = settings.models[pair.name]
    for role, subject in zip(SUBJECT_ROLES, subjects(settings, pair), strict=True):
        artefact = getattr(section, role)
        if subject.digest.sha256 == NO_DIGEST and isinstance(artefact, Endpoint):
            yield (
                f"models.{pair.name}.{role}: {artefact.endpoint} tells no version, so it has no digest; write version: "
                "without a digest the statement cannot be signed, and lets nothing serve"
            )


def bundle_file(settings: Settings, pair: ModelPair, out: Path | None, *, is_signed: bool) -> Path:
    """The bundle: the given one, the configured one, or the one beside the compressed model.

    Raises:
        ConfigError: when that is on another server, and none is given, or when a model without a digest is signed.
    """
    if is_signed and (lines := [f"--key: {note}" for note in digest_notes(settings, pair)]):
        raise ConfigError(lines)
    section = settings.models[pair.name]
    if out is not None:
        return out
    if section.qualification is not None and section.qualification.file is not None:
        return section.qualification.file
    artefact = section.compressed
    if not isinstance(artefact, Path):
        advice = f"write models.{pair.name}.qualification.file, or give --out"
        raise ConfigError([f"models.{pair.name}.compressed: is on another server, which has no folder; {advice}"])
    return artefact.with_name(artefact.name + STATEMENT_SUFFIX)
