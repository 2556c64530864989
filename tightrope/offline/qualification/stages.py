"""The stages of a qualification: each is kept when it is finished, so that a killed run goes on from there.

Time may end before the last one.

How it works. The results so far are one JSON file, `STATE/qualify/DIGEST.partial`, whose name covers everything that
they depend on. It is replaced as a whole after each stage, and removed at the end.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from tightrope.offline.progress import Progress
from tightrope.service.errors import TightropeError

FOLDER = "qualify"
TIME = "time"
"""The reason for what is not measured because the seconds are over."""

StageResult = TypeVar("StageResult")


class TimeIsUpError(TightropeError):
    """The seconds of the whole run are over."""


class QualificationStateError(TightropeError):
    """A file in the state folder cannot be written."""


class TimedProgress:
    """Implements `offline.progress.Progress`: shows it, and ends a step when the time is up."""

    def __init__(self, shown: Progress, deadline: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._shown, self._deadline, self._clock = shown, deadline, clock

    @property
    def seconds_left(self) -> float:
        """The seconds until the time is up, infinite without a deadline."""
        return math.inf if self._deadline is None else self._deadline - self._clock()

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self.seconds_left <= 0

    def begin(self, step: str, total: int) -> None:
        """Begin a step.

        Raises:
            TimeIsUpError: when no time is left.
        """
        self._require_time()
        self._shown.begin(step, total)

    def advance(self, parts: int = 1) -> None:
        """Finish some parts of the step.

        Raises:
            TimeIsUpError: when no time is left.
        """
        self._shown.advance(parts)
        self._require_time()

    def _require_time(self) -> None:
        if self.is_over:
            raise TimeIsUpError("the seconds are over")


@dataclass(slots=True)
class StageStore:
    """The finished stages of one run, in a file."""

    path: Path
    _finished: dict[str, msgspec.Raw] = field(default_factory=dict)

    @classmethod
    def open(cls, state: Path, digest: str) -> "StageStore":
        """Open the stages that an earlier run with this digest left; a damaged file counts as none."""
        path = state / FOLDER / f"{digest}.partial"
        try:
            return cls(path, msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw]))
        except (OSError, msgspec.MsgspecError):
            return cls(path)

    def run(self, stage: str, result_type: type[StageResult], measure: Callable[[], StageResult]) -> StageResult | None:
        """Return the result of a stage: the kept one, or the measured one, which is kept; None if the time is up.

        Raises:
            QualificationStateError: when it cannot be kept.
        """
        if stage in self._finished:
            try:
                return msgspec.json.decode(self._finished[stage], type=result_type)
            except msgspec.MsgspecError:  # of another version
                pass
        try:
            result = measure()
        except TimeIsUpError:
            return None
        self._finished[stage] = msgspec.Raw(msgspec.json.encode(result))
        replace_file(self.path, msgspec.json.encode(self._finished))
        return result

    def remove(self) -> None:
        """Forget the stages: the run is over."""
        self.path.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file at once: a reader sees the old content or the new one.

    Raises:
        QualificationStateError: with the reason.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        raise QualificationStateError(f"{path}: cannot be written: {error.strerror}") from error
