"""The row of the dashboard *Model* about labels: how sure each model is, and how often it is right."""

from collections.abc import Sequence

from tightrope.dashboards.drift import WHOLE
from tightrope.dashboards.panels import SMALL_MODEL, Json, Panel, PanelRow, Query, by_name, lines, role_column, table
from tightrope.dashboards.queries import ONE_MODEL, narrowed

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
            role_column("Model", 120),
            by_name("Bin", {"custom.width": 60, "unit": "string"}),
            *overrides,
        ],
    )


def _of_bins(figure: str) -> str:
    """The query of a figure; a bin without labels is not a number, and left out."""
    return f"max by (role, bin) (tightrope_reliability_{figure}{ONE_MODEL}) >= -1"


RELIABILITY_TABLE = _curve_table(
    "How sure, and how often right",
    "Of labelled rows, by bin of each model's own confidence, the least sure first: its mean confidence, and the share "
    "of right answers. At least and at most are the ends of the 95 % band of confidence minus accuracy: where both "
    "are above 0, that model is surer than it is right.",
    {
        "Confidence": _of_bins("confidence"),
        "Accuracy": _of_bins("accuracy"),
        "At least": _of_bins("lower"),
        "At most": _of_bins("upper"),
    },
    {"role": "Model", "bin": "Bin"},
    [
        by_name("Confidence", GAUGE_CELL),
        by_name("Accuracy", GAUGE_CELL),
        by_name("At least", {"custom.width": 90}),
        by_name("At most", {"custom.width": 90}),
    ],
)

LABEL_ROW = PanelRow(
    "Labels: is it right, and does it know?",
    [
        RELIABILITY_TABLE,
        lines(
            "How wrong each model is about itself",
            "Mean distance of confidence and accuracy over the bins, of the small and of the full model. It lies a "
            "little above 0 for a perfect model, too.",
            "percentunit",
            {"{{role}}": f"max by (role) (tightrope_calibration_error{WHOLE})"},
            width=12,
            height=10,
            defaults={"noValue": UNLABELLED_TEXT},
        ),
        lines(
            "Is the small model surer than it is right?",
            "Its confidence minus its accuracy on labelled rows, in the worst bin, with its 95 % interval.",
            "percentunit",
            {
                SMALL_MODEL: f"max(tightrope_monitor_mean{CALIBRATION})",
                "at least": f"max(tightrope_monitor_lower{CALIBRATION})",
                "at most": f"max(tightrope_monitor_upper{CALIBRATION})",
                "tolerated": f"max(tightrope_monitor_limit{CALIBRATION})",
            },
            width=12,
            defaults={"min": None, "noValue": UNLABELLED_TEXT},
        ),
        lines(
            "Labels",
            "Labels by outcome, since what is known of the model began.",
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
        "Surer than right, by group",
        "Confidence minus accuracy on labelled rows, in the lower and the higher half of confidence of each group: "
        "above 0 that model is surer than it is right.",
        {"Surer than right by": f"max by (scope, role, bin) (tightrope_subgroup_overconfidence{chosen_scopes}) >= -1"},
        {"role": "Model", "bin": "Bin", "scope": "Group"},
        [by_name("Group", {"custom.width": 230})],
    )
