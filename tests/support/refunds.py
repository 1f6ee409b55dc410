"""A payment that a gateway has collected."""

from invoices.services.collecting.collecting import collect_invoices
from tests.support.billing import JAN_31
from tests.support.paying import billed


def collected(client, caller, rate="30.00"):
    """Return an account, its invoice, and the payment that collected it."""
    account, invoice = billed(client, caller, rate=rate)
    (outcome,) = collect_invoices(client=client, invoice_nos=[invoice.pk], caller=caller, today=JAN_31)
    return account, invoice, outcome.attempt.payment
