"""`tightrope modes list | move | drop`: the stored modes, and those whose scope the configuration no longer has."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tightrope.cli.cluster_commands import ConfigArgument, JsonOption

if TYPE_CHECKING:
    from tightrope.monitors.plan import Plan
    from tightrope.service.adapters.sqlite.store import SqliteStore
    from tightrope.wiring.mode_mapping import StoredMode

CLUSTER_HINT = (
    "bus: a cluster keeps its modes in Kafka, and its judges write them; put the scope back into the configuration of "
    "the judges, give an order for it (release or force-normal), and remove it once it is in normal mode"
)
"""The way to map a mode in a cluster, where the whole model is answered by the baseline meanwhile."""

app = typer.Typer(help="Stored modes, and those of scopes that are gone.", no_args_is_help=True)

ModelNameOption = Annotated[str | None, typer.Option(help="The model, if the configuration has several.")]
ActorOption = Annotated[str | None, typer.Option(help="Your name for the audit trail; the login name if left out.")]
OldArgument = Annotated[
    str, typer.Argument(help="A scope that the configuration no longer has.", metavar="OLD", show_default=False)
]


@app.command("list")
def list_modes(config: ConfigArgument, model: ModelNameOption = None, json_: JsonOption = False) -> None:
    """List the stored modes, with those of scopes that the configuration no longer has."""
    from tightrope.service.config.loader import load
    from tightrope.wiring.cluster_modes import cluster_modes
    from tightrope.wiring.mode_mapping import stored_modes

    is_cluster = load(config).bus is not None
    with cluster_modes(config) if is_cluster else _stored(config, exclusive=False) as (store, plans):
        chosen = list(plans.values()) if model is None else [_chosen(plans, model)]
        for plan in chosen:
            for stored in stored_modes(store, plan):
                _print(stored, json_=json_)


@app.command()
def move(
    config: ConfigArgument,
    old: OldArgument,
    new: Annotated[
        str, typer.Argument(help="A scope of the configuration that takes the mode.", metavar="NEW", show_default=False)
    ],
    model: ModelNameOption = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")] = "the scope has another name",
    actor: ActorOption = None,
    json_: JsonOption = False,
) -> None:
    """Give the stored mode of a scope that is gone to another one."""
    from tightrope.wiring.mode_mapping import move_mode

    with _stored(config, exclusive=True) as (store, plans):
        stored = move_mode(store, _chosen(plans, model), old, new, actor or getpass.getuser(), reason)
    _print(stored, json_=json_)


@app.command()
def drop(
    config: ConfigArgument,
    old: OldArgument,
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.", show_default=False)],
    model: ModelNameOption = None,
    actor: ActorOption = None,
    json_: JsonOption = False,
) -> None:
    """Forget the stored mode of a scope that is gone."""
    from tightrope.wiring.mode_mapping import drop_mode

    with _stored(config, exclusive=True) as (store, plans):
        stored = drop_mode(store, _chosen(plans, model), old, actor or getpass.getuser(), reason)
    _print(stored, json_=json_)


@contextmanager
def _stored(config: Path, *, exclusive: bool) -> "Iterator[tuple[SqliteStore, dict[str, Plan]]]":
    """Open the state of a configuration, and yield it with the plans of its models."""
    from tightrope.service.adapters.sqlite.state_file import StoreError
    from tightrope.service.adapters.sqlite.store import SqliteStore
    from tightrope.service.app import load_pairs
    from tightrope.service.config.loader import ConfigError, load
    from tightrope.wiring.audit_keys import audit_keys
    from tightrope.wiring.deployer import with_deployed
    from tightrope.wiring.embedded import DATABASE

    settings = load(config)
    path = settings.state / DATABASE
    if settings.bus is not None:
        raise ConfigError([CLUSTER_HINT])
    if not path.exists():
        raise ConfigError([f"state: {path} does not exist yet; `tightrope run {config}` makes it"])
    plans = {name: pair.plan for name, pair in load_pairs(with_deployed(settings), enforced=False).items()}
    try:
        store = SqliteStore(path, exclusive=exclusive, keys=audit_keys(settings) if exclusive else None)
    except StoreError as error:
        hint = "; modes are moved and dropped while nothing runs, orders are for the time when it does"
        raise ConfigError([f"{error}{hint if exclusive else ''}"]) from error
    try:
        yield store, plans
    finally:
        store.close()


def _chosen(plans: "dict[str, Plan]", model: str | None) -> "Plan":
    from tightrope.service.config.loader import ConfigError
    from tightrope.service.config.suggestions import did_you_mean

    if model is None and len(plans) > 1:
        raise ConfigError([f"--model: is missing; it must be one of {', '.join(plans)}"])
    name = next(iter(plans)) if model is None else model
    if name not in plans:
        raise ConfigError([f"--model: is {name!r}; it must be one of {', '.join(plans)}{did_you_mean(plans, name)}"])
    return plans[name]


def _print(stored: "StoredMode", *, json_: bool) -> None:
    mode = stored.record.mode
    if json_:
        monitors = list(stored.record.monitors)
        fields = {"state": str(mode.state), "held": mode.held, "monitors": monitors, "configured": stored.configured}
        typer.echo(json.dumps({"model": stored.model, "scope": stored.scope, **fields}))
        return
    from tightrope.cli import console

    held = ", held by an operator" if mode.held else ""
    breached = f", breached {', '.join(stored.record.monitors)}" if stored.record.monitors else ""
    gone = "" if stored.configured else ", not in the configuration"
    console.print_status(f"{stored.model} {stored.scope}", f"  {mode.state}{held}{breached}{gone}", "bold")
