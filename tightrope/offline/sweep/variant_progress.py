"""The progress of a sweep: each step under the name of its variant."""

from tightrope.offline.progress import Progress


class VariantProgress:
    """Implements `offline.progress.Progress`: puts the ``variant`` before each step."""

    def __init__(self, shown: Progress) -> None:
        self._shown, self.variant = shown, ""

    def begin(self, step: str, total: int) -> None:
        """Begin a step of the variant."""
        self._shown.begin(f"{self.variant}: {step}" if self.variant else step, total)

    def advance(self, parts: int = 1) -> None:
        """Finish some parts of the step."""
        self._shown.advance(parts)
