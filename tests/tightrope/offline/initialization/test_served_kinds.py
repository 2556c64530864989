"""Kinds that are written, and those that are refused with a sentence."""

import pytest

from tightrope.offline.initialization.proposal import KindName, KindProposal, NoProposalError, Option
from tightrope.offline.initialization.served_kinds import SERVED, written_options
from tightrope.service.config.decision import DecisionSection
from tightrope.service.inference.kinds.kind_building import check_options

LATER = {KindName.DETECTION, KindName.TEXT, KindName.RANKING, KindName.GENERATION}
OPTIONS = (Option("scale", "logits", "probe"), Option("threshold", 0.5, "default"), Option("tolerance", 0.25, "data"))


@pytest.mark.parametrize("kind", KindName)
def test_kind_is_written_as_the_configuration_knows_it_or_refused(kind: KindName) -> None:
    """A written section has only options of its kind; a refusal says what was found, and names a later version."""
    proposal = KindProposal(kind, "p", "p is something", OPTIONS)
    assert (kind in SERVED) == (kind not in LATER)
    if kind in LATER:
        with pytest.raises(NoProposalError) as refused:
            written_options(proposal)
        assert str(refused.value) == f"p is something (kind: {kind}); a later version has it"
        return
    section = DecisionSection.model_validate({each.key: each.value for each in written_options(proposal)})
    assert section.output == "p"
    if kind is KindName.REGRESSION:
        assert (section.scale, section.tolerance, section.kind) == ("regression", 0.25, None)
        return
    assert section.kind == kind
    mistakes: list[str] = []
    check_options(section, lambda key, text: mistakes.append(f"{key}: {text}"))
    assert mistakes == []
