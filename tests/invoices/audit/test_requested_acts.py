"""The audit of acts that need a second person finds planted damage, and nothing without damage."""

from decimal import Decimal as D

import pytest

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import Event
from billing_site.errors import PendingAct
from invoices.models import RequestedAct
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.correcting.requested_acts import approve_act
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import add_cash_credit
from tests.support.audits import names
from tests.support.audits.planting import findings, findings_of
from tests.support.billing import JAN_10, bill
from tests.support.factories import BY_TEST, an_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def acts(acme):
    """Create a cash credit of 4.00 and a credit memo of 3.00, each requested by one person and approved by another."""
    invoice = bill(an_account(acme), BY_TEST, JAN_10)
    acme.four_eyes = "another_person"
    acme.save()
    maker, approver = (
        Caller(api_key=create_key(acme, name=name, may_correct=True, may_approve=True, caller=BY_TEST)[0])
        for name in ("maker", "approver")
    )
    by = {"client": acme, "caller": maker, "today": JAN_10}
    with pytest.raises(PendingAct):
        add_cash_credit(account_no=invoice.account_id, amount=D(4), why=Why(1, "x"), **by)
    with pytest.raises(PendingAct):
        create_credit_memo(invoice_no=invoice.pk, why=Why(1, "x"), credit=CreditRequest(amount=D(3)), **by)
    for act in RequestedAct.objects.order_by("pk"):
        approve_act(client=acme, act_no=act.pk, caller=approver, today=JAN_10)
    assert findings() == {}
    return list(RequestedAct.objects.order_by("pk"))


def changed(act, **columns):
    RequestedAct.objects.filter(pk=act.pk).update(**columns)
    return findings_of(names.REQUESTED_ACTS)


@pytest.mark.parametrize(("place", "kind"), [(0, "cash_credits"), (1, "memos")])
def test_what_was_approved_is_not_what_was_made(acts, place, kind):
    (found,) = changed(acts[place], amount=D("99.00"))
    assert found.startswith(f"request {acts[place].pk} for {kind} of 99")
    assert found.endswith(f"was approved, but its result {acts[place].result_no} is something else")


def test_the_trail_does_not_say_who_approved(acts):
    Event.objects.filter(act="act.approved", after__id=acts[0].pk).delete()
    (found,) = findings_of(names.REQUESTED_ACTS)
    assert found.endswith(f"was approved by {acts[0].decided_by}, and the trail does not say so")


def test_the_account_is_another_clients(acts, umbra):
    found = changed(acts[0], account=an_account(umbra))
    assert any("do not belong together" in one for one in found)
