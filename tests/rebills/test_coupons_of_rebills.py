"""A coupon is used by the document that shows it: a rebill that does not carry its line gives the use back."""

from decimal import Decimal as D

import pytest

from invoices.models import CouponRedemption, CouponUse
from invoices.services.approving.acts import approve_invoices
from invoices.services.planning.extras import redemptions_with_used
from tests.support.billing import FEB_10, JAN_10, JAN_31, MAR_10, bill
from tests.support.coupons import a_coupon, redeem, refused_as, withdraw
from tests.support.factories import a_plan, an_account
from tests.support.rebilling import rebilled

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def once(acme, process):
    """An account with a coupon of 10 % for one cycle, and the invoice of 90.00 that has used it."""
    account = an_account(acme, a_plan(acme, {"phone": "100.00"}))
    a_coupon(acme, cycles=1)
    redeem(account)
    return account, bill(account, process, JAN_10)


def used():
    return redemptions_with_used(CouponRedemption.objects.all()).get().used


def test_a_coupon_that_the_rebill_leaves_out_is_taken_off_the_next_invoice(once, process):
    account, invoice = once
    assert (invoice.total_amount, used()) == (90, 1)
    assert (rebilled(invoice, process, 1).total_amount, used()) == (100, 0)
    assert [bill(account, process, day).total_amount for day in (FEB_10, MAR_10)] == [90, 100]


def test_a_coupon_that_the_rebill_carries_is_used_by_it(once, process):
    account, invoice = once
    rebill = rebilled(invoice, process, carries_unlisted=True)
    assert (rebill.total_amount, used(), bill(account, process, FEB_10).total_amount) == (90, 1, 100)
    assert (rebilled(rebill, process, 1).total_amount, used()) == (100, 0)
    assert bill(account, process, MAR_10).total_amount == 90


def test_a_pending_rebill_gives_nothing_back_before_it_is_issued(acme, once, process):
    _account, invoice = once
    acme.rebill_approval_required = True
    acme.save()
    rebill = rebilled(invoice, process, 1)
    assert used() == 1
    approve_invoices(client=acme, invoice_nos=[rebill.pk], caller=process, today=JAN_31)
    assert used() == 0


def test_a_coupon_that_was_given_back_can_be_withdrawn(once, process):
    account, invoice = once
    redemption = CouponRedemption.objects.get()
    assert refused_as(withdraw, redemption).number == 90016
    rebilled(invoice, process, 1)
    withdraw(redemption)
    assert (CouponUse.objects.count(), bill(account, process, FEB_10).total_amount) == (0, 100)
    assert redeem(account, today=FEB_10).redemption_no == 1


def test_percents_and_amounts_go_back_alike(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "100.00"}))
    a_coupon(acme, code="FIVE", percent=None, amount=D(5), currency="usd", cycles=2)
    redeem(account, "FIVE")
    invoice = bill(account, process, JAN_10)
    rebilled(invoice, process, 1)
    assert [bill(account, process, day).total_amount for day in (FEB_10, MAR_10)] == [95, 95]
