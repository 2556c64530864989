"""A kind whose failures are logged: readers turn them into faults of rows, which do not say where the code fails."""

import logging

from tightrope.monitors.kinds.seam import Compared, DecisionKind, KindReading
from tightrope.monitors.records import Role, Tensors

log = logging.getLogger(__name__)


class LoggedKind:
    """Implements `seam.DecisionKind` by another kind; what that raises is logged, and raised."""

    def __init__(self, kind: DecisionKind) -> None:
        self.built = kind
        self.name, self.outputs, self.inputs, self.classes = kind.name, kind.outputs, kind.inputs, kind.classes
        self.binary_loss, self.is_cheap, self.is_condensed = kind.binary_loss, kind.is_cheap, kind.is_condensed
        self.has_confidence, self.has_top, self.has_bias = kind.has_confidence, kind.has_top, kind.has_bias
        self.has_margin = getattr(kind, "has_margin", False)  # kinds of packages may be older than this attribute

    def read(self, outputs: Tensors, inputs: Tensors, role: Role, rows: int) -> KindReading:
        """Read the outputs."""
        try:
            return self.built.read(outputs, inputs, role, rows)
        except Exception:
            log.exception("the code of the kind %s fails: the %s model's rows cannot be read", self.name, role)
            raise

    def compare(self, baseline: KindReading, compressed: KindReading) -> Compared:
        """Compare two readings."""
        try:
            return self.built.compare(baseline, compressed)
        except Exception:
            log.exception("the code of the kind %s fails: rows cannot be compared", self.name)
            raise


def built_kind(kind: DecisionKind) -> DecisionKind:
    """The kind as its factory built it, with the attributes of its own class."""
    return kind.built if isinstance(kind, LoggedKind) else kind
