"""The opinions about one statement: who approves it, who dissents, and what was deleted.

A line that is deleted must not help. Approvals are counted, so one that is missing is missed. An opinion names those
that its writer saw, so a dissent that was seen before an approval cannot disappear either. A dissent stays until its
key approves and thereby names it. A key's opinions in force are those that no later opinion of the key names.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tightrope.service.statements.approval import ApprovalPredicate, ApprovalStatement
from tightrope.service.statements.bundle import SignedStatement
from tightrope.service.statements.text import one_line, quoted, with_article
from tightrope.service.statements.trust import SignerKey, Trust


@dataclass(frozen=True, slots=True)
class HeldOpinion:
    """An opinion in force: ``key`` is the index of its writer's key among those of the ``role``."""

    role: str
    key: int
    name: str
    opinion: ApprovalPredicate


def held_opinions(approvals: Sequence[SignedStatement[ApprovalStatement]], trust: Trust) -> Iterator[HeldOpinion]:
    """The opinions in force of each key in each of its roles. A signature counts in a role of its key only."""
    for role, keys in trust.keys.items():
        for index, key in enumerate(keys):
            for opinion in _current([a for a in approvals if _is_by(a, role, key)]):
                yield HeldOpinion(role, index, key.name, opinion)


def objections(held: Sequence[HeldOpinion], digests: Collection[str]) -> Iterator[str]:
    """A line for each dissent in force, and for each opinion that was seen and is not among the ``digests``."""
    for each in held:
        if each.opinion.decision == "dissent":
            yield f"{one_line(each.name)} dissents: {quoted(each.opinion.note)} ({one_line(each.role)})"
    for each in held:
        if missing := sorted({*each.opinion.seen} - {*digests}):
            yield f"an opinion that {one_line(each.name)} saw was deleted ({missing[0][:8]}..)"


def missing_approvals(
    held: Sequence[HeldOpinion], trust: Trust, needed_cells: Collection[str], unverified: Collection[str]
) -> Iterator[str]:
    """A line for each role with too few approvals; an approval must accept each of the ``needed_cells``.

    ``unverified`` are the roles of opinions without a signature of its keys.
    """
    for role, needed in trust.needed.items():
        lacks = [(each.key, {*needed_cells} - {*each.opinion.accept}) for each in held if _approves(each, role)]
        complete = {key for key, cells in lacks if not cells}
        if len(complete) >= needed:
            continue
        line = f"is not approved by {with_article(one_line(role))} ({len(complete)} of {needed})"
        if lacking := sorted(set().union(*(cells for _, cells in lacks))):
            line += f"; an approval does not accept {one_line(lacking[0])}"
        if role in unverified:
            line += "; an opinion in this role has no signature of its keys"
        yield line


def unverified_roles(approvals: Sequence[SignedStatement[ApprovalStatement]], trust: Trust) -> set[str]:
    """The roles of opinions that have no signature by a key of the role."""
    by_role = [(a.statement.predicate.role, a) for a in approvals]
    return {role for role, a in by_role if not any(_is_by(a, role, key) for key in trust.keys.get(role, ()))}


def _approves(held: HeldOpinion, role: str) -> bool:
    return held.role == role and held.opinion.decision == "approve"


def _is_by(approval: SignedStatement[ApprovalStatement], role: str, key: SignerKey) -> bool:
    return approval.statement.predicate.role == role and key.has_signed(approval.envelope)


def _current(opinions: Sequence[SignedStatement[ApprovalStatement]]) -> list[ApprovalPredicate]:
    """The opinions of one key that none of its others names."""
    named = {digest for opinion in opinions for digest in opinion.statement.predicate.seen}
    return [opinion.statement.predicate for opinion in opinions if opinion.digest not in named]
