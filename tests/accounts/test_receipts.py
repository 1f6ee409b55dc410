"""Retries under the same receipt: the work is done once, and the first answer is returned again."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Event, Receipt
from accounts.receipts import ReceiptTaken, claim_for, once, use
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice, Payment
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from invoices.services.money.ledger.payments import record_external_payment
from tests.support.billing import FEB_10, JAN_10
from tests.support.factories import ClientFactory, an_account
from tests.support.races import at_once

NINTH = date(2026, 1, 9)
PROCESS = Caller(process="test")


def claim(account, **more):
    return claim_for("R1", "gen_invoice", {"acct_no": account.pk, **more})


def generate(account, caller, day):
    request = BillingRequest(day)
    return generate_invoice(client=account.client, account_no=account.pk, request=request, caller=caller)


def asked(account, day=JAN_10, caller=PROCESS, **more):
    """A call under the receipt R1, and its answer: the invoice's number as text."""
    receipt = claim(account, **more)
    return once(
        account.client,
        receipt,
        lambda: str(generate(account, replace(caller, receipt=receipt), day)),
        lambda stored: str(stored.invoice_no),
        lambda: None,
    )


def refused(account, day, **more):
    with pytest.raises(BillingError) as error:
        asked(account, day, **more)
    return error.value


@pytest.mark.django_db
def test_a_repeated_call_gives_its_first_answer_and_bills_once(acme):
    account = an_account(acme)
    first = asked(account, date(2026, 6, 1))
    assert asked(account, date(2026, 6, 1)) == first
    assert (Invoice.objects.count(), Receipt.objects.get().answer) == (1, first)


@pytest.mark.django_db
def test_a_receipt_with_other_arguments_is_refused(acme):
    account = an_account(acme)
    asked(account)
    error = refused(account, FEB_10, x=1)
    assert (error.code, error.field) == (ErrorCode.INVALID_FORMAT, "client_receipt_id")
    assert Invoice.objects.count() == 1


@pytest.mark.django_db
def test_a_failed_call_does_not_use_its_receipt_up(acme):
    account = an_account(acme)
    assert refused(account, NINTH).code is ErrorCode.BILL_DATE_IN_FUTURE
    assert not Receipt.objects.exists()
    assert Invoice.objects.get(pk=asked(account)).total_amount == D(30)


@pytest.mark.django_db
def test_a_failed_call_uses_its_receipt_up_where_the_client_wants_arias_rule(acme):
    acme.never_allow_used_receipt_id = True
    acme.save()
    account = an_account(acme)
    refused(account, NINTH)
    assert refused(account, JAN_10).code is ErrorCode.INVALID_FORMAT


@pytest.mark.django_db
def test_a_call_that_died_before_its_answer_is_answered_from_what_it_stored(acme):
    account = an_account(acme)
    number = generate(account, replace(PROCESS, receipt=claim(account)), JAN_10)
    assert Receipt.objects.get().answer == ""
    Receipt.objects.update(created_at=timezone.now() - timedelta(seconds=10))
    assert asked(account) == str(number)
    assert Receipt.objects.get().answer == str(number)


@pytest.mark.django_db
def test_work_that_another_has_done_meanwhile_is_undone(acme):
    """A payment is refused by nothing but the receipt: without it, it would be recorded twice."""
    account = an_account(acme)
    first, second = (replace(PROCESS, receipt=claim(account)) for _ in range(2))
    by = {"client": acme, "account_no": account.pk, "today": JAN_10, "amount": D(5), "type": "check"}
    record_external_payment(caller=first, **by)
    with pytest.raises(ReceiptTaken):
        record_external_payment(caller=second, **by)
    assert (Payment.objects.count(), Event.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_a_receipt_is_used_any_number_of_times_by_the_call_that_holds_it(acme):
    mine, other = claim_for("R1", "m", {}), claim_for("R1", "m", {})
    with transaction.atomic():
        use(acme, mine, invoice_no=7)
        use(acme, mine, invoice_no=8)
    assert Receipt.objects.get().invoice_no == 7
    with pytest.raises(ReceiptTaken):
        use(acme, other)


on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_twenty_equal_calls_at_once_get_one_answer():
    account = an_account(ClientFactory())
    answers = at_once(lambda _: asked(account, date(2026, 12, 1)))
    assert set(answers) == {str(Invoice.objects.get().pk)}


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_twenty_equal_payments_at_once_are_one_payment():
    account = an_account(ClientFactory())

    def pay(_):
        receipt = claim(account)
        by = {"client": account.client, "caller": replace(PROCESS, receipt=receipt), "today": JAN_10}
        return once(
            account.client,
            receipt,
            lambda: str(record_external_payment(account_no=account.pk, amount=D(5), type="check", **by).pk),
            lambda stored: str(stored.row_no),
            lambda: None,
        )

    assert set(at_once(pay)) == {str(Payment.objects.get().pk)}
