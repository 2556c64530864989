"""The commands for people, in the order in which the help lists them."""

from collections.abc import Callable, Sequence

from tightrope.cli.people.cost import cost
from tightrope.cli.people.events import events
from tightrope.cli.people.letter import letter
from tightrope.cli.people.orders import deploy, force_normal, force_safe, release, rollback
from tightrope.cli.people.status import status

PEOPLE_COMMANDS: Sequence[Callable[..., None]] = (
    status,
    cost,
    events,
    letter,
    force_safe,
    force_normal,
    release,
    deploy,
    rollback,
)
