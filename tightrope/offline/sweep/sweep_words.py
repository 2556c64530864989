"""A sweep in words, for the terminal and the page: verdicts, harm, the recommendation, and what it cannot tell."""

from collections.abc import Callable, Iterator

from tightrope.monitors.qualification.cells import QualificationVerdict
from tightrope.monitors.records import MODEL_SCOPE, Outcome
from tightrope.offline.qualification.harm_words import first_of_scopes, in_words
from tightrope.offline.sweep.goal import Goal
from tightrope.offline.sweep.report import SweepReport, SweptVariant, breaches

SHORT_VERDICTS = {
    QualificationVerdict.QUALIFIED: "qualified",
    QualificationVerdict.INSUFFICIENT: "cannot tell",
    QualificationVerdict.ERROR: "not measured",
    QualificationVerdict.BREACH: "harmful",
}

SAME_SIZE, FEWER_DEFLATED = 0.98, 0.9
"""Shares of the baseline's bytes: a file saves nothing above the first, its compressed form something below the other.
"""

MOST_OPEN_CELLS = 3
"""Cells of a variant that are named with what they lack."""

MOST_HARMED = 1
"""Groups of a variant that are told in a sentence: the table has all of them."""


PER_ROWS = 1000
"""Rows among which shares are told."""


def scope_words(scope: str) -> str:
    """A scope as people name it.

    >>> scope_words("residence=group_quarters"), scope_words("model")
    ('group quarters (residence)', 'all rows')
    """
    if scope == MODEL_SCOPE:
        return "all rows"
    attribute, _, value = scope.partition("=")
    return f"{value.replace('_', ' ')} ({attribute.replace('_', ' ')})" if value else scope


def harm_sentences(swept: SweptVariant, most: int = MOST_HARMED) -> list[str]:
    """The proved harm of a variant, the surest group first."""
    found = first_of_scopes(breaches(swept))[:most]
    return [_with_scope_words(in_words(each), each.cell.scope) for each in found]


def _with_scope_words(sentence: str, scope: str) -> str:
    """The sentence with the scope as people name it."""
    if scope == MODEL_SCOPE:
        return sentence.replace(" in all rows", " rows", 1)
    return sentence.replace(f"in {scope}", f"in {scope_words(scope)}", 1)


def missing_proof(swept: SweptVariant, most: int = MOST_OPEN_CELLS) -> str | None:
    """The cells that are not proved, and what they lack; None where the verdict does not depend on them."""
    if swept.verdict not in {QualificationVerdict.INSUFFICIENT, QualificationVerdict.ERROR}:
        return None
    cells = [each for each in swept.cells if each.outcome in {Outcome.INSUFFICIENT, Outcome.ERROR}]
    if not cells:
        return f"the rows that choose speak against it: {swept.opposed[0]}"
    notes = dict.fromkeys(each.note for each in cells)
    if len(notes) == 1 and len(cells) > most:
        return f"{len(cells)} cells: {next(iter(notes))}"
    words = [f"{each.cell.criterion} in {scope_words(each.cell.scope)}: {each.note}" for each in cells[:most]]
    left = len(cells) - most
    return "; ".join([*words, f"and {left} more cell{'s' * (left > 1)}"] if left > 0 else words)


def names_by_line(report: SweepReport, line_of: Callable[[SweptVariant], str | None]) -> dict[str, list[str]]:
    """The lines about variants, each once with the names of all to which it applies."""
    names: dict[str, list[str]] = {}
    for swept in report.ordered:
        if (line := line_of(swept)) is not None:
            names.setdefault(line, []).append(swept.variant.name)
    return names


def counts(report: SweepReport) -> str:
    """The variants by verdict, such as "8 variants: 6 qualified, 2 harmful"."""
    found = [each.verdict for each in report.variants]
    listed = ", ".join(f"{found.count(verdict)} {word}" for verdict, word in SHORT_VERDICTS.items() if verdict in found)
    return f"{len(found)} variant{'s' * (len(found) != 1)}" + (f": {listed}" if listed else "")


def recommendation(report: SweepReport) -> str:
    """The recommended variant, or why no variant is."""
    best = report.recommended
    if best is not None:
        less = f"{1 - report.cost(best):.0%} less {cost_words(report)} than the baseline"
        return f"{best.variant.path.name}: {less}"
    if report.verdict is QualificationVerdict.QUALIFIED:
        return f"none: no qualified variant has less {cost_words(report)} than the baseline"
    return "none: no variant is qualified"


def cost_words(report: SweepReport) -> str:
    """The cost of the goal in words."""
    if report.goal is Goal.ENERGY:
        return "energy (joules)" if report.counts_joules else "energy (told as CPU seconds)"
    return "size" if report.goal is Goal.SIZE else "latency (p50)"


def split_words(report: SweepReport) -> str:
    """The rows that choose and judge, and the confidence of one candidate."""
    number, parts = report.candidates, f"{report.chosen:,} of {report.rows:,} rows choose"
    if number <= 1:
        named = "1 candidate" if number else "no candidate"
        return f"{parts} {named}, {report.judging:,} judge at {1 - report.alpha:.0%}"
    return (
        f"{parts} {number} candidates, {report.judging:,} judge them, each at {1 - report.alpha / number:.3%}: "
        f"that is {1 - report.alpha:.0%} for all of them"
    )


def limits_of_proof(report: SweepReport) -> Iterator[str]:
    """Sentences about what the sweep cannot tell."""
    yield "It holds for rows like these. Other traffic, other data and other hosts can differ."
    if report.left_out:
        yield f"These criteria of the configuration were left out: {', '.join(report.left_out)}."
    if unsure := [each for each in report.variants if each.verdict is QualificationVerdict.INSUFFICIENT]:
        names = ", ".join(each.variant.name for each in unsure)
        yield f"Not proved is not harmful: the rows are too few, or a value is too near its limit, for {names}."
    if any(_saves_only_deflated(report, each) for each in report.variants):
        yield "A pruned file is as large as before: its zeros save bytes only where something compresses the file."
    if report.hotspots or report.untried:
        yield "Hotspots are what one change does alone; two together can do more. They gate nothing."
    if report.untried:
        yield f"{report.untried} changes of a tensor were not tried, those that lose the least: time, or their number."
    if report.goal is Goal.ENERGY and not report.counts_joules:
        yield "This host counts no joules: energy is the time of the processor."
    yield f"Latencies are of single rows on this host ({report.host_class or 'unknown class'}), and change with it."
    yield "It is no statement: run `tightrope qualify` for the one that shall serve, with rows that chose nothing."


def _saves_only_deflated(report: SweepReport, swept: SweptVariant) -> bool:
    whole, deflated = report.baseline_size.file_bytes, report.baseline_size.deflated_bytes
    return swept.size.file_bytes >= SAME_SIZE * whole and swept.size.deflated_bytes < FEWER_DEFLATED * deflated
