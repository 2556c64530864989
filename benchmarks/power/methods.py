"""The methods and the scenes in which each takes part. Needs the benchmark's own environment."""

from collections.abc import Sequence

from benchmarks.power import river_adapter
from benchmarks.power.evidently_adapter import Evidently
from benchmarks.power.method import Method
from benchmarks.power.ours import Interleaved, Sampled, Tightrope
from benchmarks.power.river_adapter import Adwin, PageHinkley
from benchmarks.power.scenes import SCENES, Scene
from benchmarks.power.windows import Budgeted, Sliding, Tumbling

OURS: tuple[Method, ...] = (Tightrope(), Tightrope("Tightrope, ticks of 64", 64))
OTHERS: tuple[Method, ...] = (
    Tumbling(),
    Budgeted("tumbling window, at Tightrope's budget", sliding=False),
    Sliding(),
    Budgeted("sliding window, at Tightrope's budget", sliding=True),
    PageHinkley(),
    PageHinkley("Page-Hinkley, threshold 10", 10.0),
    river_adapter.BUDGETED,
    Adwin(),
    Evidently("evidently, reference 1,000 (p < .05)", 1_000),
    Evidently("evidently, reference 1,000, p at Tightrope's budget", 1_000, budgeted=True),
    Evidently("evidently, reference 5,000 (distance > .1)", 5_000),
)
DEPENDENT: tuple[Method, ...] = (Interleaved(), Sampled())
"""Settings that help when samples are dependent."""

ALL = (*OURS, *DEPENDENT, *OTHERS)


def methods_for(scene: Scene) -> Sequence[Method]:
    """The methods that take part in a scene."""
    return ALL if scene.rho else (*OURS, *OTHERS)


PANELS = [(methods_for(scene), scene) for scene in SCENES]
