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


def test_figures_of_changed_rows_are_sentences() -> None:
    """Figures that are 0 are absent in a statement."""
    (line,) = scenario_lines({"jitter": {"rows": 9, "flips_compressed": 0.035, "differ_after": 0.01}})
    assert line == (
        "jitter: 3.50 % of answers change, of the baseline's 0.00 %; the models differ on 1.00 %, before on 0.00 %"
    )
    bins = [{"margin": 0.1, "rows": 10, "differ": 0.2}, {"margin": 1.0, "rows": 10, "differ": 0.0}]
    (line,) = scenario_lines({"groups": {"boundary": bins, "disparity": {"a=b": 0.1, "a=c": -0.1}}})
    assert line.startswith("groups: 20.0 % differ in the tenth of least margin, 0.0 % in that of most; ")
    assert line.endswith("a=b differs +10.0 points from all others")
