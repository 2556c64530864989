"""The row of the dashboard *Model* about labels: how sure each model is, and how often it is right."""

from collections.abc import Sequence

from tightrope.dashboards.drift import WHOLE
from tightrope.dashboards.panels import ONE_MODEL, Json, Panel, PanelRow, Query, by_name, lines, narrowed, table

CALIBRATION = narrowed(ONE_MODEL, 'scope="model", monitor="calibration"')
UNLABELLED_TEXT = "There are no labels, or no confidence"
GAUGE_CELL: Json = {
    "custom.cellOptions": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"},
    "custom.width": 150,
    "min": 0,
    "max": 1,
}


def _curve_table(
    title: str, description: str, expressions: dict[str, str], columns: dict[str, str], overrides: Sequence[Json] = ()
) -> Panel:
    """A table with a line for each bin of either model's curve; ``columns`` names its labels."""
    names = {f"Value #{ref}": name for ref, name in zip("ABCD", expressions, strict=False)} | columns
    if len(expressions) == 1:
        names |= {"Value": next(iter(expressions))}
    return table(
        title,
        description,
        [Query(expr, table=True) for expr in expressions.values()],
        [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"renameByName": names, "excludeByName": {"Time": True}}},
        ],
        unit="percentunit",
        width=12,
        height=10,
        defaults={"noValue": UNLABELLED_TEXT},
        overrides=[
            by_name("Whose curve", {"custom.width": 120}),
            by_name("Bin", {"custom.width": 60, "unit": "string"}),
            *overrides,
        ],
    )


def _of_bins(figure: str) -> str:
    """The query of a figure; a bin without labels is not a number, and left out."""
    return f"max by (role, bin) (tightrope_reliability_{figure}{ONE_MODEL}) >= -1"


RELIABILITY_TABLE = _curve_table(
    "Reliability curves: how sure, and how often right",
    "Of labelled rows, by bin of each model's own confidence, the least sure first: its mean confidence, and the share "
    "of right answers. From and to are the ends of the 95 % band of confidence minus accuracy: where both are above 0, "
    "that model is surer than it is right.",
    {
        "Confidence": _of_bins("confidence"),
        "Accuracy": _of_bins("accuracy"),
        "From": _of_bins("lower"),
        "To": _of_bins("upper"),
    },
    {"role": "Whose curve", "bin": "Bin"},
    [
        by_name("Confidence", GAUGE_CELL),
        by_name("Accuracy", GAUGE_CELL),
        by_name("From", {"custom.width": 90}),
        by_name("To", {"custom.width": 90}),
    ],
)

LABEL_ROW = PanelRow(
    "Labels: is it right, and does it know?",
    [
        RELIABILITY_TABLE,
        lines(
            "Calibration error of each model",
            "Mean distance of confidence and accuracy over the bins, of the compressed model and of its baseline. It "
            "lies a little above 0 for a perfect model, too.",
            "percentunit",
            {"{{role}}": f"max by (role) (tightrope_calibration_error{WHOLE})"},
            width=12,
            height=10,
            defaults={"noValue": UNLABELLED_TEXT},
        ),
        lines(
            "Calibration of the compressed model",
            "Its confidence minus its accuracy on labelled rows, in the worst bin of confidence.",
            "percentunit",
            {
                "compressed": f"max(tightrope_monitor_mean{CALIBRATION})",
                "limit": f"max(tightrope_monitor_limit{CALIBRATION})",
            },
            width=12,
            defaults={"min": None, "noValue": UNLABELLED_TEXT},
        ),
        lines(
            "Labels",
            "Labels by outcome, since the model's state was created.",
            "short",
            {"{{outcome}}": f"max by (outcome) (tightrope_labels{ONE_MODEL})"},
            width=12,
            defaults={"noValue": "There are no labels"},
        ),
    ],
)


def subgroup_reliability(chosen_scopes: str) -> Panel:
    """A table of both models' curves in subgroups, which have two bins; ``chosen_scopes`` selects these."""
    return _curve_table(
        "Surer than right, by subgroup",
        "Confidence minus accuracy on labelled rows, in the lower and the higher half of confidence of each subgroup: "
        "above 0 that model is surer than it is right.",
        {"Surer than right by": f"max by (scope, role, bin) (tightrope_subgroup_overconfidence{chosen_scopes}) >= -1"},
        {"role": "Whose curve", "bin": "Bin", "scope": "Scope"},
        [by_name("Scope", {"custom.width": 190})],
    )
