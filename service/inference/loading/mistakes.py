"""The mistakes of one model's section of the configuration, found while its pair is loaded and checked."""


class Mistakes(list[str]):
    """Collects all mistakes of a pair, instead of stopping at the first."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def add(self, key: str, text: str) -> None:
        """Add a mistake, once."""
        line = f"models.{self._name}.{key}: {text}"
        if line not in self:  # both models may have the same mistake
            self.append(line)
