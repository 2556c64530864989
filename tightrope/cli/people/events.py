"""`tightrope events`: the audit trail in sentences, from the state of a configuration or from a running gateway."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightrope.cli.cluster_commands import JsonOption
from tightrope.cli.people.options import (
    OptionalConfig,
    TokenFileOption,
    UrlOption,
    chosen_url,
    gateway_of,
    is_piped,
    moment,
)

if TYPE_CHECKING:
    from tightrope.monitors.records import Event
    from tightrope.offline.running_gateway import RunningGateway
    from tightrope.service.api.overview.event_search import EventFilter

EVENT_POLL_SECONDS = 0.5
MOST_EVENTS = 1_000
"""Events of one answer of a gateway."""

NumberedEvents = list[tuple[int, "Event"]]


@dataclass(frozen=True, slots=True)
class EventSource:
    """Reads events, up to a number of them: the newest, or those after a number, oldest first."""

    newest: Callable[[int], NumberedEvents]
    after: Callable[[int, int], NumberedEvents]


def events(
    context: typer.Context,
    config: OptionalConfig = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    model: Annotated[str | None, typer.Option(help="Show this model's events only.")] = None,
    scope: Annotated[str | None, typer.Option(help="Show this scope's events only: model, or attribute=value.")] = None,
    kind: Annotated[str | None, typer.Option(help="Show events of this kind only, as breach or force-safe.")] = None,
    since: Annotated[str | None, typer.Option(help="Show events since then: 2h ago, or a time (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Show events until then: 2h ago, or a time (UTC).")] = None,
    after: Annotated[int | None, typer.Option(help="Show events after this sequence number, oldest first.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many events, by default the newest.")] = 100,
    follow: Annotated[bool, typer.Option(help="Keep printing new events.")] = False,
    json_: JsonOption = False,
) -> None:
    """Print the audit trail: what changed, when, why and by whom."""
    from tightrope.service.api.overview.event_search import EventFilter

    begin, end = moment(since, "--since"), moment(until, "--until")
    wanted = EventFilter(
        model, scope, kind, float("-inf") if begin is None else begin, float("inf") if end is None else end
    )
    address = chosen_url(context, config, url)
    remote = _of_gateway(gateway_of(context, config, url, token_file), wanted) if address is not None else None
    with _of_state(config, wanted) if remote is None and config else _same(remote) as source:
        batch = source.newest(limit)[::-1] if after is None else source.after(after, limit)
        print_events = _printer(json_=json_)
        print_events(batch)
        while follow:
            after = batch[-1][0] if batch else after or 0
            time.sleep(EVENT_POLL_SECONDS)
            batch = source.after(after, limit)
            print_events(batch)


def _printer(*, json_: bool) -> Callable[[NumberedEvents], None]:
    """The way to print a batch of events: JSON lines, sentences on a terminal, else tab-separated lines."""
    from tightrope.cli.people import event_lines

    if json_:
        return print_json_lines
    if not is_piped():
        return event_lines.print_sentences
    typer.echo(event_lines.EVENT_HEADER)

    def print_lines(batch: NumberedEvents) -> None:
        for seq, event in batch:
            typer.echo(event_lines.event_line(seq, event))

    return print_lines


def print_json_lines(batch: NumberedEvents) -> None:
    """Print each event as a JSON object on a line."""
    for seq, event in batch:
        typer.echo(json.dumps({"seq": seq, **asdict(event)}))


@contextmanager
def _same(source: EventSource | None) -> Iterator[EventSource]:
    assert source is not None  # noqa: S101 - one of both is given
    yield source


def _of_gateway(gateway: "RunningGateway", wanted: "EventFilter") -> EventSource:
    """Events of a running gateway."""
    from tightrope.monitors.records import Event

    query: dict[str, Any] = {"model": wanted.model, "scope": wanted.scope, "kind": wanted.kind}
    query |= {} if wanted.since == float("-inf") else {"since": wanted.since}
    query |= {} if wanted.until == float("inf") else {"until": wanted.until}
    names = Event.__dataclass_fields__.keys()

    def read(limit: int, **more: object) -> NumberedEvents:
        page = gateway.get("/v1/events", **query, **more, limit=min(limit, MOST_EVENTS))["events"]
        return [(each["seq"], Event(**{name: each[name] for name in names})) for each in page]

    def newest(limit: int) -> NumberedEvents:
        found = read(limit)
        while found and len(found) < limit and (page := read(limit - len(found), before=found[-1][0])):
            found += page
        return found

    return EventSource(newest, lambda after, limit: read(limit, after=after, order="asc"))


@contextmanager
def _of_state(config: Path, wanted: "EventFilter") -> Iterator[EventSource]:
    """Events in the state of a configuration, whether it runs or not."""
    from tightrope.service.adapters.sqlite.store import SqliteStore
    from tightrope.service.api.overview.event_search import find_events
    from tightrope.service.config.loader import ConfigError, load
    from tightrope.wiring.embedded import DATABASE

    settings = load(config)
    path = settings.state / DATABASE
    if settings.bus is not None:
        advice = f"`tightrope events --url` asks a gateway, and `tightrope tail {config} events` shows the topic"
        raise ConfigError([f"bus: is configured, so the events of this cluster are in a topic; {advice}"])
    if not path.exists():
        raise ConfigError([f"state: {path} does not exist yet; `tightrope run {config}` makes it"])
    store = SqliteStore(path)
    model = wanted.model
    if model is not None and model not in settings.models and not store.events(model, 0, 1):
        raise ConfigError([f"--model: {model!r} is none of {', '.join(settings.models)}, and has no events"])
    try:
        yield EventSource(
            lambda limit: find_events(store, wanted, limit),
            lambda after, limit: find_events(store, wanted, limit, after=after, newest_first=False),
        )
    finally:
        store.close()
