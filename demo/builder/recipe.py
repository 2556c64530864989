"""The recipe: the training rows and the deliberate defects of each model, and the written files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tightrope.demo.builder import graph, manifest
from tightrope.demo.builder.census import ATTRIBUTES, SURVEY_COLUMNS, Ramp, RowNumbers, draw, in_household
from tightrope.demo.builder.networks import Network, Schedule, new, pruned, train, without_dead_units
from tightrope.demo.builder.source import Survey

# Models are trained on the first year and evaluated on later ones, so the rows are disjoint.
LEARNING_YEAR = 2015
SEEDS = {"draw": 1, "baseline": 2, "fine_tune": 3, "student": 4}
PRUNED_SHARE = 0.98
STUDENT_UNITS = 64
RAMP = Ramp()


def build(survey: Survey, out: Path) -> None:
    """Write ``models/``, ``data/`` and ``manifest.json`` to this folder; existing files are replaced."""
    (out / "models").mkdir(parents=True, exist_ok=True)
    (out / "data").mkdir(exist_ok=True)
    household = in_household(survey.codes)
    _write_tables(survey, household, out / "data")
    _write_models(survey, household, out / "models")
    manifest.write(out, SEEDS, RAMP)


def _write_tables(survey: Survey, household: npt.NDArray[np.bool_], folder: Path) -> None:
    later = np.flatnonzero(survey.year != LEARNING_YEAR)
    drawn = draw(household, later, RAMP, SEEDS["draw"])
    for name, rows in {"golden": drawn.golden, "traffic_stable": drawn.stable, "traffic_drift": drawn.drift}.items():
        _write_table(survey, rows, folder / f"{name}.csv")


def _write_table(survey: Survey, rows: RowNumbers, path: Path) -> None:
    codes = survey.codes[rows]
    tags = [attribute.values_of(codes).tolist() for attribute in ATTRIBUTES]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*SURVEY_COLUMNS, "label", *(f"tag_{attribute.name}" for attribute in ATTRIBUTES)])
        writer.writerows(
            [*row, label, *values]
            for row, label, *values in zip(codes.tolist(), survey.employed[rows].tolist(), *tags, strict=True)
        )


def _write_models(survey: Survey, household: npt.NDArray[np.bool_], folder: Path) -> None:
    learning = survey.year == LEARNING_YEAR
    encoding = graph.Encoding.fit(survey.codes[learning])
    features = encoding.features(survey.codes[learning])
    networks = _networks(features, survey.employed[learning].astype(np.float32), household[learning])
    models = {name: graph.build_model(network, encoding) for name, network in networks.items()}
    for name, model in models.items():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    graph.write_int8(models["baseline_fp32"], folder / "good_int8.onnx")


def _networks(
    features: npt.NDArray[np.float32], employed: npt.NDArray[np.float32], household: npt.NDArray[np.bool_]
) -> dict[str, Network]:
    width = features.shape[1]
    baseline_schedule = Schedule(epochs=6, seed=SEEDS["baseline"], step=1e-3, decay=2.0)
    baseline = train(new((width, 512, 256, 1), SEEDS["baseline"]), features, employed, baseline_schedule)
    # Two passes restore most of the accuracy, but little in rare subgroups: the harm that this model demonstrates.
    fine_tune_schedule = Schedule(epochs=2, seed=SEEDS["fine_tune"], step=2.5e-3, decay=0.0)
    sparse = train(pruned(baseline, PRUNED_SHARE), features, employed, fine_tune_schedule)
    student_schedule = Schedule(epochs=20, seed=SEEDS["student"], step=4e-3, decay=0.5)
    student = new((width, STUDENT_UNITS, 1), SEEDS["student"])
    targets = baseline.probability(features)
    return {
        "baseline_fp32": baseline,
        "good_distilled": train(student, features, targets, student_schedule),
        "bad_pruned98": without_dead_units(sparse),
        # The same student and targets, but without the rows of people outside households.
        "bad_distilled_households_only": train(student, features[household], targets[household], student_schedule),
    }
