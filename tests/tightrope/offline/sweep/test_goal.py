from tightrope.offline.sweep.goal import Goal


def test_goals_are_what_the_option_takes() -> None:
    """`--for size | latency | energy`."""
    assert [str(goal) for goal in Goal] == ["size", "latency", "energy"]
