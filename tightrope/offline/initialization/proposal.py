"""The kind of a pair's decision, proposed from its findings. Nothing here runs a model; questions go to ``ask``.

How it works: every output that may decide is read on its own; the clearest reading counts, and among equally clear ones
people say which output decides.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tightrope.monitors.records import Role
from tightrope.offline.initialization.findings import OutputFinding, PairFindings
from tightrope.service.errors import TightropeError
from tightrope.service.inference.scales.learnt_scale import OutputRange

MOST_TAGS = 200
"""Classes of a place beyond which its numbers are taken for a vector, not for tags."""

MOST_POSITION_CLASSES = 1000
"""Classes of a place beyond which the places are taken for text."""

BOX_SIDES = 4
"""Numbers of a box."""

IMAGE_SIDES = 3
"""Sides of a map beside the row: channels, height and width."""


class KindName(StrEnum):
    """The kinds of decision."""

    CLASSES = "classes"
    LABELS = "labels"
    BINARY = "binary"
    MULTILABEL = "multilabel"
    REGRESSION = "regression"
    EMBEDDING = "embedding"
    POSITIONS = "positions"
    DETECTION = "detection"
    TEXT = "text"
    RANKING = "ranking"
    GENERATION = "generation"


PROBE, DATA, ANSWER, DEFAULT = "probe", "data", "answer", "default"
"""Sources of a written line."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to people, with what they may answer, the likeliest first."""

    text: str
    choices: Sequence[str]


Ask = Callable[[Question], int]
"""Asks a question and returns the index of the answer."""


@dataclass(frozen=True, slots=True)
class Option:
    """A key of the section `decision`, its value, and where that is from."""

    key: str
    value: object
    source: str


@dataclass(frozen=True, slots=True)
class KindProposal:
    """A kind for an output, ``found``: the finding that speaks for it, in words, and its options without the output."""

    kind: KindName
    output: str
    found: str
    options: tuple[Option, ...] = ()


class NoProposalError(TightropeError):
    """No output can decide."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """An output that may decide: a smaller ``order`` is clearer. ``propose`` may ask."""

    order: int
    output: OutputFinding
    propose: Callable[[], KindProposal]


def propose(findings: PairFindings, ask: Ask) -> KindProposal:
    """Propose the kind of a pair's decision.

    Raises:
        NoProposalError: when no output can decide.
    """
    for whole in (_generation(findings), _detection(findings)):
        if whole:
            return whole
    readings = list(_readings(findings, ask))
    if not readings:
        shown = ", ".join(map(str, findings.outputs)) or "no output"
        raise NoProposalError(f"no output can decide: both models give {shown}")
    clearest = [reading for reading in readings if reading.order == min(reading.order for reading in readings)]
    chosen = 0
    if len(clearest) > 1:
        names = [reading.output.name for reading in clearest]
        chosen = ask(Question("Several outputs may decide.", [f"{name} decides" for name in names]))
    return clearest[chosen].propose()


def _generation(findings: PairFindings) -> KindProposal | None:
    past = next((each.name for each in findings.inputs if "past" in each.name.lower()), None)
    logits = next((each for each in findings.outputs if each.kind == "f" and len(each.sides) == 2), None)  # noqa: PLR2004 - places and words
    if past is None or logits is None:
        return None
    return KindProposal(KindName.GENERATION, logits.name, f"{logits} with the input {past!r}: a decoder with a past")


def _detection(findings: PairFindings) -> KindProposal | None:
    """Boxes of four numbers, and as many scores."""
    for boxes in findings.outputs:
        if boxes.kind != "f" or (boxes.sides[-1:] != (BOX_SIDES,) and "box" not in boxes.name.lower()):
            continue
        scores = next((each for each in findings.outputs if "score" in each.name.lower()), None)
        if scores is not None and scores.name != boxes.name:
            return KindProposal(
                KindName.DETECTION, boxes.name, f"{boxes} beside {scores.name!r}: boxes and their scores"
            )
    return None


def _readings(findings: PairFindings, ask: Ask) -> Iterator[_Reading]:
    """The outputs that may decide, in the models' order."""
    for output in findings.outputs:
        if output.is_by_rows and not _is_state(output, findings):
            reading = _reading(output, findings, ask)
            if reading:
                yield reading


def _is_state(output: OutputFinding, findings: PairFindings) -> bool:
    """Whether callers send an output back: its name is an input's, and a little more."""
    name = output.name.lower()
    endings = ("n", "_n", "_out", "_next", "out", "")
    return any(name == each.name.lower() + ending for each in findings.inputs for ending in endings)


def _reading(output: OutputFinding, findings: PairFindings, ask: Ask) -> _Reading | None:
    wide = len(output.wide_sides)
    if output.kind in "iubO":
        return _Reading(5, output, lambda: _labels(output)) if wide == 0 else _Reading(6, output, lambda: _ids(output))
    if wide > 1:
        return _Reading(4, output, lambda: _positions(output, findings, ask))
    order = {OutputRange.SUMS_TO_ONE: 0, OutputRange.UNBOUNDED: 3, OutputRange.UNCLEAR: 3, None: 3}
    propose_one = _single if wide == 0 else _several
    return _Reading(order.get(output.range, 1), output, lambda: propose_one(output, ask))


def _labels(output: OutputFinding) -> KindProposal:
    what = "strings" if output.kind == "O" else "whole numbers"
    return KindProposal(KindName.LABELS, output.name, f"{output} holds {what}: one label a row")


def _ids(output: OutputFinding) -> KindProposal:
    return KindProposal(KindName.TEXT, output.name, f"{output} holds several whole numbers or strings a row: a text")


def _single(output: OutputFinding, ask: Ask) -> KindProposal:
    """One number a row."""
    if output.range is OutputRange.IN_UNIT_INTERVAL:
        found = f"{output} is one number in [0, 1]: the probability of yes"
        return KindProposal(KindName.BINARY, output.name, found, (_scale(output, "probabilities"), _threshold()))
    found = f"{output} is one number from {output.low:.3g} to {output.high:.3g}"
    question = Question(f"{found}. It is", ["a quantity (regression)", "a logit of yes or no (binary)"])
    if ask(question) == 1:
        return KindProposal(KindName.BINARY, output.name, found, (_scale(output, "logits", ANSWER), _threshold()))
    return _regression(output, found)


def _regression(output: OutputFinding, found: str) -> KindProposal:
    """Quantities; without rows the tolerance is only above the noise."""
    noise = f"{PROBE}: only above rounding; write the error that matters"
    options = (Option("loss", "absolute", DEFAULT), Option("tolerance", output.tolerance, noise))
    return KindProposal(KindName.REGRESSION, output.name, found, options)


def _several(output: OutputFinding, ask: Ask) -> KindProposal:
    """Several numbers a row."""
    count = output.wide_sides[0]
    match output.range:
        case OutputRange.SUMS_TO_ONE:
            found = f"each row of {output} sums to one: {count} classes"
            return KindProposal(KindName.CLASSES, output.name, found, (_scale(output, "probabilities"),))
        case OutputRange.LOG_PROBABILITIES:
            found = f"{output} holds log-probabilities: {count} classes"
            return KindProposal(KindName.CLASSES, output.name, found, (_scale(output, "logits"),))
        case OutputRange.IN_UNIT_INTERVAL:
            found = f"{output} is in [0, 1] and does not sum to one: {count} labels"
            return KindProposal(KindName.MULTILABEL, output.name, found, _multilabel(output, "probabilities", PROBE))
        case OutputRange.UNIT_LENGTH:
            return _embedding(output, f"{output} has rows of unit length: an embedding", PROBE)
    return _of_answer(output, ask)


def _of_answer(output: OutputFinding, ask: Ask) -> KindProposal:
    """Several numbers a row that do not tell what they mean."""
    found = f"{output} holds numbers from {output.low:.3g} to {output.high:.3g}"
    proposals: Mapping[str, Callable[[], KindProposal]] = {
        "logits, one class a row (classes)": lambda: KindProposal(
            KindName.CLASSES, output.name, found, (_scale(output, "logits", ANSWER),)
        ),
        "logits, any number of labels a row (multilabel)": lambda: KindProposal(
            KindName.MULTILABEL, output.name, found, _multilabel(output, "logits", ANSWER)
        ),
        "a vector whose direction counts (embedding)": lambda: _embedding(output, found, ANSWER),
        "quantities (regression)": lambda: _regression(output, found),
        "scores by which candidates are ordered (ranking)": lambda: KindProposal(KindName.RANKING, output.name, found),
    }
    return list(proposals.values())[ask(Question(f"{found}. They are", list(proposals)))]()


def _positions(output: OutputFinding, findings: PairFindings, ask: Ask) -> KindProposal:
    """A place in several, or a map."""
    if _is_text(output, findings):
        return KindProposal(KindName.TEXT, output.name, f"{output} has {output.sides[-1]} characters at each place")
    if output.is_in_unit_interval and (len(output.sides) == 2 or output.sides[0] == 1):  # noqa: PLR2004 - height, width
        found = f"{output} is in [0, 1] at each place: a map of yes and no"
        return KindProposal(
            KindName.POSITIONS, output.name, found, (Option("threshold", 0.5, DEFAULT), Option("loss", "iou", PROBE))
        )
    if len(output.sides) >= IMAGE_SIDES:
        found = f"{output} has {output.sides[0]} classes at each place of a map"
        return KindProposal(
            KindName.POSITIONS, output.name, found, (Option("class_axis", 1, PROBE), Option("loss", "iou", DEFAULT))
        )
    classes, reads_words = output.sides[-1], any(each.kind in "iuO" for each in findings.inputs)
    found = f"{output} has {classes} numbers at each place"
    tags, text = "a class at each place (positions)", "characters at each place, by CTC (text)"
    vector = "a vector at each place, of which the mean counts (embedding)"
    choices = [tags]
    if classes > MOST_POSITION_CLASSES and not reads_words:
        choices = [text]
    elif classes > MOST_TAGS:
        choices = [vector, tags, text]
    elif output.has_leader and not reads_words:
        choices = [text, tags]
    chosen = choices[ask(Question(f"{found}. They are", choices)) if len(choices) > 1 else 0]
    source = ANSWER if len(choices) > 1 else PROBE
    mask = _mask(output, findings)
    if chosen == text:
        return KindProposal(KindName.TEXT, output.name, found)
    if chosen == vector:
        return _embedding(output, found, source, Option("pool", "mean", ANSWER), *mask)
    return KindProposal(
        KindName.POSITIONS,
        output.name,
        found,
        (Option("class_axis", -1, source), *mask, Option("loss", "share", DEFAULT)),
    )


def _is_text(output: OutputFinding, findings: PairFindings) -> bool:
    """Whether the places are characters: their numbers sum to one, or one leads, among more than classes of places
    have, and the model reads no words.
    """
    is_one_of_many = output.range is OutputRange.SUMS_TO_ONE or output.has_leader
    reads_words = any(each.kind in "iuO" for each in findings.inputs)
    return len(output.sides) == 2 and output.sides[-1] > MOST_POSITION_CLASSES and is_one_of_many and not reads_words  # noqa: PLR2004 - places and characters


def _mask(output: OutputFinding, findings: PairFindings) -> tuple[Option, ...]:
    """The input that says which places count: as many sides as places."""
    sides = len(output.sides) - 1
    names = [each.name for each in findings.inputs if "mask" in each.name.lower() and len(each.sides) == sides]
    return (Option("mask", names[0], PROBE),) if names else ()


def _embedding(output: OutputFinding, found: str, source: str, *more: Option) -> KindProposal:
    return KindProposal(KindName.EMBEDDING, output.name, found, (Option("loss", "angular", source), *more))


def _scale(output: OutputFinding, scale: str, source: str = PROBE) -> Option:
    """The baseline's scale, or the scale of each role where the compressed model's rows show another."""
    found = output.ranges.get(Role.COMPRESSED)
    theirs = str((found and found.scale) or scale)
    return Option("scale", scale if theirs == scale else {"baseline": scale, "compressed": theirs}, source)


def _threshold() -> Option:
    return Option("threshold", 0.5, DEFAULT)


def _multilabel(output: OutputFinding, scale: str, source: str) -> tuple[Option, ...]:
    return (_scale(output, scale, source), Option("thresholds", 0.5, DEFAULT), Option("loss", "any", DEFAULT))
