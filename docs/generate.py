"""Generates pages and diagrams of docs/ from the program: `python -m docs.generate`. A test compares them."""

import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs import key_texts, permissions, request_path, sample_path
from tightrope.monitors.catalogue import CATALOGUE, SUBGROUP_SHARE
from tightrope.monitors.definitions.definition import SUBGROUP_FACTOR, Hypothesis
from tightrope.monitors.safemode import TABLE, Input, ModeState, TransitionRow
from tightrope.service.adapters.prometheus.catalogue import METRICS, max_series
from tightrope.service.adapters.prometheus.metric import Metric
from tightrope.service.config.loader import Settings
from tightrope.service.config.models import Endpoint

HERE = Path(__file__).parent


SAFE_MODE = """# Safe mode

One table decides for every scope (the whole model, or one subgroup): `TABLE` in `monitors/safemode.py`. `make docs`
writes this page from it.

```mermaid
stateDiagram-v2
    [*] --> normal
{arrows}
```

- `normal`: the compressed model answers. `safe`: the baseline answers, and the shadow keeps measuring the compressed
  model. `latched`: like `safe`, but the scope flapped too often and an operator must release it.
- Without a written `mode` a model is armed where limits are written, and advisory otherwise. An advisory model's
  breaches are recorded, with `advisory` at the end of their reason, and move no traffic; where the judgement is blind
  or its state cannot be read, the baseline answers all the same.
- An operator's `force-safe` or `force-normal` holds the scope: automatic inputs are recorded and move nothing until
  `release`.
- A scope that breaches while it is held in normal mode stays there, and is shown: its verdict is a breach, and no other
  scope counts its rows. Its `release` sends it to safe mode.
- A found group can become a scope while everything runs ([formulas](formulas.md#undeclared-groups)), by the order
  `watch-group`. It has all that a declared subgroup has, and ends by an order, in normal mode alone. With `hunter: arm`
  the judge makes a scope of each group that it finds, up to five, and a breach sends it to safe mode at once.
- While two or more classes of hosts are seen (architecture, instruction sets, minor version of onnxruntime), each has a
  scope `host=CLASS`, up to eight, and all others `host=other`, with the rows for which the compressed model ran there.
  A gateway follows the scope of its own class. Where the model is over a limit because of one class, that class
  breaches in its place. A scope ends 32,768 rows after the latest of its class, unless it is in safe mode or held.
- Labels of disagreements can show that a difference is no harm: breaches of it then move nothing, and a scope returns
  after its dwell ([formulas](formulas.md#late-labels)).
- A scope returns on evidence, and not before its minimum dwell is over. A breach soon after a return by evidence is a
  flap: the next return needs ten times the evidence. Neither a rollback nor `force-normal` is a return.
- Modes outlive configurations and artefacts. A pair that served before starts from what is known of it: the scopes that
  it harmed are safe at once (`known-harm`).
- Scopes that a statement of [qualification](qualification.md) withholds begin in safe mode (`withheld`), under an
  advisory plan, too. They return by evidence, on trial as after a new artefact, or by `force-normal`; the same
  statement does not withhold them again. A scope that an operator holds in normal mode goes to safe mode with its
  `release`.
- Above the table lies each gateway's own blindness: when rows are kept and none is judged for
  `safe_mode.blind_seconds`, the full model answers until rows are judged again. It is no mode, and no order ends it;
  `blind_seconds: 0` switches it off. The full model also answers at start, until a judge has published the modes.
- In a cluster a gateway trusts the modes of a model only while it hears a judge of its own plan (files and subgroups).
  The full model answers from the start until a fresh word of one, while the judges judge another plan, and after
  `safe_mode.silent_seconds` without a word (twice `blind_seconds`; `when_silent: stay` keeps the modes instead, so that
  a harmful compressed model can go on answering where no row is kept).
- Pairs without a row raise an error and change nothing: {missing}.

"""


def safe_mode() -> str:
    """The transition table as a Mermaid state diagram; the sections after it stay as they are."""
    arrows: dict[tuple[ModeState, ModeState], list[str]] = {}
    for (state, trigger), row in TABLE.items():
        for to, condition in _targets(row, state):
            arrows.setdefault((state, to), []).append(f"{trigger}{condition}")
    lines = [f"    {state} --> {to}: {'<br/>'.join(texts)}" for (state, to), texts in arrows.items()]
    missing = [f"`{name}` in `{state}`" for state in ModeState for name in Input if (state, name) not in TABLE]
    rest = (HERE / "safe-mode.md").read_text().partition(END)[2]
    return SAFE_MODE.format(arrows="\n".join(lines), missing=", ".join(missing)) + END + rest


def _targets(row: TransitionRow, state: ModeState) -> Iterator[tuple[ModeState, str]]:
    """Yield each state that an input leads to, with its condition in words; a scope stays where the condition fails."""
    conditions = [
        text for text, set_ in (("unless held", row.unless_held), ("after the dwell", row.after_dwell)) if set_
    ]
    yield row.to, f" ({', '.join(conditions)})" if conditions else ""
    if row.or_latch:
        yield ModeState.LATCHED, " (too many flaps)"
    if row.safe_if_objected:
        yield ModeState.SAFE, " (breached or withheld while held)"
    if conditions and row.to is not state:
        yield state, " (otherwise)"


BEGIN, END = "<!-- written from monitors/catalogue.py by `make docs` -->\n", "<!-- to here -->\n"

LIMITS = {
    Hypothesis.RATE: "{:g} as a rate",
    Hypothesis.MEAN: "±{:g} in the mean",
    Hypothesis.UPPER: "+{:g} in the mean",
}
"""Meaning of a limit, by the hypothesis that the monitor tests."""

MONITORS = """| monitor | question | statistic, per row | limit | watches | budget | blind to |
|---|---|---|---|---|---|---|
{rows}

A subgroup's limit is {factor:g} times the model's, at most 0.7, unless `subgroup_limits` sets one. All subgroup cells
of all monitors together share {share:g} of the alarm budget: equal parts for each monitor
and declared subgroup, split among its variants; all `attribute=other` have the part of one subgroup together.
"""


def formulas() -> str:
    """Return the page of formulas with the monitor catalogue as its table; the rest of the page stays as it is."""
    before, _, rest = (HERE / "formulas.md").read_text().partition(BEGIN)
    rows = [
        f"| `{m.name}` | {m.question} | {m.statistic} | {LIMITS[m.hypothesis].format(m.limit)} | {m.reach} "
        f"| {m.share:g} | {m.blind_to} |"
        for m in CATALOGUE.values()
    ]
    table = MONITORS.format(factor=SUBGROUP_FACTOR, share=SUBGROUP_SHARE, rows="\n".join(rows))
    return f"{before}{BEGIN}{table}{END}{rest.partition(END)[2]}"


CONFIGURATION = """# Configuration

One YAML file, validated before anything starts: `tightrope check CONFIG` lists every mistake. `make docs` writes this
page from `service/config/loader.py`. `NAME` is a name that you choose; paths are relative to the file.

| key | type | default | meaning |
|---|---|---|---|
{keys}
"""


def configuration() -> str:
    """Return the page with every key of the configuration file."""
    return CONFIGURATION.format(keys="\n".join(_keys(Settings, "")))


def _keys(section: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner, key = _section(field.annotation), f"{prefix}{name}"
        if get_origin(field.annotation) is dict:
            key += ".NAME"
        if inner is not None:
            yield from _keys(inner, f"{key}.")
        else:
            meaning = " ".join(key_texts.key_texts(section).get(name, "").split())
            yield f"| `{prefix}{name}` | {_type(field.annotation)} | {_default(field)} | {meaning} |"
            if "Endpoint" in str(field.annotation):
                yield from _keys(Endpoint, f"{prefix}{name}.")


def _section(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation of a field
    """Return the section that a field holds, alone or in a map; None for a plain value or a choice of shapes."""
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
        return "required"
    value = field.get_default(call_default_factory=True)
    shown = f"{value:g}" if isinstance(value, float) else value
    return "" if value in (None, {}, []) else f"`{shown}`"


METRICS_PAGE = """# Metrics

Every metric of Tightrope on `/metrics`, in the Prometheus text format or, when the scraper requests it, in OpenMetrics.
`make docs` writes this page from `service/adapters/prometheus/catalogue.py`. The alerts are in
[dashboards/rules/alerts.yml](../dashboards/rules/alerts.yml); each has a heading in the
[runbook](../dashboards/runbook.md).

- The labels `model`, `scope` (`model` for the model as a whole, otherwise a declared subgroup, `attribute=value`) and
  `monitor` have the values that the configuration declares; the table lists the values of all other labels. Callers
  cannot create label values: a request for a model that is not served counts as `unknown`, and an undeclared subgroup
  value counts only for the model as a whole. This bounds the number of series: with S scopes and M monitors a model
  has at most {bound}.
- A model's counters exist at zero from the start, gauges once they have a value. There are no `_created` series.
- Request ids appear only in the exemplars of `tightrope_request_seconds` (OpenMetrics only).
- In a cluster each gateway, worker and judge exposes its own part, and a judge the gauges of the models that it owns at
  the time; counters add up over replicas.

| metric | type | labels | unit | set by | meaning |
|---|---|---|---|---|---|
{rows}

The standard metrics of a Python process come in addition: `process_*` (memory, processor time, open files) and
`python_*`.
"""


def metrics() -> str:
    """Return the page with the metrics catalogue as a table."""
    rows = [
        f"| `{metric.full_name(name)}` | {metric.kind} | {_labels(metric)} | {metric.unit} | {metric.component} "
        f"| {metric.help} |"
        for name, metric in METRICS.items()
    ]
    return METRICS_PAGE.format(rows="\n".join(rows), bound=_bound())


def _labels(metric: Metric) -> str:
    texts = [f"`{name}`" + (f" ({', '.join(values)})" if values else "") for name, values in metric.labels.items()]
    return "; ".join(texts)


def _bound() -> str:
    """Return the series of a model as a formula of S and M, from the counts with none and with one of each."""
    flat, with_scope, with_cell = max_series(0, 0), max_series(1, 0), max_series(1, 1)
    return f"{flat} + {with_scope - flat} S + {with_cell - with_scope} S M"


PAGES: dict[str, Callable[[], str]] = {
    "safe-mode.md": safe_mode,
    "formulas.md": formulas,
    "configuration.md": configuration,
    "metrics.md": metrics,
}

TABLES: dict[str, Callable[[], str]] = {"cluster.md": permissions.cluster}
"""Pages that people write, with a part that the program writes."""

PICTURES = {"request-path.svg": request_path.svg, "sample-path.svg": sample_path.svg}

if __name__ == "__main__":
    for name, write in (PAGES | TABLES | PICTURES).items():
        (HERE / name).write_text(write())
