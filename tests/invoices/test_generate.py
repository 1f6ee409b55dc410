"""Generating an invoice: what is stored, and each refusal by its code."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.models import Event
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice
from invoices.plan import BillingRequest
from invoices.services.generating import generate_invoice
from tests.factories import TaxRateFactory, an_account

JAN_10 = date(2026, 1, 10)


def test_an_invoice_is_generated_approved_and_numbered(acme, process):
    TaxRateFactory(client=acme)
    account = an_account(acme)
    number = generate_invoice(client=acme, account_no=account.pk, request=BillingRequest(JAN_10), caller=process)
    invoice = Invoice.objects.get(pk=number)
    assert (invoice.status, invoice.document_number) == ("approved", "INV-000001")
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (Decimal(30), Decimal(3), Decimal(33))
    assert [(line.line_no, line.line_type, line.amount) for line in invoice.lines.all()] == [(1, 1, 30), (2, 2, 3)]
    account.refresh_from_db()
    assert account.next_bill_date == date(2026, 2, 10)


def test_a_bill_date_in_the_future_is_refused(acme, process):
    account = an_account(acme, start=date(2026, 1, 11))
    with pytest.raises(BillingError) as refused:
        generate_invoice(client=acme, account_no=account.pk, request=BillingRequest(JAN_10), caller=process)
    assert refused.value.code is ErrorCode.BILL_DATE_IN_FUTURE
    assert not Invoice.objects.exists()
    assert Event.objects.get().error_code == 7007
