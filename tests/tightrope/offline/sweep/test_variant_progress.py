from tightrope.offline.sweep.variant_progress import VariantProgress


class Steps:
    """A display that keeps what it is shown."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int]] = []
        self.parts = 0

    def begin(self, step: str, total: int) -> None:
        """Keep a step."""
        self.steps.append((step, total))

    def advance(self, parts: int = 1) -> None:
        """Count parts."""
        self.parts += parts


def test_a_step_bears_the_name_of_its_variant() -> None:
    """A reader sees how far the sweep is."""
    shown = Steps()
    progress = VariantProgress(shown)
    progress.begin("reading", 1)
    progress.variant = "fp16 (2 of 8)"
    progress.begin("loading", 3)
    progress.advance(2)
    assert shown.steps == [("reading", 1), ("fp16 (2 of 8): loading", 3)]
    assert shown.parts == 2
