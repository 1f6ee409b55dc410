"""The audit of removed plans finds documents that bill them."""

from datetime import date

import pytest

from accounts.models import PlanInstance
from invoices.models import Invoice
from tests.support.audits import names
from tests.support.audits.planting import findings_of
from tests.support.billing import JAN_10, bill
from tests.support.factories import an_account
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.django_db

JAN_5 = date(2026, 1, 5)


@pytest.fixture
def billed(acme, process):
    return bill(an_account(acme), process, JAN_10)


def removed():
    PlanInstance.objects.update(taken_off_on=JAN_5)
    return findings_of(names.PLANS_TAKEN_OFF)


@pytest.mark.parametrize("force_pending", [False, True])
def test_a_live_document_bills_a_plan_that_was_taken_off(acme, process, force_pending):
    invoice = bill(an_account(acme), process, JAN_10, force_pending=force_pending)
    name = f"plan instance {PlanInstance.objects.get().pk} of account {invoice.account_id}"
    assert removed() == [f"{name}: was removed on 2026-01-05, but a live document bills it"]


def test_a_rebill_that_still_bills_it_is_found(billed, process):
    rebilled(billed, process, line(1, amount="9.00"))
    assert len(removed()) == 1


def test_a_document_that_counts_no_more_is_none(billed):
    Invoice.objects.update(status="voided", void_reason_code=5, open_amount=0)
    assert removed() == []
