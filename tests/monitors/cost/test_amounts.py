"""Amounts add up, each by itself."""

from tightrope.monitors.cost.amounts import CostAmounts


def test_every_amount_is_summed_by_itself() -> None:
    """The order of the processes does not matter."""
    one = CostAmounts(*range(1, 1 + len(CostAmounts._fields)))
    assert one.plus(one.plus(CostAmounts())) == CostAmounts(*(2 * value for value in one))
