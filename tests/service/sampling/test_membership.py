"""Membership of many batches at once, against the membership of each."""

import numpy as np
import pytest

from tightrope.service.inference.batch import RequestBatch
from tightrope.service.inference.subgroups import IntervalScopes, OtherScope, ParameterScopes, Subgroups, TextValues
from tightrope.service.protocol.rest import InferRequest
from tightrope.service.sampling.membership import MAX_COPIED_COLUMNS, members

AGE = IntervalScopes.from_intervals("x", [(0, 10.0, 20.0, 2), (0, 30.0, 40.0, 3)])
HOME = ParameterScopes("home", TextValues({"gq": 0}))
BY_COLUMN = Subgroups(("home=gq", "home=other", "age=a", "age=b", "age=other"), (), (AGE,), (OtherScope(2, 4),))
BY_BOTH = Subgroups(BY_COLUMN.scopes, (HOME,), (AGE,), (OtherScope(0, 1), OtherScope(2, 4)))


def batch(subgroups: Subgroups, shape: tuple[int, ...], *requests: tuple[str, float, int]) -> RequestBatch:
    """A batch of requests, each with its home, the age of all its rows, and their number."""
    tensors = [np.full((rows, *shape), age, np.float32) for _, age, rows in requests]
    made = [
        InferRequest(None, {"home": home}, {"x": tensor}, (), binary_default=False)
        for (home, _, _), tensor in zip(requests, tensors, strict=True)
    ]
    ends = np.cumsum([rows for _, _, rows in requests]).tolist()
    return RequestBatch(subgroups, made, {"x": np.concatenate(tensors)}, ends)


@pytest.mark.parametrize("shape", [(2,), (MAX_COPIED_COLUMNS + 1,), (), (2, 3)])
@pytest.mark.parametrize("subgroups", [BY_COLUMN, BY_BOTH])
def test_members_of_many_batches_equal_those_of_each(subgroups: Subgroups, shape: tuple[int, ...]) -> None:
    """With rows of any shape; each batch keeps its own part, one that knew it before keeps what it had."""
    sent = ([("gq", 15.0, 1)], [("other", 35.0, 2), ("gq", 0.0, 1)], [("", 12.0, 3)])
    together, alone = ([batch(subgroups, shape, *requests) for requests in sent] for _ in range(2))
    expected = [one.member for one in alone]
    together[1].member  # noqa: B018 - it is computed when it is read
    assert np.array_equal(members(together), np.concatenate(expected))
    assert all(np.array_equal(one.member, own) for one, own in zip(together, expected, strict=True))
    assert np.array_equal(members(together), np.concatenate(expected)), "again, from what each keeps"
