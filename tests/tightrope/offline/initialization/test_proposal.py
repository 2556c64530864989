"""The kind that is proposed from findings: the same for equal findings, without a run."""

from dataclasses import replace

import pytest

from tightrope.monitors.records import Role
from tightrope.offline.initialization.findings import InputFinding, OutputFinding, PairFindings
from tightrope.offline.initialization.proposal import KindName, KindProposal, NoProposalError, Question, propose
from tightrope.service.inference.scales.learnt_scale import OutputRange

NUMBERS = (InputFinding("x", "f", (32,)),)
WORDS = (InputFinding("input_ids", "i", (-1,)), InputFinding("attention_mask", "i", (-1,)))
IMAGE = (InputFinding("image", "f", (3, -1, -1)),)

UNIT, SUM, FREE, LOGS = (
    OutputRange.IN_UNIT_INTERVAL,
    OutputRange.SUMS_TO_ONE,
    OutputRange.UNBOUNDED,
    OutputRange.LOG_PROBABILITIES,
)


def said(
    name: str = "p",
    *sides: int,
    found: OutputRange | None = None,
    kind: str = "f",
    low: float = -5.0,
    high: float = 5.0,
    lead: float = 0.0,
    is_by_rows: bool = True,
) -> OutputFinding:
    """Build the finding about an output; numbers in [0, 1] lie there."""
    if found in {UNIT, SUM}:
        low, high = 0.0, 1.0
    ranges = {} if found is None else dict.fromkeys(Role, found)
    return OutputFinding(name, kind, sides, sides, ranges, low, high, lead=lead, is_by_rows=is_by_rows)


def proposed(
    outputs: tuple[OutputFinding, ...], inputs: tuple[InputFinding, ...] = NUMBERS, *answers: int
) -> tuple[KindProposal, list[Question]]:
    """Return the proposal, and the questions that were asked; the first choice without an answer."""
    asked: list[Question] = []

    def ask(question: Question) -> int:
        asked.append(question)
        return answers[len(asked) - 1] if len(asked) <= len(answers) else 0

    return propose(PairFindings(inputs, outputs), ask), asked


def options(proposal: KindProposal) -> dict[str, object]:
    """Return the options by their keys."""
    return {option.key: option.value for option in proposal.options}


CLEAR = [
    (said("p", 12, found=SUM), NUMBERS, KindName.CLASSES, {"scale": "probabilities"}),
    (said("p", 1, 12, found=SUM), NUMBERS, KindName.CLASSES, {"scale": "probabilities"}),
    (said("p", 12, found=LOGS), NUMBERS, KindName.CLASSES, {"scale": "logits"}),
    (said("p", 1, found=UNIT), NUMBERS, KindName.BINARY, {"scale": "probabilities", "threshold": 0.5}),
    (said("p", found=UNIT), NUMBERS, KindName.BINARY, {"scale": "probabilities", "threshold": 0.5}),
    (
        said("p", 12, found=UNIT),
        NUMBERS,
        KindName.MULTILABEL,
        {"scale": "probabilities", "thresholds": 0.5, "loss": "any"},
    ),
    (said("v", 24, found=OutputRange.UNIT_LENGTH), WORDS, KindName.EMBEDDING, {"loss": "angular"}),
    (said("label", kind="i"), NUMBERS, KindName.LABELS, {}),
    (said("label", 1, kind="O"), NUMBERS, KindName.LABELS, {}),
    (said("ids", 20, kind="i"), WORDS, KindName.TEXT, {}),
    (
        said("tags", 8, 9),
        WORDS,
        KindName.POSITIONS,
        {"class_axis": -1, "mask": "attention_mask", "loss": "share"},
    ),
    (said("map", 1, 64, 64, low=0.0, high=1.0), IMAGE, KindName.POSITIONS, {"threshold": 0.5, "loss": "iou"}),
    (said("map", 64, 64, low=0.0, high=1.0), IMAGE, KindName.POSITIONS, {"threshold": 0.5, "loss": "iou"}),
    (said("seg", 21, 64, 64), IMAGE, KindName.POSITIONS, {"class_axis": 1, "loss": "iou"}),
    (said("chars", 40, 18710), IMAGE, KindName.TEXT, {}),
]


@pytest.mark.parametrize(("output", "inputs", "kind", "expected"), CLEAR)
def test_clear_findings_need_no_question(
    output: OutputFinding, inputs: tuple[InputFinding, ...], kind: KindName, expected: dict[str, object]
) -> None:
    """One output, one kind; the sentence names the output."""
    proposal, asked = proposed((output,), inputs)
    assert (proposal.kind, proposal.output, options(proposal), asked) == (kind, output.name, expected, [])
    assert output.name in proposal.found
    assert {option.source.partition(":")[0] for option in proposal.options} <= {"probe", "default"}


@pytest.mark.parametrize(
    ("output", "inputs", "kinds"),
    [
        (said("y", 1, found=FREE), NUMBERS, [KindName.REGRESSION, KindName.BINARY]),
        (said("y", found=FREE), NUMBERS, [KindName.REGRESSION, KindName.BINARY]),
        (
            said("z", 12, found=FREE),
            NUMBERS,
            [KindName.CLASSES, KindName.MULTILABEL, KindName.EMBEDDING, KindName.REGRESSION, KindName.RANKING],
        ),
        (
            said("z", 12),
            NUMBERS,
            [KindName.CLASSES, KindName.MULTILABEL, KindName.EMBEDDING, KindName.REGRESSION, KindName.RANKING],
        ),
        (said("h", 8, 384), WORDS, [KindName.EMBEDDING, KindName.POSITIONS, KindName.TEXT]),
        (said("c", 40, 97, lead=0.95), IMAGE, [KindName.TEXT, KindName.POSITIONS]),
    ],
)
def test_unclear_findings_are_asked_about(
    output: OutputFinding, inputs: tuple[InputFinding, ...], kinds: list[KindName]
) -> None:
    """One question, with a choice for each kind, the likeliest first; what was answered is the source."""
    for index, kind in enumerate(kinds):
        proposal, asked = proposed((output,), inputs, index)
        assert proposal.kind is kind
        assert [len(question.choices) for question in asked] == [len(kinds)]
        assert str(kind) in asked[0].choices[index]
        assert "probe" not in {option.source for option in proposal.options if option.key != "mask"}
    assert proposed((output,), inputs)[0].kind is kinds[0]


def test_answered_logits_have_their_scale() -> None:
    """For one class, for several labels, and for yes or no."""
    for output, answer in ((said("z", 12, found=FREE), 0), (said("z", 12, found=FREE), 1), (said("z", 1), 1)):
        assert options(proposed((output,), NUMBERS, answer)[0])["scale"] == "logits"


def test_scale_is_proposed_for_each_role_where_they_differ() -> None:
    """A student that gives logits, of a teacher that gives probabilities; and the other way round."""
    teacher = replace(said("p", 12), ranges={Role.BASELINE: SUM, Role.COMPRESSED: FREE})
    student = replace(said("p", 12), ranges={Role.BASELINE: LOGS, Role.COMPRESSED: SUM})
    assert options(proposed((teacher,))[0])["scale"] == {"baseline": "probabilities", "compressed": "logits"}
    assert options(proposed((student,))[0])["scale"] == {"baseline": "logits", "compressed": "probabilities"}


def test_tags_with_a_leader_are_tags_where_words_are_read() -> None:
    """Most words of a text have the tag of nothing."""
    assert proposed((said("tags", 8, 9, lead=0.99),), WORDS)[0].kind is KindName.POSITIONS


@pytest.mark.parametrize(
    ("outputs", "decides"),
    [
        ((said("label", kind="i"), said("probabilities", 3, found=SUM)), "probabilities"),
        ((said("state", 3, 8), said("probs", 4, found=SUM)), "probs"),
        ((said("z", 12, found=FREE), said("p", 12, found=UNIT)), "p"),
        ((said("hidden", 8, 384), said("pooled", 384, found=OutputRange.UNIT_LENGTH)), "pooled"),
        ((said("layers", 4, found=SUM, is_by_rows=False), said("z", 1, found=UNIT)), "z"),
    ],
)
def test_clearest_output_decides(outputs: tuple[OutputFinding, ...], decides: str) -> None:
    """In any order, and only one by rows."""
    for order in (outputs, outputs[::-1]):
        proposal, asked = proposed(order)
        assert (proposal.output, asked) == (decides, [])


def test_state_that_callers_send_back_does_not_decide() -> None:
    """Its name is an input's, and a little more."""
    inputs = (*NUMBERS, InputFinding("state", "f", (2, 128)))
    proposal, asked = proposed((said("stateN", 1, found=UNIT), said("output", 1, found=UNIT)), inputs)
    assert (proposal.output, asked) == ("output", [])


def test_equally_clear_outputs_are_asked_about() -> None:
    """The answer decides, and the first one without."""
    outputs = said("a", 3, found=SUM), said("b", 4, found=SUM)
    assert [proposed(outputs, NUMBERS, answer)[0].output for answer in (0, 1)] == ["a", "b"]
    assert list(proposed(outputs)[1][0].choices) == ["a decides", "b decides"]


@pytest.mark.parametrize(
    ("outputs", "inputs", "kind"),
    [
        ((said("boxes", 20, 4), said("scores", 20, found=UNIT)), IMAGE, KindName.DETECTION),
        (
            (said("scores", 20, found=UNIT), said("dets", 20, 4), said("labels", 20, kind="i")),
            IMAGE,
            KindName.DETECTION,
        ),
        (
            (said("logits", 1, 64), said("present.0.key", 1, 8, 16)),
            (*WORDS, InputFinding("past_key_values.0.key", "f", (1, -1, 16))),
            KindName.GENERATION,
        ),
    ],
)
def test_several_outputs_make_one_kind(
    outputs: tuple[OutputFinding, ...], inputs: tuple[InputFinding, ...], kind: KindName
) -> None:
    """Boxes with scores are a detection, logits with a past a generation."""
    proposal, asked = proposed(outputs, inputs)
    assert (proposal.kind, asked) == (kind, [])


def test_pair_without_rows_has_no_proposal() -> None:
    """The sentence names the outputs."""
    with pytest.raises(NoProposalError, match=r"no output can decide: both models give layers \[rows, 4\]"):
        proposed((said("layers", 4, found=SUM, is_by_rows=False),))
    with pytest.raises(NoProposalError, match="no output"):
        proposed(())
