"""Adjust pending documents in a test."""

from decimal import Decimal

from invoices.kinds import DecisionAct
from invoices.models import Invoice
from invoices.services.approving.deciding import decide_on_one
from invoices.services.documents.remarks import Remarks
from rebills.plan.requests import RequestedLine
from rebills.services.adjusting import AdjustRequest, adjust_document, preview_adjusting
from tests.support.billing import JAN_10

PRICE = 1
"""The reason of rebills that every installation has."""


FIGURES = ("units", "rate_per_unit", "amount", "discount_percent")


def a_line(line_no, place=0, **change):
    figures = {name: Decimal(value) for name, value in change.items() if name in FIGURES}
    return RequestedLine(line_no, path=f"lines[{place}]", **{**change, **figures})


def a_request(invoice, *lines, reason_code=PRICE, comments="agreed by phone", **request):
    placed = tuple(one._replace(path=f"lines[{place}]") for place, one in enumerate(lines))
    return AdjustRequest(invoice.pk, placed, reason_code=reason_code, comments=comments, **request)


def planned(invoice, *lines, day=JAN_10, **request):
    return preview_adjusting(client=invoice.client, request=a_request(invoice, *lines, **request), today=day)


def adjusted(invoice, caller, *lines, day=JAN_10, **request):
    """Give a pending invoice these adjustments, as previewed, and return it as it is then."""
    asked = a_request(invoice, *lines, **request)
    asked = asked._replace(fingerprint=planned(invoice, *lines, day=day, **request).fingerprint)
    adjust_document(client=invoice.client, request=asked, caller=caller, today=day)
    return Invoice.objects.get(pk=invoice.pk)


def recalculated(invoice, caller, day=JAN_10, reason=""):
    decide_on_one(
        DecisionAct.RECALCULATE,
        client=invoice.client,
        invoice_no=invoice.pk,
        caller=caller,
        today=day,
        remarks=Remarks(reason),
    )
    return Invoice.objects.get(pk=invoice.pk)


def approved(invoice, caller, day=JAN_10, **terms):
    decide_on_one(
        DecisionAct.APPROVE, client=invoice.client, invoice_no=invoice.pk, caller=caller, today=day, remarks=Remarks(), **terms
    )
    return Invoice.objects.get(pk=invoice.pk)


def lines_of(invoice):
    """The lines of an invoice: text, units, rate and amount."""
    return [(one.description, one.units, one.rate_per_unit, one.amount) for one in invoice.lines.all()]
