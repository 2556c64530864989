"""The results as Markdown tables."""

from collections.abc import Sequence

from benchmarks.power.demo_table import DemoTable
from benchmarks.power.measure import Outcome, Outcomes
from benchmarks.power.method import Method
from benchmarks.power.methods import methods_for
from benchmarks.power.scenes import SCENES, Scene


def family(name: str, outcomes: Outcomes) -> str:
    """The table of a family: a row for each method, a column for each scene."""
    scenes = [scene for scene in SCENES if scene.family == name]
    head = ["method", "repetitions", *(f"{scene.name}{_unit(scene)}" for scene in scenes)]
    return table(head, [_line(method, scenes, outcomes) for method in methods_for(scenes[0])])


def _unit(scene: Scene) -> str:
    return ": false alarms" if scene.quiet else ": delay"


def _line(method: Method, scenes: Sequence[Scene], outcomes: Outcomes) -> list[str]:
    found = [outcomes[scene.family, scene.name, method.name] for scene in scenes]
    times = dict.fromkeys(str(outcome.repetitions) for outcome in found)
    cells = [alarms(one) if scene.quiet else delay(one) for scene, one in zip(scenes, found, strict=True)]
    return [method.name, " / ".join(times), *cells]


def alarms(outcome: Outcome) -> str:
    """False alarms per 100,000 samples, and the share of streams with any."""
    if not any(outcome.alarms):
        return "0"
    return f"{number(outcome.per_100_000)} ({100 * outcome.runs_with_alarm:.0f} %)"


def delay(outcome: Outcome) -> str:
    """Median and 95 % delay, and the share of missed changes."""
    missed = f", {100 * outcome.missed:.0f} % missed" if outcome.missed else ""
    return f"{_samples(outcome.delay(0.5))} / {_samples(outcome.delay(0.95))}{missed}"


def _samples(delay: float) -> str:
    return "never" if delay == float("inf") else f"{delay:,.0f}"


def number(value: float) -> str:
    """Format with three decimals below 1, else with one; never with an exponent."""
    return f"{value:.3f}".rstrip("0").rstrip(".") if value < 1 else f"{value:.1f}"


def demo(demo_table: DemoTable) -> str:
    """The table of the demo's rows."""
    head = ["method", "group quarters found after", f"of {demo_table.harmed} other scopes over the limit, found"]
    head += ["false alarms: bad model's other scopes", "`good_int8`", "`good_distilled`"]
    lines = []
    for line in demo_table.lines:
        found = "never" if line.found is None else f"{line.found:,} rows, {line.own} of them its own"
        lines.append([line.name, found, str(line.others), str(line.false_bad), *map(str, line.false_good)])
    return table(head, lines)


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
