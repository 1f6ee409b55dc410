"""Pending rebills: they change nothing, block other corrections of their original, and are issued as stored."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.contrib.auth.models import Permission

from accounts.callers import Caller
from billing_site.errors import BillingError
from invoices.kinds import EntryKind
from invoices.models import Invoice, ServiceCredit
from invoices.services.approving.acts import approve_invoices, discard_invoices, regenerate_invoices
from invoices.services.approving.deciding import discard_stale
from invoices.services.correcting.credit_memos import create_credit_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.refunds import refund_payment
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.credit_memos import with_coupons_and_credits
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.memos import ALL, totals, void
from tests.support.outcomes import error_of
from tests.support.paying import WHY, books, due, ledger, paying
from tests.support.payments import pay, refused_as
from tests.support.rebilling import line, rebilled
from tests.support.rebilling_pending import used

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def waiting(acme, process):
    """Create a paid invoice of 110.00 of a client that requires approval, and a pending rebill of 33.00."""
    acme.rebill_approval_required = True
    acme.save()
    TaxRateFactory(client=acme)
    invoice = bill(an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "70.00"})), process, JAN_10)
    pay(invoice.account, process, "110.00")
    return rebilled(invoice, process, 1)


def approve(rebill, caller, **options):
    (outcome,) = approve_invoices(
        client=rebill.client, invoice_nos=[rebill.pk], caller=caller, today=date(2026, 2, 1), **options
    )
    if error_of(outcome) is not None:
        raise error_of(outcome)
    rebill.refresh_from_db()
    return outcome


def discard(rebill, caller):
    (outcome,) = discard_invoices(client=rebill.client, invoice_nos=[rebill.pk], caller=caller)
    assert error_of(outcome) is None


def test_it_has_no_effect_until_it_is_approved(waiting):
    original = waiting.corrects
    assert (waiting.status, waiting.document_number, waiting.memo) == ("pending", "", None)
    assert (due(original), account_balance(original.account), len(ledger(original.account))) == (0, 0, 2)
    assert Invoice.objects.filter(kind="credit_memo").count() == 0


def test_approving_issues_memo_and_rebill_together(waiting, process):
    approve(waiting, process)
    assert (waiting.status, waiting.document_number, waiting.memo.document_number) == ("approved", "RB-000001", "CM-000001")
    assert (waiting.invoice_date, waiting.due_date) == (date(2026, 2, 1), date(2026, 1, 24))
    assert totals(waiting.memo) == (D(-100), D(-10), D(-110))
    assert (account_balance(waiting.account), due(waiting)) == (D(-77), 0)
    assert [kind for kind, _, _ in ledger(waiting.account)][2:] == [EntryKind.CREDIT_MEMO, EntryKind.INVOICE]


def test_discarding_leaves_everything_as_before_and_it_can_be_rebilled_again(waiting, process):
    original = waiting.corrects
    discard(waiting, process)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.number, account_balance(original.account)) == ("discarded", None, 0)
    again = rebilled(original, process, 2)
    assert (again.status, again.pk != waiting.pk) == ("pending", True)


def test_its_original_is_closed_to_other_corrections(acme, waiting, process):
    original = waiting.corrects
    given = {"client": acme, "invoice_no": original.pk, "caller": process, "today": JAN_31, "why": WHY}
    for work in (
        lambda: void(original, process),
        lambda: create_credit_memo(credit=ALL, **given),
        lambda: write_off(everything=True, **given),
        lambda: write_off(kind=EntryKind.DISPUTE, everything=True, **given),
        lambda: rebilled(original, process, 1),
    ):
        assert refused_as(work) == (90034, "invoice_no")
    discard(waiting, process)
    create_credit_memo(credit=ALL, **given)


def test_it_is_not_the_accounts_pending_invoice(waiting, process):
    account = waiting.account
    february = bill(account, process, FEB_10)
    assert february.status == "approved"
    pending = bill(account, process, date(2026, 3, 10), force_pending=True)
    assert (pending.status, Invoice.objects.filter(account=account, status="pending").count()) == ("pending", 2)


def test_both_are_approved_in_one_batch(acme, waiting, process):
    pending = bill(waiting.account, process, FEB_10, force_pending=True)
    numbers = [waiting.pk, pending.pk]
    outcomes = approve_invoices(client=acme, invoice_nos=numbers, caller=process, today=FEB_10)
    assert {one.invoice_no: error_of(one) for one in outcomes} == dict.fromkeys(numbers)
    # 77.00 were released when the rebill was issued, and paid the invoice of February.
    assert account_balance(waiting.account) == D(33)


def test_both_are_discarded_in_one_batch(acme, waiting, process):
    pending = bill(waiting.account, process, FEB_10, force_pending=True)
    outcomes = discard_invoices(client=acme, invoice_nos=[waiting.pk, pending.pk], caller=process)
    assert [error_of(one) for one in outcomes] == [None, None]
    assert set(Invoice.objects.filter(pk__in=[waiting.pk, pending.pk]).values_list("status", flat=True)) == {"discarded"}


def test_it_is_not_regenerated_nor_discarded_for_its_age(acme, waiting, process):
    (outcome,) = regenerate_invoices(client=acme, invoice_nos=[waiting.pk], caller=process, today=JAN_31)
    assert error_of(outcome).code.number == 90041
    acme.pending_discard_days = 1
    acme.save()
    assert discard_stale(client=acme, caller=process, today=date(2026, 6, 1)) == {}


def test_what_was_paid_meanwhile_is_taken_over_when_it_is_approved(acme, process):
    acme.rebill_approval_required = True
    acme.save()
    account = paying(acme)
    invoice = bill(account, process, JAN_10)
    rebill = rebilled(invoice, process, line(1, rate_per_unit="40.00"), collect=True)
    pay(account, process, "30.00")
    outcome = approve(rebill, process)
    assert (books(), due(rebill), outcome.collection.result.value) == ([D(10)], 0, "collected")


@pytest.mark.parametrize(("kept", "said", "collected"), [(True, None, 1), (True, False, 0), (False, None, 0), (None, True, 1)])
def test_it_keeps_whether_it_is_to_be_collected_unless_the_approval_says_otherwise(acme, process, kept, said, collected):
    acme.rebill_approval_required = True
    acme.save()
    rebill = rebilled(bill(paying(acme), process, JAN_10), process, 1, collect=kept)
    approve(rebill, process, collect=said)
    assert len(books()) == collected


def test_money_that_was_refunded_meanwhile_stops_it_and_the_message_says_so(acme, waiting, process):
    payment = waiting.account.payments.get()
    refund = refund_payment(client=acme, transaction_id=payment.pk, caller=process, today=JAN_31, why=WHY, amount=D(10))
    with pytest.raises(BillingError) as refused:
        approve(waiting, process)
    assert (refused.value.code.number, f"refund {refund.pk}" in refused.value.message) == (90036, True)
    discard(waiting, process)


def test_what_was_seen_is_what_is_approved(waiting, process):
    assert refused_as(approve, waiting, process, seen={waiting.pk: "another"}) == (90003, "fingerprint")


def test_service_credits_stay_with_the_original_while_it_waits(acme, process):
    acme.rebill_approval_required = True
    acme.save()
    account = with_coupons_and_credits(acme)
    invoice = bill(account, process, JAN_10)
    credit = ServiceCredit.objects.get(account=account)
    rebill = rebilled(invoice, process, 1, 2)
    assert used(credit) == D("7.77")
    discard(rebill, process)
    assert used(credit) == D("7.77")
    rebill = rebilled(invoice, process, 1, 2)
    approve(rebill, process)
    assert used(credit) == 0


# Four eyes.


@pytest.fixture
def rebiller(django_user_model):
    """Staff who may rebill and approve."""
    user = django_user_model.objects.create_user("carol", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["approve_invoice", "rebill_invoice"]))
    return Caller(staff=user)


def test_who_made_it_may_not_approve_it(acme, process, rebiller, bob):
    invoice = bill(an_account(acme), process, JAN_10)
    acme.four_eyes = "another_person"
    acme.save()
    invoice.client.refresh_from_db()
    rebill = rebilled(invoice, rebiller, 1)
    assert rebill.status == "pending"
    assert refused_as(approve, rebill, rebiller) == (90002, None)
    approve(rebill, bob)
    assert (rebill.generated_by, rebill.approved_by) == (rebiller.identity, bob.identity)


@pytest.mark.parametrize(
    ("rate", "status"),
    [("30.00", "approved"), ("50.00", "approved"), ("50.01", "pending")],
)
def test_above_an_amount_four_eyes_look_at_what_is_charged(acme, process, rate, status):
    invoice = bill(an_account(acme), process, JAN_10)
    acme.four_eyes, acme.four_eyes_amount = "above_amount", D(50)
    acme.save()
    invoice.client.refresh_from_db()
    assert rebilled(invoice, process, line(1, rate_per_unit=rate)).status == status


def test_above_an_amount_four_eyes_look_at_what_is_credited_too(acme, process, rebiller):
    invoice = bill(an_account(acme), process, JAN_10)
    acme.four_eyes, acme.four_eyes_amount = "above_amount", D("29.99")
    acme.save()
    invoice.client.refresh_from_db()
    rebill = rebilled(invoice, rebiller, line(1, rate_per_unit="1.00"))
    assert rebill.status == "pending"
    assert refused_as(approve, rebill, rebiller) == (90002, None)


def test_who_may_not_rebill_is_refused(acme, process, bob):
    invoice = bill(an_account(acme), process, JAN_10)
    assert refused_as(rebilled, invoice, bob, 1) == (90028, None)
