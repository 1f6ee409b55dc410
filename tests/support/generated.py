"""Generated invoices, their lines, and refusals that wrote nothing but an event."""

from datetime import date

import pytest

from accounts.models import Account, Event
from billing_site.errors import BillingError
from invoices.models import BilledPeriod, Invoice, InvoiceLine, TaxDetail
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice

JAN_10 = date(2026, 1, 10)
FEB_10 = date(2026, 2, 10)


def bill(account, caller, day=JAN_10, **request):
    number = generate_invoice(
        client=account.client,
        account_no=account.pk,
        request=BillingRequest(day, **request),
        caller=caller,
    )
    account.refresh_from_db()
    return Invoice.objects.filter(pk=number).first()


def lines_of(invoice):
    return [
        (line.period_start, line.period_end, line.amount, line.proration_text) for line in invoice.lines.filter(line_type=1)
    ]


def refused(account, caller, day=JAN_10, **request):
    """The refusal of a bill, after proof that it wrote nothing but one event."""
    written = [model.objects.count() for model in (Invoice, InvoiceLine, TaxDetail, BilledPeriod)]
    before = Account.objects.values().get(pk=account.pk)
    events = Event.objects.count()
    with pytest.raises(BillingError) as error:
        bill(account, caller, day, **request)
    assert [model.objects.count() for model in (Invoice, InvoiceLine, TaxDetail, BilledPeriod)] == written
    assert Account.objects.values().get(pk=account.pk) == before
    assert Event.objects.count() == events + 1
    event = Event.objects.latest("pk")
    assert (event.act, event.error_code) == ("invoice.refused", error.value.code.number)
    assert event.message == error.value.message
    return error.value
