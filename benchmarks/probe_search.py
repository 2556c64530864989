"""Rows of the demo from which a search finds large gaps between its models: `python -m benchmarks.probe_search`.

The good models are to be found out from no row, the bad ones from at least a tenth of them. Exits with 1 otherwise.
"""

import sys
from pathlib import Path

from tightrope.offline.pair_evaluation import PairEvaluation, prepare
from tightrope.offline.qualification.stress.probe import ProbeFigures, run_probe
from tightrope.service.config.loader import Settings, load

DEMO = Path(__file__).parent.parent / "demo"
SEEDS = (1, 2, 3)
LEAST_FOUND = 0.1
EXPECTED = {
    "good_int8": False,
    "good_distilled": False,
    "bad_pruned98": True,
    "bad_distilled_households_only": True,
}
"""The models of the demo, and whether the search is to find them out."""


def evaluation(settings: Settings, compressed: str) -> PairEvaluation:
    """The demo's rows and one of its models."""
    (name,) = settings.models
    section = settings.models[name].model_copy(update={"compressed": DEMO / "models" / f"{compressed}.onnx"})
    changed = settings.model_copy(update={"models": {name: section}})
    return prepare(changed, None, DEMO / "data" / "golden.csv")


def is_kept(figures: ProbeFigures, *, is_bad: bool) -> bool:
    """Whether the figures are those that the page promises."""
    return figures.found >= LEAST_FOUND * figures.starts if is_bad else figures.found == 0


def main() -> None:
    """Print a line a model."""
    settings, kept = load(DEMO / "tightrope.yaml", {}), True
    print("| model | found from 400 | median query | largest gap |\n|---|---|---|---|")
    for model, is_bad in EXPECTED.items():
        own = evaluation(settings, model)
        runs = [run_probe(own, seed) for seed in SEEDS]
        kept &= all(is_kept(each, is_bad=is_bad) for each in runs)
        found = ", ".join(str(each.found) for each in runs)
        queries = ", ".join(
            "" if each.median_query is None else f"{each.median_query:.0f}" for each in runs if each.found
        )
        print(f"| {model} | {found} | {queries} | {max(each.largest or 0.0 for each in runs):.3f} |")
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
