"""The sections of a card about the verdict: in short, for whom it was proved, every check, and the harm seen live."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from tightrope.monitors.qualification.cells import NOT_SHOWN_OVER
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.offline.card.blocks import CardRow, CardSection, CardTable, Sentence
from tightrope.offline.card.figures import (
    cell_source,
    criterion_title,
    group_title,
    shown_day,
    shown_figure,
    shown_limit,
    shown_percent,
)
from tightrope.offline.card.sources import CardSources
from tightrope.offline.qualification.harm_words import IN_WORDS, harm_sentence
from tightrope.service.api.overview.event_words import event_sentence
from tightrope.service.api.overview.phrases import MONITOR_TITLES
from tightrope.service.statements.qualification import QualificationCell

NumberedCell = tuple[int, QualificationCell]

CARD_VERDICTS = {
    "qualified": ("Qualified", "good"),
    "breach": ("Proved harmful", "bad"),
    "insufficient": ("Cannot tell: the rows prove neither", "open"),
    "error": ("Could not be measured completely", "open"),
}
CHECK_OUTCOMES = {
    "breach": ("over the limit", "bad"),
    "error": ("not measured", "open"),
    "unseen": ("not seen", "open"),
    "insufficient": ("not proved", "open"),
    "pass": ("within the limit", "good"),
}
"""The outcomes of a check with their tones, the most severe first."""

MOST_HARMS = 6
MOST_SHOWN_TRIPS = 20
FIGURE_COLUMNS = frozenset({3, 4, 5, 6})


def lead(sources: CardSources) -> Iterator[Sentence]:
    """The card in short: the verdict, the harm in words, whether it may serve, and until when."""
    predicate, result = sources.predicate, sources.predicate.result
    word, tone = CARD_VERDICTS[result.verdict]
    counts = {outcome: sum(cell.outcome == outcome for cell in result.cells) for outcome in CHECK_OUTCOMES}
    listed = ", ".join(f"{count:,} {CHECK_OUTCOMES[outcome][0]}" for outcome, count in counts.items() if count)
    rows = f"on {predicate.data.judged_on:,} rows, each with a confidence of {shown_percent(predicate.confidence)}"
    yield Sentence(
        f"{word}: of {len(result.cells):,} checks {listed}, {rows}.",
        ("q:result.verdict", "q:result.cells", "q:data.judged_on", "q:confidence"),
        tone,
    )
    for index, cell in first_of_scopes(_with_outcome(sources, "breach"))[:MOST_HARMS]:
        yield Sentence(f"{_harm(cell)}.", (cell_source(index),), "bad")
    if sources.withheld:
        groups = ", ".join(group_title(scope) for scope in sorted(sources.withheld))
        covers = f"the compressed model was judged on {shown_percent(result.covers)} of the rows"
        yield Sentence(f"The uncompressed model answers {groups}; {covers}.", ("q:result.covers",), "open")
    until = shown_day(predicate.made.expires.astimezone(UTC))
    if sources.examination.holds:
        yield Sentence(f"It may serve until {until}.", ("q:made.expires",), "good")
    else:
        yield Sentence(f"It may not serve: {'; '.join(sources.examination.reasons)}.", ("q:result",), "bad")
        yield Sentence(f"The statement expires on {until}.", ("q:made.expires",))


def _with_outcome(sources: CardSources, outcome: str) -> list[NumberedCell]:
    cells = enumerate(sources.predicate.result.cells)
    return [(index, cell) for index, cell in cells if cell.outcome == outcome]


def first_of_scopes(cells: Sequence[NumberedCell]) -> list[NumberedCell]:
    """The first cell of each scope, in their order."""
    first: dict[str, NumberedCell] = {}
    for index, cell in cells:
        first.setdefault(cell.scope, (index, cell))
    return list(first.values())


def _harm(cell: QualificationCell) -> str:
    name, _, variant = cell.criterion.partition(" ")
    group = ("all rows" if cell.scope == MODEL_SCOPE else group_title(cell.scope)) + (
        f" ({variant})" if variant else ""
    )
    if cell.seen is None or cell.limit is None:
        return f"{criterion_title(cell)} of {group}: {cell.note}"
    sentence = harm_sentence(name, group, cell.seen, cell.least, cell.limit)
    return sentence[:1].upper() + sentence[1:]


def for_whom(sources: CardSources) -> CardSection:
    """A row for each group: whether it was proved for it, and the check that is nearest to its limit or over it."""
    scopes: dict[str, list[NumberedCell]] = {}
    for index, cell in enumerate(sources.predicate.result.cells):
        scopes.setdefault(cell.scope, []).append((index, cell))
    order = sorted(scopes, key=lambda scope: (scope != MODEL_SCOPE, _severity(scopes[scope])))
    rows = [_group_row(sources, scope, scopes[scope]) for scope in order]
    rows += [
        CardRow((group_title(scope), "withheld", "-", "-", "-", "-", "-"), ("q:result.withheld",), "open")
        for scope in sorted({*sources.withheld} - {*scopes})
    ]
    head = ("group", "verdict", "nearest to its limit", "rows", "seen", "at most", "limit")
    table = CardTable("Groups, those with harm first", head, rows, FIGURE_COLUMNS)
    note = Sentence(
        "Proved means: the upper bound (at most) lies within the limit. Not proved is not the same as harmful: it says "
        "that these rows cannot tell. Not shown to be over is less than proved."
    )
    return CardSection("For whom it was proved", [table, note])


def _severity(cells: Sequence[NumberedCell]) -> int:
    order = list(CHECK_OUTCOMES)
    return min(order.index(cell.outcome) for _, cell in cells)


def _group_row(sources: CardSources, scope: str, cells: Sequence[NumberedCell]) -> CardRow:
    worst = list(CHECK_OUTCOMES)[_severity(cells)]
    candidates = [each for each in cells if each[1].outcome == worst]
    index, cell = candidates[0] if worst == "breach" else max(candidates, key=_use_of_limit)
    verdict, tone = {"breach": ("harmful", "bad"), "pass": ("proved", "good")}.get(worst, ("not proved", "open"))
    if weaker := [each for _, each in cells if each.note == NOT_SHOWN_OVER]:
        names = ", ".join(dict.fromkeys(criterion_title(each) for each in weaker))
        verdict += f" ({names}: {NOT_SHOWN_OVER})" if worst == "pass" else ""
    if scope in sources.withheld:
        verdict, tone = f"withheld ({verdict}): the uncompressed model answers", "open"
    return CardRow(
        (group_title(scope), verdict, criterion_title(cell), *_cell_figures(cell)), (cell_source(index),), tone
    )


def _use_of_limit(numbered: NumberedCell) -> tuple[bool, float]:
    """The order of cells by how much of their limit is used; what was proved goes before what was only not refuted."""
    _, cell = numbered
    return cell.note != NOT_SHOWN_OVER, (cell.bound or 0.0) / (cell.limit or 1.0)


def _cell_figures(cell: QualificationCell) -> tuple[str, str, str, str]:
    limit = "-" if cell.limit is None else f"{cell.limit:g}"
    return f"{cell.rows:,}", shown_figure(cell.seen), shown_figure(cell.bound), limit


def criteria_section(sources: CardSources) -> CardSection:
    """The limits that were set before the rows were read, and the meaning of each."""
    predicate = sources.predicate
    rows = []
    for name, criterion in predicate.criteria.items():
        limits = (criterion.model, criterion.subgroups, criterion.classes)
        costs = [
            f"{key} {value:g}"
            for key, value in (("ratio", criterion.ratio), ("most", criterion.most))
            if value is not None
        ]
        meaning = f"how many {IN_WORDS[name]}" if name in IN_WORDS else MONITOR_TITLES.get(name, "").lower() or "a cost"
        shown = (name.replace("_", " "), meaning, *map(shown_limit, limits), ", ".join(costs) or "-")
        rows.append(CardRow(shown, (f"q:criteria.{name}",)))
    head = ("check", "what it counts", "everybody", "groups", "classes", "cost")
    objective = predicate.objective or "no objective is written"
    return CardSection(
        "What was asked, before the rows were read",
        [
            Sentence(f"Objective: {objective}", ("q:objective",)),
            CardTable("Limits", head, rows, frozenset({2, 3, 4, 5})),
            Sentence(f"Digest of all of this: {predicate.criteria_digest}", ("q:criteria_digest",)),
        ],
    )


def all_checks(sources: CardSources) -> CardSection:
    """Every cell of the statement."""
    rows = []
    for index, cell in enumerate(sources.predicate.result.cells):
        outcome, tone = CHECK_OUTCOMES[cell.outcome]
        if cell.note:
            outcome, tone = (cell.note, "") if cell.outcome == "pass" else (f"{outcome}: {cell.note}", tone)
        shown = (criterion_title(cell), group_title(cell.scope), outcome, *_cell_figures(cell))
        rows.append(CardRow(shown, (cell_source(index),), tone))
    head = ("check", "group", "outcome", "rows", "seen", "at most", "limit")
    return CardSection("Every check", [CardTable("All checks of the statement", head, rows, FIGURE_COLUMNS)])


def live_harm(sources: CardSources) -> CardSection:
    """The trips of this artefact while it served, newest last."""
    live = sources.live
    if live.missing:
        return CardSection("Harm seen while it served", [Sentence(f"Not known: {live.missing}.")])
    asked = Sentence(f"Looked at up to event {live.last:,} of the state folder.", (f"e:{live.last}",))
    if not live.trips:
        return CardSection("Harm seen while it served", [Sentence("No fallback of this model is recorded."), asked])
    shown = live.trips[-MOST_SHOWN_TRIPS:]
    rows = [
        CardRow(
            (_moment(event.time), group_title(event.scope), event_sentence(event), str(event.time)),
            (f"e:{seq}",),
            "bad",
        )
        for seq, event in shown
    ]
    path = f"/v1/models/{quote(sources.model, safe='')}/incidents/"
    where = Sentence(f"The report of the incident of an alarm is at the gateway, under {path} and its last column.")
    number = f"{len(live.trips):,} times harm of this model was detected; the newest {len(shown):,} are shown."
    return CardSection(
        "Harm seen while it served",
        [
            Sentence(number, (f"e:{live.trips[0][0]}", f"e:{live.trips[-1][0]}"), "bad"),
            CardTable("Alarms", ("time", "group", "what was found", "incident"), rows),
            where,
            asked,
        ],
    )


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
