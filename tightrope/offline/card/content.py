"""The content of a card, from its sources alone: the same sources give the same card."""

import json
from datetime import datetime
from typing import Any

from tightrope import __version__
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.offline.card.blocks import CardContent, FrontMatter
from tightrope.offline.card.fact_sections import (
    costs_section,
    data_section,
    hosts_section,
    people_section,
    sources_section,
    stress_section,
    what_changed,
)
from tightrope.offline.card.figures import cell_source
from tightrope.offline.card.sources import CardSources
from tightrope.offline.card.verdict_sections import all_checks, criteria_section, for_whom, lead, live_harm

PROGRAM = f"tightrope {__version__}"


def build_card(sources: CardSources) -> CardContent:
    """Build the card."""
    compressed = sources.signed.statement.subject[0].name
    return CardContent(
        title=f"{compressed}: what compression changed, and for whom",
        lead=[*lead(sources)],
        sections=[
            for_whom(sources),
            what_changed(sources),
            live_harm(sources),
            people_section(sources),
            costs_section(sources),
            stress_section(sources),
            hosts_section(sources),
            data_section(sources),
            criteria_section(sources),
            all_checks(sources),
            sources_section(sources),
        ],
        stamp=_stamp(sources),
        front=_front_matter(sources),
    )


def _stamp(sources: CardSources) -> str:
    """The line by which the card is made again, as JSON without characters that Markdown or HTML read."""
    stamp: dict[str, Any] = {
        "at": sources.at.isoformat(),
        "by": PROGRAM,
        "events": sources.live.last,
        "model": sources.model,
        "statement": sources.signed.digest,
    }
    return json.dumps(stamp, sort_keys=True).replace("-", "\\u002d").replace("<", "\\u003c").replace(">", "\\u003e")


def stamped_time(text: str) -> datetime:
    """The time of a stamp.

    Raises:
        ValueError: when it cannot be read, or has no offset.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("has no offset")
    return time


def _front_matter(sources: CardSources) -> FrontMatter:
    compressed, baseline = sources.signed.statement.subject
    cells = sources.predicate.result.cells
    metrics = [
        (cell.criterion, f"{cell.criterion}, compressed against uncompressed", cell.seen, cell_source(index))
        for index, cell in enumerate(cells)
        if cell.scope == MODEL_SCOPE and cell.seen is not None
    ]
    return FrontMatter(
        model=compressed.name,
        base_model=sources.options.base_model or baseline.name,
        license=sources.options.license,
        dataset=f"sha256:{sources.predicate.data.sha256}",
        metrics=metrics,
    )
