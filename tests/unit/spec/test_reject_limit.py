"""Reject limits: numbers and fractions of rows."""

from __future__ import annotations

import math

import pytest

from scoremill.errors import RejectLimitError
from scoremill.spec.reject_limit import RejectLimit


@pytest.mark.parametrize("rejected", range(101))
def test_the_most_rejected_rows_of_a_fraction_are_those_that_the_check_lets_pass(rejected):
    limit = RejectLimit(None, rejected / 100)
    assert limit.most(100) == rejected
    limit.check(rejected, 100, 100)
    with pytest.raises(
        RejectLimitError, match=rf"^{rejected + 1} of 101 rows were rejected; at most {rejected}\.00% are allowed"
    ):
        limit.check(rejected + 1, 101, 100)


@pytest.mark.parametrize(
    ("limit", "planned", "most"),
    [
        (RejectLimit(None, None), 100, None),
        (RejectLimit(7, None), math.inf, 7),
        (RejectLimit(7, 0.01), 100, 1),
        (RejectLimit(0, 0.5), 100, 0),
        (RejectLimit(None, 0.5), math.inf, None),
        (RejectLimit(None, 0.0), math.inf, 0),
        (RejectLimit(None, 1.0), 0, 0),
    ],
)
def test_a_limit_is_the_lower_of_number_and_fraction_where_the_input_is_known(limit, planned, most):
    assert limit.most(planned) == most


def test_a_number_of_rows_is_reported_before_a_fraction():
    with pytest.raises(RejectLimitError, match="at most 1 are allowed") as raised:
        RejectLimit(1, 0.01).check(2, 10, 10)
    assert "`spec.errors.maxRows`." in (raised.value.hint or "")
