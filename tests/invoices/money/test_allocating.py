"""Which debit takes how much of which credit, before any database."""

from decimal import Decimal as D

import pytest
from hypothesis import strategies as st

from invoices.plan.allocating import OpenItem, oldest_first
from tests.support.random_examples import given


def items(*pairs):
    return [OpenItem(number, D(amount)) for number, amount in pairs]


@pytest.mark.parametrize(
    ("credits", "debits", "expected"),
    [
        ([], [(10, "30")], []),
        ([(1, "30")], [], []),
        ([(1, "30")], [(10, "30")], [(1, 10, "30")]),
        ([(1, "20")], [(10, "30")], [(1, 10, "20")]),
        ([(1, "50")], [(10, "30")], [(1, 10, "30")]),
        ([(1, "45.50")], [(10, "30"), (11, "30"), (12, "30")], [(1, 10, "30"), (1, 11, "15.50")]),
        ([(1, "20"), (2, "20")], [(10, "30"), (11, "30")], [(1, 10, "20"), (2, 10, "10"), (2, 11, "10")]),
        ([(1, "10"), (2, "20"), (3, "5")], [(10, "30")], [(1, 10, "10"), (2, 10, "20")]),
        ([(2, "10"), (1, "10")], [(11, "15"), (10, "15")], [(2, 11, "10"), (1, 11, "5"), (1, 10, "5")]),
        ([(1, "0.001")], [(10, "0.002")], [(1, 10, "0.001")]),
        ([(1, "0"), (2, "5")], [(10, "0"), (11, "5")], [(2, 11, "5")]),
        ([(1, "5")], [(10, "0")], []),
    ],
)
def test_the_first_debits_take_of_the_first_credits_until_one_side_is_used_up(credits, debits, expected):
    assert oldest_first(items(*credits), items(*debits)) == [(one, other, D(amount)) for one, other, amount in expected]


OPEN = st.lists(st.integers(0, 500), max_size=8)


@given(OPEN, OPEN)
def test_all_that_can_be_taken_is_taken_and_never_more(credit_cents, debit_cents):
    credits = [OpenItem(number, D(cents) / 100) for number, cents in enumerate(credit_cents)]
    debits = [OpenItem(number, D(cents) / 100) for number, cents in enumerate(debit_cents, 100)]
    taken = oldest_first(credits, debits)
    assert sum((one.amount for one in taken), D(0)) == D(min(sum(credit_cents), sum(debit_cents))) / 100
    assert all(one.amount > 0 for one in taken)
    for items, place in ((credits, 0), (debits, 1)):
        for item in items:
            assert sum((one.amount for one in taken if one[place] == item.entry_no), D(0)) <= item.open


@given(OPEN, OPEN)
def test_both_sides_are_used_in_the_order_given(credit_cents, debit_cents):
    """The item with an open amount is the last: all items before it on its side are used up."""
    credits = [OpenItem(number, D(cents)) for number, cents in enumerate(credit_cents)]
    debits = [OpenItem(number, D(cents)) for number, cents in enumerate(debit_cents, 100)]
    taken = oldest_first(credits, debits)
    for items, place in ((credits, 0), (debits, 1)):
        order = [one[place] for one in taken]
        assert order == sorted(order)
        used = [sum((one.amount for one in taken if one[place] == item.entry_no), D(0)) for item in items]
        last = max((index for index, amount in enumerate(used) if amount), default=0)
        assert used[:last] == [item.open for item in items][:last]
