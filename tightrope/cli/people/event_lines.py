"""Events as sentences for a terminal, and as tab-separated lines for programs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from tightrope.cli import console
from tightrope.cli.people.options import printable, tsv_line
from tightrope.monitors.records import Event
from tightrope.service.api.overview.event_words import event_sentence, event_sort

EVENT_COLUMNS = ("seq", "time", "model", "scope", "kind", "state", "actor", "text")
EVENT_HEADER = tsv_line(EVENT_COLUMNS)
SORT_SIGNS = {
    "harm": ("▲", "bold red"),
    "well": ("●", "bold green"),
    "order": ("◆", "bold blue"),
    "change": ("◇", "dim"),
}


def event_line(seq: int, event: Event) -> str:
    r"""An event as a line: its number, time (UTC), model, scope, kind, the scope's state after it, actor and sentence.

    >>> event_line(3, Event("1", 0.0, "m", "release", "sex=f", "Ben", "tried")).split("\t")[:5]
    ['3', '1970-01-01T00:00:00Z', 'm', 'sex=f', 'release']
    """
    after = event.detail.get("after")
    state = after.get("state", "") if isinstance(after, Mapping) else ""
    time = f"{datetime.fromtimestamp(event.time, UTC):%Y-%m-%dT%H:%M:%S}Z"
    return tsv_line([seq, time, event.model, event.scope, event.kind, state, event.actor, event_sentence(event)])


def print_sentences(events: Sequence[tuple[int, Event]]) -> None:
    """Print events as sentences, each with its number, its time (UTC) and its model."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    for name in ("seq", "time", "sign"):
        table.add_column(name, no_wrap=True, justify="right" if name == "seq" else "left", style="dim")
    table.add_column("text", overflow="fold")
    for seq, event in events:
        time = f"{datetime.fromtimestamp(event.time, UTC):%Y-%m-%d %H:%M:%S}"
        sign, style = SORT_SIGNS[event_sort(event.kind)]
        sentence = Text.assemble((f"{printable(event.model)}: ", "dim"), printable(event_sentence(event)))
        table.add_row(Text(f"{seq}"), Text(time), Text(sign, style=style), sentence)
    if events:
        console.out.print(table)
