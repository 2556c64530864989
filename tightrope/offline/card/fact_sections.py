"""The sections of a card about the artefact: what changed, what it takes, hosts, data, people, and sources."""

from collections.abc import Iterator, Mapping
from datetime import UTC

from tightrope.offline.card.blocks import NOT_TOLD, CardRow, CardSection, CardTable, Sentence
from tightrope.offline.card.figures import CARD_ROLES, group_title, scaled, shown_day, shown_figure
from tightrope.offline.card.sources import CardSources
from tightrope.offline.qualification.stress.words import scenario_words
from tightrope.service.statements.opinions import HeldOpinion
from tightrope.service.statements.qualification import SamplesRecord

MICRO, KILO, MEGA = (1e6, "µs"), (1e-3, "kB"), (1e-6, "MB")
SECONDS = (1.0, "s")
LATENCY_NAMES = {
    "p50": ("time of a row, half of them at most", MICRO),
    "p99": ("time of a row, 99 of 100 at most", MICRO),
    "one_core_p50": ("the same half on one core", MICRO),
    "one_core_p99": ("the same 99 of 100 on one core", MICRO),
    "concurrent_p99": ("the same 99 of 100 with two callers a core", MICRO),
    "cliff": ("that time under load as a multiple of the time alone", (1.0, "x")),
}
"""The figures of latencies, with factors and units."""


def what_changed(sources: CardSources) -> CardSection:
    """The two files, the recipe, the tools, and what was used; what no manifest tells is not told."""
    compressed, baseline = sources.signed.statement.subject
    rows = [
        CardRow((title, subject.name, subject.digest.sha256), (f"q:subject.{index}",))
        for index, (title, subject) in enumerate((("compressed model", compressed), ("uncompressed model", baseline)))
    ]
    blocks: list[Sentence | CardTable] = [CardTable("Files", ("role", "name", "SHA-256"), rows)]
    making = sources.making
    if making.missing:
        blocks.append(Sentence(f"How it was compressed is {NOT_TOLD}: {making.missing}."))
        return CardSection("What changed", blocks)
    for caption, key, found in (
        ("Recipe", "recipe", making.recipe),
        ("Tools", "tools", making.tools),
        ("Made from", "materials", making.materials),
    ):
        if found:
            listed = [CardRow((name, _plain(value)), (f"m:{key}.{name}",)) for name, value in found.items()]
            blocks.append(CardTable(caption, ("name", "value"), listed))
        else:
            blocks.append(Sentence(f"{caption}: {NOT_TOLD}."))
    return CardSection("What changed", blocks)


def _plain(value: str | float | bool) -> str:  # noqa: FBT001 - a value of JSON
    return str(value).lower() if isinstance(value, bool) else str(value)


def costs_section(sources: CardSources) -> CardSection:
    """Size, memory, time and energy of both models, and how each was measured."""
    measured = sources.predicate.measured
    rows = [*_latency_rows(measured.latency)]
    for field, title, (factor, unit) in (
        ("file_bytes", "size of the files", KILO),
        ("peak_bytes", "memory of a process that loads it", MEGA),
        ("cold_start_seconds", "from a fresh process to the first answer", SECONDS),
    ):
        rows.append(_cost_row(title, getattr(measured, field), factor, unit, f"q:measured.{field}"))
    energy = measured.energy
    for key, title, unit in (
        ("joules_per_row", "energy of a row", "µJ"),
        ("cpu_seconds_per_row", "processor time of a row", "µs"),
    ):
        if isinstance(energy.get(key), Mapping):
            rows.append(_cost_row(title, energy[key], 1e6, unit, f"q:measured.energy.{key}"))
    how = energy.get("how", NOT_TOLD)
    return CardSection(
        "What it takes",
        [
            CardTable("Costs", ("cost", "compressed", "uncompressed"), rows, frozenset({1, 2})),
            Sentence(
                f"Time: one row a call, both models in turn in one process. Energy: {how}.", ("q:measured.energy.how",)
            ),
        ],
    )


def _latency_rows(latency: Mapping[str, object]) -> Iterator[CardRow]:
    for key in sorted(latency, key=lambda each: (each not in LATENCY_NAMES, [*LATENCY_NAMES, each].index(each))):
        found = latency[key]
        title, (factor, unit) = LATENCY_NAMES.get(key, (key.replace("_", " "), MICRO))
        yield _cost_row(title, found, factor, unit, f"q:measured.latency.{key}")


def _cost_row(title: str, found: object, factor: float, unit: str, source: str) -> CardRow:
    by_role = found if isinstance(found, Mapping) else {}
    return CardRow((title, *(scaled(by_role.get(str(role)), factor, unit) for role in CARD_ROLES)), (source,))


def stress_section(sources: CardSources) -> CardSection:
    """The figures of rows that were changed, and of the search for gaps."""
    scenarios = sources.predicate.measured.scenarios
    if not scenarios:
        return CardSection("Under stress", [Sentence("Not measured: `tightrope qualify --stress` measures scenarios.")])
    try:
        lines = {name: scenario_words(name, figures, group_title) for name, figures in scenarios.items()}
        unmeasured = [name for name, figures in scenarios.items() if figures.get("reason")]
    except (AttributeError, KeyError, TypeError, ValueError):
        return CardSection("Under stress", [Sentence("The figures of scenarios cannot be read.", (), "open")])
    source = "q:measured.scenarios.{}".format
    blocks: list[Sentence | CardTable] = [
        Sentence(f"{name.capitalize()}: {text}.", (source(name),))
        for name, text in lines.items()
        if name not in unmeasured
    ]
    if unmeasured:
        rows = [CardRow((name, lines[name]), (source(name),)) for name in unmeasured]
        blocks.append(CardTable("Not measured", ("scenario", "reason"), rows))
    return CardSection("Under stress", blocks)


def hosts_section(sources: CardSources) -> CardSection:
    """The kind of host of the proof, and how other hosts are checked."""
    predicate = sources.predicate
    blocks = [Sentence(f"Measured on {predicate.measured.host_class}.", ("q:measured.host_class",))]
    golden = predicate.result.golden
    if golden is None:
        blocks.append(
            Sentence("There are no golden answers: other hosts cannot be checked.", ("q:result.golden",), "open")
        )
    else:
        bounds = ", ".join(f"{role} {shown_figure(golden.bound.get(str(role)))}" for role in CARD_ROLES)
        text = f"Another host must give the golden answers again, within: {bounds}."
        blocks.append(Sentence(text, ("q:result.golden.bound",)))
    return CardSection("Hosts", blocks)


def data_section(sources: CardSources) -> CardSection:
    """The rows that judged, and the earlier attempts on them."""
    data = sources.predicate.data
    labels = "with labels" if data.labels else "without labels: whether either model is right was not judged"
    text = f"{data.rows:,} rows, {labels}; {data.judged_on:,} judged, {data.chosen_on:,} chose what is withheld."
    blocks = [
        Sentence(text, ("q:data.rows", "q:data.labels", "q:data.judged_on", "q:data.chosen_on")),
        Sentence(f"SHA-256 of the rows: {data.sha256}", ("q:data.sha256",)),
    ]
    if isinstance(data.samples, SamplesRecord):
        samples, refused = data.samples, sum(data.samples.refused.values())
        text = (
            f"Kept rows of traffic from {samples.since:%Y-%m-%d} until {samples.until:%Y-%m-%d}; {refused:,} refused."
        )
        blocks.append(Sentence(text, ("q:data.samples",)))
    for index, attempt in enumerate(data.attempts):
        same = attempt.criteria_digest == sources.predicate.criteria_digest
        text = f"Earlier attempt on these rows: {attempt.verdict}, {'the same' if same else 'other'} criteria."
        blocks.append(Sentence(text, (f"q:data.attempts.{index}",), "open"))
    if not data.attempts:
        blocks.append(Sentence("No earlier attempt on these rows is recorded.", ("q:data.attempts",)))
    blocks.append(Sentence("The proof holds for rows like these; it says nothing of others.", ()))
    return CardSection("Data", blocks)


def people_section(sources: CardSources) -> CardSection:
    """The owner, the opinions in force with their notes, and how to contest an answer."""
    owner = sources.predicate.owner
    blocks: list[Sentence | CardTable] = [Sentence(f"Owner: {owner or 'none is named'}.", ("q:owner",))]
    opinions = [
        _opinion_row(held, digest) for held, digest in zip(sources.examination.opinions, sources.opinions, strict=True)
    ]
    if opinions:
        blocks.append(CardTable("Signed opinions", ("name", "role", "decision", "day", "note"), opinions))
    elif sources.has_keys:
        blocks.append(Sentence("No opinion is signed by a listed key.", ("q:subject",), "open"))
    else:
        blocks.append(Sentence("No keys are configured: no signature was checked.", (), "open"))
    contact = sources.options.contact
    contest = f"To contest an answer: {contact}." if contact else "To contest an answer: no contact is named."
    blocks.append(Sentence(contest, ("c:card.contact",), "" if contact else "open"))
    return CardSection("Who answers for it", blocks)


def _opinion_row(held: HeldOpinion, digest: str) -> CardRow:
    opinion = held.opinion
    decision = "approves" if opinion.decision == "approve" else "dissents"
    accepted = "".join(f" Accepts {cell}: {reason}." for cell, reason in opinion.accept.items())
    served = " Serves the accepted groups." if opinion.serve else ""
    note = f"{opinion.note}{accepted}{served}"
    cells = held.name, held.role, decision, shown_day(opinion.at.astimezone(UTC)), note
    return CardRow(cells, (f"a:{digest[:8]}",), "good" if decision == "approves" else "bad")


def sources_section(sources: CardSources) -> CardSection:
    """The payloads that the figures come from, by their digests."""
    rows = [CardRow(("q", "statement of the qualification, its predicate", sources.signed.digest))]
    if sources.making.digest:
        rows.append(CardRow(("m", "manifest of the artefact", sources.making.digest)))
    rows += [CardRow(("a", "opinion", digest)) for digest in sources.opinions]
    if not sources.live.missing:
        rows.append(CardRow(("e", "events of the state folder", f"up to number {sources.live.last}")))
    rows.append(CardRow(("c", "configuration", f"models.{sources.model}")))
    text = (
        "q:cell 12 is the cell with index 12 of result.cells in the statement's predicate. "
        "`tightrope verify CONFIG --card FILE` computes every figure again and names one that differs."
    )
    table = CardTable("Payloads, with their SHA-256", ("source", "payload", "digest"), rows)
    made = Sentence(f"Made on {sources.at:%Y-%m-%d %H:%M:%S} UTC from the state of that moment.")
    return CardSection("Sources", [Sentence(text), table, made])
