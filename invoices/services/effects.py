"""What approving documents sets off, said before it is done: how many are collected, and how many statements go out."""

from typing import NamedTuple

from django.db.models import Exists, F, OuterRef, QuerySet

from accounts.kinds import ELECTRONIC_METHODS
from accounts.models import Client, PaymentMethod
from invoices.calculation import ZERO
from invoices.models import Invoice
from invoices.plan.actions import PayerFacts, why_not_collected
from invoices.services.issuing import collects
from invoices.services.statements import statements_wanted

AT_ONCE = 1000


class Effects(NamedTuple):
    """How many documents a gateway is asked for, and how many statements are sent. What is paid already, or is less than the
    client's threshold, is not collected: so many at most."""

    collected: int = 0
    statements: int = 0


def effects_of(client: Client, waiting: QuerySet[Invoice]) -> Effects:
    """Of documents that wait, so many in memory at a time."""
    methods = PaymentMethod.objects.filter(account=OuterRef("account"), type__in=ELECTRONIC_METHODS).exclude(token="")
    rows = waiting.annotate(has_method=Exists(methods), payer_is_test=F("account__is_test"), payer_status=F("account__status"))
    collected = statements = 0
    for invoice in rows.order_by("pk").iterator(chunk_size=AT_ONCE):
        payer = PayerFacts(invoice.payer_is_test, invoice.payer_status, invoice.has_method)
        asked = collects(client, invoice.kind, invoice.collect_when_issued) and invoice.total_amount > ZERO
        collected += asked and why_not_collected(payer) is None
        statements += len(statements_wanted(client, [invoice]))
    return Effects(collected, statements)
