"""The progress of a long command, in steps: a command line may show it."""

from typing import Protocol


class Progress(Protocol):
    """A display of steps, one after the other."""

    def begin(self, step: str, total: int) -> None:
        """Begin a step of ``total`` parts."""

    def advance(self, parts: int = 1) -> None:
        """Finish some parts of the step."""


class NoProgress:
    """Implements `Progress` without a display."""

    def begin(self, step: str, total: int) -> None:
        """Show nothing."""

    def advance(self, parts: int = 1) -> None:
        """Show nothing."""


NO_PROGRESS = NoProgress()
