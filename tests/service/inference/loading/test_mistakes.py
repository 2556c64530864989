from tightrope.service.inference.loading.mistakes import Mistakes


def test_mistake_is_told_once_with_its_key() -> None:
    """Both models may have the same one."""
    mistakes = Mistakes("m")
    mistakes.add("baseline", "is missing")
    mistakes.add("baseline", "is missing")
    mistakes.add("compressed", "is missing")
    assert mistakes == ["models.m.baseline: is missing", "models.m.compressed: is missing"]
