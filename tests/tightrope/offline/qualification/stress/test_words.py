from tightrope.offline.qualification.stress.words import scenario_lines


def test_figures_of_the_probe_are_a_sentence() -> None:
    """With the largest gap where the one that is looked for was not found."""
    figures = {"starts": 400, "found": 44, "queries": 64, "gap": 0.3, "median_query": 18.0, "largest": 0.5}
    assert [*scenario_lines({"probe": figures})] == [
        "probe: from 44 of 400 rows 64 queries find a gap of 0.3; half of them after 18 queries"
    ]
    (line,) = scenario_lines({"probe": {**figures, "found": 0, "largest": 0.22}})
    assert line.endswith("the largest that was found is 0.220")
    assert [*scenario_lines({"blur": {"reason": "not measured: time"}})] == ["blur: not measured: time"]
