from tightrope.offline.sweep.hotspot import Hotspot


def test_hotspots_are_ordered_by_the_worst_share() -> None:
    """A change after which the model cannot answer has none."""
    assert Hotspot("w", "pruned", 12.0, {"model": 0.02, "a=b": 0.3}, "a=b").order == 0.3
    assert Hotspot("w", "pruned", 12.0, {}, None).order == 0.0
