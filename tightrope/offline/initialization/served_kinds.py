"""The kinds of decision that this version serves, and how each is written in the section `decision`."""

from collections.abc import Mapping
from dataclasses import dataclass

from tightrope.offline.initialization.proposal import PROBE, KindName, KindProposal, NoProposalError, Option


@dataclass(frozen=True, slots=True)
class WrittenForm:
    """The ``keys`` of a proposal that the configuration knows, and the lines that stand for the kind itself: `kind`,
    unless there are ``others``.
    """

    keys: frozenset[str]
    others: tuple[Option, ...] = ()


SERVED: Mapping[KindName, WrittenForm] = {
    KindName.CLASSES: WrittenForm(frozenset({"scale"})),
    KindName.LABELS: WrittenForm(frozenset()),
    KindName.BINARY: WrittenForm(frozenset({"scale", "threshold"})),
    KindName.MULTILABEL: WrittenForm(frozenset({"scale", "thresholds", "loss"})),
    KindName.REGRESSION: WrittenForm(frozenset({"tolerance"}), (Option("scale", "regression", PROBE),)),
    KindName.EMBEDDING: WrittenForm(frozenset({"loss", "pool", "mask"})),
    KindName.POSITIONS: WrittenForm(frozenset({"class_axis", "threshold", "mask", "loss"})),
}
"""The written form of each kind. A kind that is not here is of a later version."""


def written_options(proposal: KindProposal) -> tuple[Option, ...]:
    """The lines of the section `decision` for a proposal.

    Raises:
        NoProposalError: when its kind is not served, with what was found.
    """
    form = SERVED.get(proposal.kind)
    if form is None:
        raise NoProposalError(f"{proposal.found} (kind: {proposal.kind}); a later version has it")
    kind = form.others or (Option("kind", str(proposal.kind), PROBE),)
    output = Option("output", proposal.output, PROBE)
    return (output, *kind, *(option for option in proposal.options if option.key in form.keys))
