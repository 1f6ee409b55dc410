"""Rebill in tests, and read the resulting documents."""

from decimal import Decimal as D

from billing_site.common.guards import lifted
from invoices.fingerprints import fingerprint
from invoices.models import Invoice
from invoices.services.documents.document_storage import stored_contents
from rebills.services.previewing import preview_rebills
from rebills.services.rebilling import rebill_invoices
from rebills.services.requests import RebillRequest, RequestedLine
from tests.support.billing import JAN_31
from tests.support.outcomes import error_of

NUMBERS = ("rate_per_unit", "units", "amount")


def line(line_no, **changes):
    """Return a requested line. Rates, units and amounts are texts."""
    return RequestedLine(line_no, **{name: D(value) if name in NUMBERS else value for name, value in changes.items()})


def a_request(invoice, *lines, reason_code=1, **request):
    """Return a rebill request. A number among the lines is a line that stays as it is."""
    named = tuple(one if isinstance(one, RequestedLine) else line(one) for one in lines)
    return RebillRequest(invoice.pk, reason_code, named, **request)


def previewed(request, client, today=JAN_31):
    (outcome,) = preview_rebills(client=client, requests=[request], today=today)
    if error_of(outcome) is not None:
        raise error_of(outcome)
    return outcome.plan


def rebilled(invoice, caller, *lines, today=JAN_31, **request):
    """Rebill an invoice and return the stored rebill. Raises the refusal."""
    (outcome,) = rebill_invoices(
        client=invoice.client, requests=[a_request(invoice, *lines, **request)], caller=caller, today=today
    )
    if error_of(outcome) is not None:
        raise error_of(outcome)
    return Invoice.objects.get(pk=outcome.rebill_no)


def lines_of(document):
    """Return type, units, rate, amount and source of each line."""
    rows = document.lines.values_list("line_type", "units", "rate_per_unit", "amount", "source_line_no")
    return [tuple(row) for row in rows]


def made_before_tax_was_kept(document):
    """Return the document as it was stored before tax bases were stored."""
    with lifted():
        Invoice.objects.filter(pk=document.pk).update(tax_basis=None)
        Invoice.objects.filter(pk=document.pk).update(fingerprint=fingerprint(stored_contents([document.pk])[document.pk]))
    return Invoice.objects.get(pk=document.pk)


def amounts_of(document):
    return [amount for _, _, _, amount, _ in lines_of(document)]
