"""The cost of a week: what the small model saved, and what safety took, from the ledger of days."""

from collections.abc import Sequence
from dataclasses import dataclass

from tightrope.service.adapters.ledger.day_cost import DayCost
from tightrope.service.api.overview.phrases import capitalized, percent, short_percent
from tightrope.service.api.week.documents import WeekSafety, WeekSaving
from tightrope.service.api.week.words import SECONDS_OF_HOUR, about_time, money
from tightrope.service.config.process.server import ServerSection


@dataclass(frozen=True, slots=True)
class HourPrice:
    """The price of an hour of compute time; None where none is configured."""

    cost_per_hour: float | None = None
    currency: str | None = None

    def of(self, seconds: float | None) -> float | None:
        """The price of a time; None where it, or the price, is not known."""
        if seconds is None or self.cost_per_hour is None:
            return None
        return seconds / SECONDS_OF_HOUR * self.cost_per_hour

    def words(self, seconds: float) -> str:
        """The price of a time in words, after a comma; empty where no price is configured."""
        amount = self.of(seconds)
        return "" if amount is None or self.currency is None else f", about {money(amount, self.currency)}"


NO_PRICE = HourPrice()


def price_of(server: ServerSection) -> HourPrice:
    """The price in a configuration.

    >>> price_of(ServerSection(cost_per_hour=0.05, currency="EUR")).of(7200.0)
    0.1
    """
    return HourPrice(server.cost_per_hour, server.currency)


@dataclass(frozen=True, slots=True)
class WeekCosts:
    """The sums of a week. Seconds are those of the days on which the full model's time is known; ``alone`` is None
    without one. ``comparing`` is None where another process has it. ``unknown_days`` had answers whose time is
    not known.

    >>> WeekCosts(3, 0, alone=10.0, saved=6.0, comparing=1.0, instead=0.5, again=0.0).left
    4.5
    """

    small_rows: int = 0
    full_rows: int = 0
    alone: float | None = None
    saved: float = 0.0
    comparing: float | None = 0.0
    instead: float = 0.0
    again: float = 0.0
    blind_seconds: float | None = None
    unknown_days: int = 0

    @property
    def safety(self) -> float | None:
        """All seconds that safety took; None where they are not known."""
        return None if self.alone is None or self.comparing is None else self.comparing + self.instead + self.again

    @property
    def left(self) -> float | None:
        """The seconds that were saved after the cost of safety; None where they are not known."""
        return None if self.safety is None else self.saved - self.safety


def week_costs(days: Sequence[DayCost]) -> WeekCosts:
    """The sums of these days."""
    timed = [each.cpu for each in days if each.cpu.baseline_alone and each.cpu.fallback_by_compressed is not None]
    shadows = [cpu.shadow for cpu in timed]
    by_small = sum(cpu.fallback_by_compressed or 0.0 for cpu in timed)
    alone = sum(cpu.baseline_alone or 0.0 for cpu in timed)
    return WeekCosts(
        small_rows=sum(each.rows.compressed for each in days),
        full_rows=sum(each.rows.baseline for each in days),
        alone=alone if timed else None,
        saved=alone - sum(cpu.answer for cpu in timed) - by_small,
        comparing=None if None in shadows else sum(each or 0.0 for each in shadows),
        instead=sum(cpu.fallback for cpu in timed) - by_small,
        again=sum(cpu.escalation for cpu in timed),
        blind_seconds=sum(each.blind_seconds for each in days) if days else None,
        unknown_days=sum(each.rows.total > 0 for each in days) - len(timed),
    )


def saving(costs: WeekCosts, price: HourPrice, *, recorded: bool) -> WeekSaving:
    """The savings of a week; ``recorded`` tells whether any day of it is in the ledger."""
    total = costs.small_rows + costs.full_rows
    known = costs.alone is not None
    return {
        "small_rows": costs.small_rows,
        "full_rows": costs.full_rows,
        "small_share": costs.small_rows / total if total else None,
        "alone_hours": hours(costs.alone),
        "saved_hours": hours(costs.saved) if known else None,
        "left_hours": hours(costs.left),
        "saved_money": price.of(costs.saved) if known else None,
        "left_money": price.of(costs.left),
        "says": _saving_sentences(costs, price, recorded=recorded),
    }


def safety(costs: WeekCosts, price: HourPrice, *, recorded: bool) -> WeekSafety:
    """The cost of safety in a week; ``recorded`` tells whether any day of it is in the ledger."""
    known = costs.alone is not None
    return {
        "comparing_hours": hours(costs.comparing) if known else None,
        "instead_hours": hours(costs.instead) if known else None,
        "again_hours": hours(costs.again) if known else None,
        "hours": hours(costs.safety),
        "share": costs.safety / costs.alone if costs.safety is not None and costs.alone else None,
        "money": price.of(costs.safety),
        "says": _safety_sentences(costs, price, recorded=recorded),
    }


def hours(seconds: float | None) -> float | None:
    """Seconds in hours."""
    return None if seconds is None else seconds / SECONDS_OF_HOUR


def _saving_sentences(costs: WeekCosts, price: HourPrice, *, recorded: bool) -> list[str]:
    total = costs.small_rows + costs.full_rows
    if not total:
        return ["Nothing was answered." if recorded else "That is not known: no day of this week is on record."]
    share = costs.small_rows / total
    says = [
        f"The small model gave {short_percent(share)} of {total:,} answers, the full model {short_percent(1 - share)}."
    ]
    if costs.alone is None:
        return [*says, "What the full model alone would have taken is not known, so the saving is not known."]
    alone = f"The full model alone would have taken {about_time(costs.alone)} of compute time for them"
    if costs.saved >= 0:
        says.append(f"{alone}; the small model saved {about_time(costs.saved)} of it.")
    else:
        says.append(f"{alone}; the small model took {about_time(costs.saved)} more.")
    if costs.left is None:
        return [*says, "How much is left after the cost of safety is not known."]
    verb = "were saved" if costs.left >= 0 else "more were spent than the full model alone would take"
    left = f"{about_time(costs.left)} ({percent(costs.left / costs.alone)}{price.words(costs.left)})"
    return [*says, f"After the cost of safety {left} {verb}."]


def _safety_sentences(costs: WeekCosts, price: HourPrice, *, recorded: bool) -> list[str]:
    if not costs.small_rows + costs.full_rows:
        return ["Nothing." if recorded else "That is not known: no day of this week is on record."]
    if costs.alone is None:
        return ["That is not known: the time of the models could not be measured here."]
    parts = ["comparing is counted on other machines, and not known here"]
    if costs.comparing is not None:
        parts = [f"comparing the answers of both models took {about_time(costs.comparing)}"]
    verb = "took" if costs.instead >= 0 else "saved"
    parts.append(f"the full model in place of the small one {verb} {about_time(costs.instead)}")
    if costs.again:
        parts.append(f"asking the full model again about some answers took {about_time(costs.again)}")
    says = [f"{capitalized('; '.join(parts))}."]
    if costs.safety is not None:
        share = percent(costs.safety / costs.alone)
        worth = price.words(costs.safety)
        says.append(f"Together {about_time(costs.safety)}, {share} of what the full model alone would take{worth}.")
    return says
