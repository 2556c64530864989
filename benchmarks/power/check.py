"""Checks that must pass before the page is written: wiring, the false-alarm guarantee, and known delays."""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.power.evidently_adapter import drifted, reported
from benchmarks.power.measure import Outcomes, run_once
from benchmarks.power.method import Method
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from benchmarks.power.scenes import GROSS, SCENES, draw
from tightrope.monitors.definitions.definition import Hypothesis

SAMPLE, TICK = "Tightrope, every sample", "Tightrope, ticks of 64"

REFERENCE_DELAYS: dict[tuple[str, str, str], tuple[float, float]] = {
    ("rates", "1 % → 3 %", SAMPLE): (3674, 7292),
    ("rates", "1 % → 5 %", SAMPLE): (588, 1198),
    ("rates", "1 % → 10 %", SAMPLE): (134, 276),
    ("rates", "1 % → 3 %", TICK): (3896, 7672),
    ("rates", "1 % → 5 %", TICK): (632, 1272),
    ("rates", "1 % → 10 %", TICK): (184, 312),
    ("means, deviation 0.05", "0 → -0.03", SAMPLE): (1392, 1768),
    ("means, deviation 0.05", "0 → -0.05", SAMPLE): (459, 527),
    ("means, deviation 0.05", "0 → -0.10", SAMPLE): (178, 193),
    ("means, deviation 0.2", "0 → -0.03", SAMPLE): (6831, 12234),
    ("means, deviation 0.2", "0 → -0.05", SAMPLE): (916, 1709),
    ("means, deviation 0.2", "0 → -0.10", SAMPLE): (224, 314),
    ("subgroups", "1 % → 5 %", SAMPLE): (48442, 100330),
    ("subgroups", "1 % → 10 %", SAMPLE): (11365, 25634),
    ("subgroups", "1 % → 20 %", SAMPLE): (3575, 7750),
}
"""Median and 95 % delays of an independent simulation with different code and seeds, 300 to 1,000 repetitions."""

DELAY_TOLERANCE = 0.15
MAX_DEVIATIONS = 3.0
"""Tolerances of the simulation: relative error of a delay, and standard deviations of a count of false alarms."""


def wiring(methods: Sequence[Method]) -> Iterator[str]:
    """Yield each method that misses a gross change, and each disagreement of evidently's test with its report."""
    for method in methods:
        for scene in GROSS:
            if not np.isfinite(run_once(method, scene, draw(scene, 0))[1]):
                yield f"{method.name} misses the gross change of a {scene.name}"
    random = np.random.default_rng(1)
    for rate in (0.01, 0.02, 0.03, 0.05):
        healthy, window = (random.binomial(1, chance, 1000).astype(float) for chance in (0.01, rate))
        for kind, spread in ((Hypothesis.RATE, 0.0), (Hypothesis.MEAN, 0.2)):
            pair = healthy + random.normal(0, spread, 1000), window + random.normal(0, spread, 1000)
            if drifted(kind, *pair) != reported(kind, *pair):
                yield f"evidently's report and its test differ about a {kind}"


def promise(outcomes: Outcomes) -> Iterator[str]:
    """Yield each scene with more than N/A false alarms on average within the limit, or any after a benign change."""
    for scene in SCENES:
        if not scene.quiet or scene.rho:
            continue
        for name in (SAMPLE, TICK):
            outcome = outcomes[scene.family, scene.name, name]
            expected = outcome.samples * outcome.repetitions / SAMPLES_PER_FALSE_ALARM
            most = 0 if scene.benign else expected + MAX_DEVIATIONS * np.sqrt(expected)
            if sum(outcome.alarms) > most:
                yield f"{name}, {scene.family}, {scene.name}: {sum(outcome.alarms)} false alarms, at most {most:.1f}"


def delays(outcomes: Outcomes) -> Iterator[str]:
    """Yield each median or 95 % delay that differs from the reference."""
    for key, before in REFERENCE_DELAYS.items():
        for share, expected in zip((0.5, 0.95), before, strict=True):
            measured = outcomes[key].delay(share)
            if not abs(measured - expected) <= DELAY_TOLERANCE * expected:
                yield f"{', '.join(key)}: {share:.0%} found within {measured:.0f} samples, reference {expected:.0f}"
