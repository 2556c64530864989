"""The demo's end: its result in three plain sentences, and as a table where no live picture was shown."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tightrope.demo.replay import DEMO_FOLDER
from tightrope.demo_run.board import counted, scope_name
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.api.overview.phrases import joined, percent

NAMED_GROUPS = 2
"""Groups with the full model that are named with their figures."""

WHOLE_RATIO = 10
"""A ratio of sizes from which on it has no decimals."""


def print_closing(result: dict[str, Any], console: Console, *, table: bool) -> None:
    """Print the closing sentences, and before them the table if it is wanted."""
    if table:
        console.print(summary(result))
    for sentence in closing_sentences(result):
        console.print(Text(sentence))


def closing_sentences(result: dict[str, Any]) -> list[str]:
    """Return the result of a run in words: how well groups were answered, how much was compared, what came after."""
    trips = result["trips"]
    compared, requests = result["compared"], result["requests"]
    part = f" of {requests:,}" if compared < requests else ""
    return [
        _saved(trips[:NAMED_GROUPS], result["accuracy"]) if trips else _well(result["accuracy"][MODEL_SCOPE]),
        _stayed(trips, _times_smaller(result["model"])),
        f"Tightrope compared {compared:,}{part} answers and raised {counted(len(trips), 'alarm')}.",
        *_third_act(result.get("third_act")),
    ]


def _saved(trips: Sequence[dict[str, Any]], accuracy: dict[str, Any]) -> str:
    """How well the groups were answered before their alarms, and after them."""
    before = [_share(accuracy[trip["scope"]]["before"]) for trip in trips]
    after = [_share(accuracy[trip["scope"]]["after"]) for trip in trips]
    names = [scope_name(trip["scope"]) for trip in trips]
    served = [f"{share}{'' if number else ' of the time'} for {name}"
              for number, (share, name) in enumerate(zip(before, names, strict=True))]  # fmt: skip
    numbers = [f"{trip['at_request']:,}" for trip in trips]
    since = f"request{'' if len(trips) == 1 else 's'} {joined(numbers)}"
    now = f"since {since} the full model answers them, and they get {joined(after)}"
    return f"The small model was right {joined(served)}; {now}."


def _well(accuracy: dict[str, float | None]) -> str:
    small, full = _share(accuracy["before"]), _share(accuracy["baseline"])
    return f"The small model was right {small} of the time, the full model {full}."


def _stayed(trips: Sequence[dict[str, Any]], smaller: str) -> str:
    """Say that all other callers kept the small model."""
    if any(trip["scope"] == MODEL_SCOPE for trip in trips):
        return f"The small model, {smaller}, answers for nobody now."
    if not trips:
        return f"Everybody stayed on the small model, {smaller}."
    more = len(trips) - NAMED_GROUPS
    begin = f"So it does for {counted(more, 'more group')}; everybody" if more > 0 else "Everybody"
    return f"{begin} else stayed on the small model, {smaller}."


def _third_act(act: dict[str, Any] | None) -> Iterator[str]:
    """Say which groups went back after another small model was put in place."""
    if act is None:
        return
    returns = joined(
        [f"{scope_name(each['scope'])} since request {each['at_request']:,}" for each in act["returns"]] or [""]
    )
    safe = joined([scope_name(scope) for scope in act["still_safe"]] or [""])
    clauses = [f"it answers {returns}"] if returns else []
    clauses += [f"the full model still answers {safe}"] if safe else []
    yield f"Then another small model came: {', and '.join(clauses) or 'it answers everybody'}."


def _times_smaller(model: str) -> str:
    """The size of the full model's file as a multiple of the small one's."""
    full, small = ((DEMO_FOLDER / f"models/{name}.onnx").stat().st_size for name in ("baseline_fp32", model))
    ratio = full / small
    return f"{ratio:.{0 if ratio >= WHOLE_RATIO else 1}f} times smaller"


def _share(share: float | None) -> str:
    return "-" if share is None else percent(share)


def summary(result: dict[str, Any]) -> Table:
    """Render how often answers were right before and after, and who gave them, for each group with answers."""
    title = f"{result['requests']:,} requests, {result['compared']:,} compared, {result['seconds']} s"
    table = Table(title=title, title_justify="left", box=None, collapse_padding=True, pad_edge=False)
    table.add_column("who", no_wrap=True)
    for heading in ("right before", "right after", "full model alone", "small model answers", "full model answers"):
        table.add_column(heading, justify="right")
    tripped = {trip["scope"] for trip in result["trips"]}
    for scope, accuracy in result["accuracy"].items():
        shares = [_share(accuracy[key]) for key in ("before", "after", "baseline")]
        served = result["served_by"][scope]
        if any(served.values()):
            cells = (scope_name(scope), *shares, f"{served['compressed']:,}", f"{served['baseline']:,}")
            table.add_row(*cells, style="bold red" if scope in tripped else "")
    return table
