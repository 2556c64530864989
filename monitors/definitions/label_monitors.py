"""The monitors of labelled rows."""

from tightrope.monitors import observations
from tightrope.monitors.definitions.definition import Hypothesis, MonitorDefinition, Need, Reach
from tightrope.monitors.observations import TENTHS, bin_names
from tightrope.monitors.records import Stream

LABEL_MONITORS = (
    MonitorDefinition(
        name="accuracy",
        question="Is the compressed model wrong more often than its baseline, on labelled rows?",
        statistic="on labelled rows: 1 if only the baseline is right, -1 if only the compressed model is, else 0; rows "
        "between disagreements that were drawn for a label: 0",
        blind_to="rows whose label never arrives",
        hypothesis=Hypothesis.UPPER,
        limit=0.01,
        share=0.08,
        observe=observations.accuracy,
        zeros=observations.agreements,
        ternary=True,
        stream=Stream.LABELS,
        needs=(Need.LABELS,),
    ),
    MonitorDefinition(
        name="excess_risk",
        question="Where the two disagree, is the baseline right more often?",
        statistic="on labelled rows on which they disagree: 1 if only the baseline is right, -1 if only the "
        "compressed model is, else 0",
        blind_to="how often they disagree",
        hypothesis=Hypothesis.UPPER,
        limit=0.3,
        share=0.02,
        observe=observations.excess,
        ternary=True,
        stream=Stream.LABELS,
        reach=Reach.MODEL,
        needs=(Need.LABELS,),
    ),
    MonitorDefinition(
        name="brier",
        question="Is the compressed model's confidence a worse forecast of being right than its baseline's?",
        statistic="on labelled rows: squared error of the compressed model's confidence minus its baseline's",
        blind_to="errors of confidence that both models share",
        hypothesis=Hypothesis.UPPER,
        limit=0.01,
        share=0.02,
        observe=observations.brier,
        stream=Stream.LABELS,
        reach=Reach.MODEL,
        needs=(Need.LABELS, Need.CONFIDENCE),
    ),
    MonitorDefinition(
        name="calibration",
        question="Does the compressed model's confidence equal the rate at which it is right?",
        statistic="on labelled rows, by bin of confidence: confidence minus 1 if right, else 0",
        blind_to="errors that cancel within a bin; a baseline that is as badly calibrated",
        hypothesis=Hypothesis.MEAN,
        limit=0.05,
        share=0.02,
        observe=observations.calibration,
        variants=lambda _: bin_names(TENTHS),
        least_share=0.05,
        stream=Stream.LABELS,
        reach=Reach.MODEL,
        needs=(Need.LABELS, Need.CONFIDENCE),
    ),
)
"""In the order of the catalogue."""
