"""Whether a statement of qualification fits a configuration: it was made for subgroups and for a refusal, by criteria
that are as strict as those of the configuration, and its limits are the loosest that the configuration may have.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.monitors.scopes import OTHER_VALUE, scope_name
from tightrope.service.config.models import ModelSection, RefusalSection
from tightrope.service.config.qualification import CriterionSection, ProvenLimit, QualificationSection
from tightrope.service.config.subgroups import SubgroupSection
from tightrope.service.statements.qualification import (
    CriterionRecord,
    LimitRecord,
    QualificationPredicate,
    RefusalRecord,
)
from tightrope.service.statements.text import one_line

MAX_LIVE_LIMIT = 0.7
"""The loosest limit that a statement gives a monitor: evidence can hold none that is much larger."""


def configuration_objections(
    section: ModelSection, predicate: QualificationPredicate, withheld: Iterable[str]
) -> Iterator[str]:
    """Yield what the statement was made for and the configuration does not have."""
    for attribute, written in predicate.subgroups.items():
        yield from _subgroup_objections(attribute, written, section.subgroups.get(attribute))
    ours, theirs = _refusal(section.refusal), predicate.refusal
    if ours != _complete(theirs):
        yield f"was made for {_described(theirs)}, but the configuration has {_described(ours)}"
    if section.qualification is not None:
        yield from _criteria_objections(section.qualification, predicate)
    groups = section.subgroups.items()
    scopes = {scope_name(name, value) for name, group in groups for value in (*group.values, OTHER_VALUE)}
    for scope in sorted({*withheld} - scopes - {MODEL_SCOPE}):
        yield f"withholds {one_line(scope)}, which is not in the configuration"


def _criteria_objections(asked: QualificationSection, predicate: QualificationPredicate) -> Iterator[str]:
    """Yield the criteria of the configuration that the statement does not have, or judged less strictly."""
    if predicate.confidence < asked.confidence:
        yield f"has a confidence of {predicate.confidence:g}, but the configuration asks for {asked.confidence:g}"
    for name, ours in asked.criteria.items():
        if (theirs := predicate.criteria.get(name)) is None:
            yield f"does not judge {name}, which is a criterion of the configuration"
            continue
        for key in CriterionRecord.__struct_fields__:
            if not _is_as_strict(ours, theirs, key):
                judged, wanted = (_shown(getattr(each, key)) for each in (theirs, ours))
                yield f"judges {name} by {key} {judged}, but the configuration asks for {wanted}; qualify again"


def _is_as_strict(ours: CriterionSection, theirs: CriterionRecord, key: str) -> bool:
    """Whether a statement judged by a key of a criterion at least what the configuration asks for."""
    asked, judged = getattr(ours, key), getattr(theirs, key)
    if asked is None or key == "at":
        return asked in {None, judged}
    if judged is None:
        return False
    (most, proof), (limit, shown) = _limit_of(asked), _limit_of(judged)
    return limit <= most and shown in {"within", proof}


def _limit_of(limit: float | LimitRecord | ProvenLimit) -> tuple[float, str]:
    return (limit, "within") if isinstance(limit, int | float) else (limit.limit, limit.proof)


def _shown(limit: float | LimitRecord | ProvenLimit | None) -> str:
    if limit is None:
        return "nothing"
    number, proof = _limit_of(limit)
    return f"{number:g}" if proof == "within" else f"{number:g} ({proof})"


def _subgroup_objections(attribute: str, written: object, ours: SubgroupSection | None) -> Iterator[str]:
    name = one_line(attribute)
    if ours is None:
        yield f"subgroup {name} is not in the configuration"
        return
    try:
        theirs = SubgroupSection.model_validate(written)
    except ValueError:
        yield f"subgroup {name} cannot be read"
        return
    if _source(theirs) != _source(ours):
        yield f"subgroup {name} comes from another place in the configuration"
    for value, codes in _codes(theirs).items():
        if value not in _codes(ours):
            yield f"subgroup {name}={one_line(value)} is not in the configuration"
        elif codes != _codes(ours)[value]:
            yield f"subgroup {name}={one_line(value)} has other codes in the configuration"


def _source(group: SubgroupSection) -> tuple[object, ...]:
    return group.parameter, group.input, group.column, tuple(group.normalise)


def _codes(group: SubgroupSection) -> Mapping[str, object]:
    return group.values if isinstance(group.values, dict) else dict.fromkeys(group.values)


def _refusal(section: RefusalSection | None) -> RefusalRecord | None:
    if section is None:
        return None
    return _complete(
        RefusalRecord(
            score=str(section.score), threshold=section.threshold, compressed_threshold=section.compressed_threshold
        )
    )


def _complete(refusal: RefusalRecord | None) -> RefusalRecord | None:
    """The refusal with both thresholds: the baseline's holds for both where only it is given."""
    if refusal is None:
        return None
    own = refusal.compressed_threshold
    return RefusalRecord(
        score=refusal.score,
        threshold=refusal.threshold,
        compressed_threshold=refusal.threshold if own is None else own,
    )


def _described(refusal: RefusalRecord | None) -> str:
    if (whole := _complete(refusal)) is None:
        return "no refusal"
    own = f" and {whole.compressed_threshold:g}" if whole.compressed_threshold != whole.threshold else ""
    return f"refusal by {one_line(whole.score)} at {whole.threshold:g}{own}"


def statement_limits(criteria: Mapping[str, CriterionRecord]) -> tuple[dict[str, float], dict[str, float]]:
    """The limits of live monitors: for the model, or its classes, and for subgroups."""
    live = {name: criterion for name, criterion in criteria.items() if name in CATALOGUE}
    model = {name: criterion.model or criterion.classes for name, criterion in live.items()}
    subgroups = {name: criterion.subgroups for name, criterion in live.items()}
    return _plain(model), _plain(subgroups)


def _plain(limits: Mapping[str, float | LimitRecord | None]) -> dict[str, float]:
    given = {name: limit for name, limit in limits.items() if limit is not None}
    plain = {name: limit.limit if isinstance(limit, LimitRecord) else float(limit) for name, limit in given.items()}
    return {name: min(limit, MAX_LIVE_LIMIT) for name, limit in plain.items()}


def looser_limits(
    model: str, section: ModelSection, limits: Mapping[str, float], subgroup_limits: Mapping[str, float]
) -> Iterator[str]:
    """Yield a line for each written limit that is looser than the statement's."""
    written: Sequence[tuple[str, Mapping[str, float | None], Mapping[str, float]]] = (
        ("limits", section.limits, limits),
        ("subgroup_limits", section.subgroup_limits, subgroup_limits),
    )
    for key, ours, theirs in written:
        for name in ours.keys() & theirs.keys():
            limit = ours[name]
            if limit is None or limit > theirs[name]:
                shown = "null" if limit is None else f"{limit:g}"
                yield (
                    f"models.{model}.{key}.{name}: is {shown}, looser than the {theirs[name]:g} that the statement of "
                    "qualification proves; write at most that, or qualify again"
                )
