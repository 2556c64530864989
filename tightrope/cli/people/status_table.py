"""The overview on a terminal: headline, sentence, and a table in which no name is cut; or as tab-separated lines."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from tightrope.cli import console
from tightrope.cli.people.options import printable, tsv_line
from tightrope.service.api.overview.phrases import class_phrase, percent, short_percent
from tightrope.service.api.overview.scopes import LEADING_MONITOR

LEVEL_STYLES = {"ok": "bold green", "note": "bold blue", "act": "bold red", "blind": "bold magenta"}
LEVEL_SIGNS = {"ok": "✓", "note": "i", "act": "!", "blind": "✕"}
SHOWN_GROUPS = 12
"""Groups that are well and shown, the worst ones; all others stand in one line."""

STATUS_COLUMNS = (
    "model", "scope", "answers", "state", "held", "label", "rate", "lower", "upper", "limit", "evidence", "way_back",
    "returns", "requests_per_second", "share", "since", "by", "says",
)  # fmt: skip


def status_lines(overview: Mapping[str, Any]) -> Iterator[str]:
    """Every scope of every model as a line of tab-separated values, below a header."""
    yield tsv_line(STATUS_COLUMNS)
    for model in overview["models"]:
        for entry in (model["everyone"], *model["groups"]):
            lower, upper = entry["range"] or (None, None)
            more = {"model": model["name"], "lower": lower, "upper": upper}
            yield tsv_line([(entry | more)[name] for name in STATUS_COLUMNS])


def print_status(overview: Mapping[str, Any], *, every: bool) -> None:
    """Print the headline, the sentence, and a table for each model; several models that are well have one line."""
    level = overview["level"]
    console.out.print(Text.assemble((f"{LEVEL_SIGNS[level]} {overview['headline']}", LEVEL_STYLES[level])))
    console.out.print(Text(overview["sentence"]))
    several = len(overview["cards"]) > 1
    for model in overview["models"]:
        if several and model["level"] == "ok" and not every and len(overview["models"]) > 1:
            console.out.print(Text(f"\n{model['name']}: all well, {len(model['groups'])} groups"))
            continue
        console.out.print()
        if several:
            console.out.print(Text.assemble((f"{model['name']}: {model['headline']}", LEVEL_STYLES[model["level"]])))
        console.out.print(Text(model_facts(model), style="dim"))
        console.out.print(_table(model, every=every))


def model_facts(model: Mapping[str, Any]) -> str:
    """Traffic, fallback and what is seen of a model, in a line."""
    traffic, sight = model["traffic"], model["sight"]
    total, share = traffic["requests_per_second"], traffic["full_share"]
    parts = [f"{model['name']}", f"{'?' if total is None else f'{total:.3g}'} requests/s"]
    parts += [] if share is None else [f"{percent(share)} by the full model"]
    asked = model["everyone"].get("asked")  # a gateway of an earlier release does not say
    parts += [f"full model asked again {class_phrase(asked)}"] if asked else []
    parts += ["fallback on" if model["armed"] else "fallback only advises", f"{sight['compared']:,} compared"]
    waiting = [f"{part} silent for {sight[part]['silent_seconds']:.0f} s" for part in ("worker", "judge")
               if not sight[part]["ok"]]  # fmt: skip
    qualification = [model["qualification"]["says"]] if model["qualification"] else []
    owner = [f"owner {printable(model['owner'])}"] if model.get("owner") else []
    return " · ".join([*parts, *waiting, *qualification, *owner])


def _table(model: Mapping[str, Any], *, every: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("who", overflow="fold")
    table.add_column("answers", no_wrap=True)
    table.add_column("what is off", overflow="fold")
    table.add_column("limit", justify="right", no_wrap=True)
    table.add_column("evidence", justify="right", overflow="fold")
    groups: Sequence[Mapping[str, Any]] = model["groups"]
    moved = [entry for entry in groups if entry["answers"] == "full" or entry["own"]]
    others = [entry for entry in groups if entry not in moved]
    shown = others if every else others[:SHOWN_GROUPS]
    names = Counter(entry["name"] for entry in groups)
    for entry in (model["everyone"], *moved, *shown):
        who = entry["title"] if names[entry["name"]] > 1 else entry["name"]
        table.add_row(*_row(entry, who), style="bold" if entry["answers"] == "full" else "")
    if left := others[len(shown) :]:
        most = max(entry["evidence"] for entry in left)
        table.add_row(f"… {len(left)} more groups", "small", f"none above {percent(most)} of the evidence", "", "")
    return table


def _row(entry: Mapping[str, Any], who: str) -> tuple[Text, ...]:
    """The cells of a scope, which is named ``who``."""
    full = entry["answers"] == "full"
    label = "differ" if entry["monitor"] == LEADING_MONITOR else entry["label"]
    off = "nothing compared yet" if entry["rate"] is None else f"{percent(entry['rate'])} {label}"
    if entry["range"]:
        lower, upper = entry["range"]
        off = f"{percent(entry['rate'])} ({percent(lower).removesuffix(' %')} to {percent(upper)}) {label}"
    limit = "" if entry["limit"] is None or entry["rate"] is None else short_percent(entry["limit"])
    named = who if entry["attribute"] else who.lower()
    cells = f"{'■ ' if full else '  '}{named}", "FULL" if full else "small", off, limit, _evidence(entry)
    return tuple(Text(printable(cell)) for cell in cells)


def _evidence(entry: Mapping[str, Any]) -> str:
    """The evidence of an alarm, or of what becomes of a scope that the full model answers."""
    if entry["held"]:
        return "by order"
    if entry["state"] == "latched":
        return "decide"
    if entry["stuck"]:
        return "no way back"
    if entry["way_back"] is not None:
        return f"way back {percent(entry['way_back'])}"
    if entry["unseen"]:
        return "too few yet"
    return percent(entry["evidence"])
