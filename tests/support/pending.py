"""An invoice that needs approval."""

from datetime import date

from invoices.models import Invoice
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.support.factories import an_account

JAN_10 = date(2026, 1, 10)


def a_pending(client, caller, account=None, day=JAN_10, **request):
    account = account or an_account(client)
    number = generate_invoice(
        client=client,
        account_no=account.pk,
        request=BillingRequest(day, force_pending=True, **request),
        caller=caller,
    )
    return Invoice.objects.get(pk=number)
