"""Writes the parts of docs/ that are read from the program: `python -m docs.generate`. A test compares them."""

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tightrope.monitors.catalogue import CATALOGUE, SUBGROUP_FACTOR, SUBGROUP_SHARE, Kind
from tightrope.monitors.safemode import TABLE, Input, Row, State
from tightrope.service.adapters.prometheus.catalogue import CATALOGUE as SERIES
from tightrope.service.adapters.prometheus.catalogue import Metric, most_series
from tightrope.service.config.loader import Settings
from tightrope.service.config.models import Endpoint

HERE = Path(__file__).parent


SAFE_MODE = """# Safe mode

One table decides for every scope (the whole model, or one subgroup): `TABLE` in `monitors/safemode.py`. This page is
written from it by `make docs`.

```mermaid
stateDiagram-v2
    [*] --> normal
{arrows}
```

- `normal`: the compressed model answers. `safe`: the baseline answers, and the compressed model goes on being measured
  as the shadow. `latched`: as `safe`, but it flapped too often: a person must act.
- An operator's `force-safe` or `force-normal` holds the scope: automatic inputs are recorded and move nothing until
  `release`.
- A scope returns by evidence and not before its minimum dwell is over. A breach soon after a return is a flap: the
  evidence asked for the next return grows tenfold.
- Pairs without a row raise and change nothing: {missing}.
"""


def safe_mode() -> str:
    """The transition table as a Mermaid state diagram."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (state, what), row in TABLE.items():
        for to, condition in _targets(row, state):
            arrows.setdefault((state, to), []).append(f"{what}{condition}")
    lines = [f"    {state} --> {to}: {'<br/>'.join(texts)}" for (state, to), texts in arrows.items()]
    missing = [f"`{what}` in `{state}`" for state in State for what in Input if (state, what) not in TABLE]
    return SAFE_MODE.format(arrows="\n".join(lines), missing=", ".join(missing))


def _targets(row: Row, state: State) -> Iterator[tuple[State, str]]:
    """Where an input leads, with the condition in words; where it is not met the scope stays."""
    conditions = [
        text for text, set_ in (("unless held", row.unless_held), ("after the dwell", row.after_dwell)) if set_
    ]
    yield row.to, f" ({', '.join(conditions)})" if conditions else ""
    if row.or_latch:
        yield State.LATCHED, " (too many flaps)"
    if conditions and row.to is not state:
        yield state, " (otherwise)"


BEGIN, END = "<!-- written from monitors/catalogue.py by `make docs` -->\n", "<!-- to here -->\n"

LIMITS = {Kind.RATE: "{:g} as a rate", Kind.MEAN: "±{:g} in the mean", Kind.UPPER: "+{:g} in the mean"}
"""What a limit means, by the kind of the monitor."""

MONITORS = """| monitor | asks | statistic, per row | limit | watches | budget | blind to |
|---|---|---|---|---|---|---|
{rows}

A subgroup's limit is {factor:g} times the model's unless `subgroup_limits` says otherwise (at most 0.7). All subgroup
cells of all monitors together have {share:g} of the alarm budget.
"""


def statistics() -> str:
    """The page on statistics, with the catalogue of the monitors as its table."""
    before, _, rest = (HERE / "statistics.md").read_text().partition(BEGIN)
    rows = [
        f"| `{q.name}` | {q.asks} | {q.statistic} | {LIMITS[q.kind].format(q.limit)} | {q.reach} | {q.share:g} "
        f"| {q.blind_to} |"
        for q in CATALOGUE.values()
    ]
    table = MONITORS.format(factor=SUBGROUP_FACTOR, share=SUBGROUP_SHARE, rows="\n".join(rows))
    return f"{before}{BEGIN}{table}{END}{rest.partition(END)[2]}"


CONFIGURATION = """# Configuration

One YAML file, checked whole before anything starts: `tightrope check CONFIG` names every mistake. Written from
`service/config/loader.py` by `make docs`. `NAME` stands for a name of yours; paths are relative to the file.

| key | type | default | meaning |
|---|---|---|---|
{keys}
"""


def configuration() -> str:
    """Every key of the configuration file."""
    return CONFIGURATION.format(keys="\n".join(_keys(Settings, "")))


def _keys(section: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner, key = _section(field.annotation), f"{prefix}{name}"
        if get_origin(field.annotation) is dict:
            key += ".NAME"
        if inner is not None:
            yield from _keys(inner, f"{key}.")
        else:
            meaning = " ".join((field.description or "").split())
            yield f"| `{prefix}{name}` | {_type(field.annotation)} | {_default(field)} | {meaning} |"
            if "Endpoint" in str(field.annotation):
                yield from _keys(Endpoint, f"{prefix}{name}.")


def _section(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - whatever a field may be annotated with
    """The section that a field holds, one or a map of them; a choice of shapes is told as one key."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [_section(part) for part in get_args(annotation) if part is not type(None)]
    plain = get_origin(annotation) in {dict, Union, types.UnionType}
    return inner[-1] if plain and inner and "Range" not in str(annotation) else None


def _type(annotation: Any) -> str:  # noqa: ANN401 - as above
    if get_origin(annotation) is Annotated:
        return _type(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if isinstance(annotation, type) and not get_args(annotation):
        members = getattr(annotation, "__members__", None)
        return ", ".join(f"`{value}`" for value in members.values()) if members else annotation.__name__.lower()
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if get_origin(annotation) in {dict, list}:
        return f"{'map' if get_origin(annotation) is dict else 'list'} of {_type(parts[-1])}"
    return " or ".join(dict.fromkeys(_type(part) for part in parts if not isinstance(part, FieldInfo)))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    shown = f"{value:g}" if isinstance(value, float) else value
    return "" if value in (None, {}, []) else f"`{shown}`"


METRICS = """# Metrics

Everything that `/metrics` shows of Tightrope, in the text format or, where the scraper asks for it, in OpenMetrics.
Written from `service/adapters/prometheus/catalogue.py` by `make docs`. The alerts on them are in
[dashboards/rules/alerts.yml](../dashboards/rules/alerts.yml), each with a heading in the
[runbook](../dashboards/runbook.md).

- `model`, `scope` (`model` for the model as a whole, else a declared subgroup, `attribute=value`) and `monitor` have
  the values that the configuration declares; the values of every other label are listed. No caller can fill a label:
  a request for a model that is not served counts as `unknown`, and a value that no subgroup declares counts only for
  the model as a whole. So the number of series is bounded: with S scopes and M monitors a model has at most {bound}.
- Counters of a model exist at zero from the start, gauges once there is something to show. Nothing has a second series
  `_created`.
- A request's id is in the exemplars of `tightrope_request_seconds` (OpenMetrics only), and nowhere else.
- In a cluster a gateway, a worker and a judge each show their own part, and a judge the gauges of those models that it
  has at the time; counters add up over replicas.

| metric | type | labels | unit | set by | meaning |
|---|---|---|---|---|---|
{rows}

Besides, there is what any Python process shows: `process_*` (memory, processor time, open files) and `python_*`.
"""


def metrics() -> str:
    """The catalogue of metrics as a table."""
    rows = [
        f"| `{metric.full_name(name)}` | {metric.kind} | {_labels(metric)} | {metric.unit} | {metric.part} "
        f"| {metric.text} |"
        for name, metric in SERIES.items()
    ]
    return METRICS.format(rows="\n".join(rows), bound=_bound())


def _labels(metric: Metric) -> str:
    texts = [f"`{name}`" + (f" ({', '.join(values)})" if values else "") for name, values in metric.labels.items()]
    return "; ".join(texts)


def _bound() -> str:
    """Series of a model as a formula of S and M: found by counting with none and with one of each."""
    flat, with_scope, with_cell = most_series(0, 0), most_series(1, 0), most_series(1, 1)
    return f"{flat} + {with_scope - flat} S + {with_cell - with_scope} S M"


PAGES = {
    "safe-mode.md": safe_mode,
    "statistics.md": statistics,
    "configuration.md": configuration,
    "metrics.md": metrics,
}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (HERE / page).write_text(write())
