"""What approving documents sets off, said before it is done: how many are collected, how many statements go out, and how many
the caller may not approve."""

from collections import Counter
from typing import NamedTuple

from django.db.models import Exists, F, OuterRef, QuerySet

from accounts.callers import Caller
from accounts.keys import people_behind
from accounts.models import Client
from accounts.services import electronic_methods
from billing_site.errors import BillingError
from invoices.calculation import ZERO
from invoices.models import Invoice
from invoices.plan.actions import PayerFacts, why_not_collected
from invoices.services.documents.approval_rules import check_four_eyes
from invoices.services.issuing.issuing import IssuePolicy

AT_ONCE = 1000


class Effects(NamedTuple):
    """How many documents a gateway is asked for, and how many statements are sent. What is paid already, or is less than the
    client's threshold, is not collected: so many at most."""

    collected: int = 0
    statements: int = 0


def effects_of(client: Client, waiting: QuerySet[Invoice]) -> Effects:
    """Of documents that wait, so many in memory at a time."""
    methods = electronic_methods().filter(account=OuterRef("account"))
    rows = waiting.annotate(has_method=Exists(methods), payer_is_test=F("account__is_test"), payer_status=F("account__status"))
    policy = IssuePolicy(client)
    collected = statements = 0
    for invoice in rows.order_by("pk").iterator(chunk_size=AT_ONCE):
        payer = PayerFacts(invoice.payer_is_test, invoice.payer_status, invoice.has_method)
        asked = policy.collects(invoice.kind, invoice.collect_when_issued) and invoice.total_amount > ZERO
        collected += asked and why_not_collected(payer) is None
        statements += policy.sends_statement(invoice.kind, invoice.statement_contact_id)
    return Effects(collected, statements)


def kept_from(client: Client, waiting: QuerySet[Invoice], caller: Caller) -> dict[str, int]:
    """Why the caller may not approve some of them, and how many: so many in memory at a time."""
    reasons: Counter[str] = Counter()
    people = people_behind(waiting.order_by().values_list("generated_by", flat=True).distinct())
    for invoice in waiting.select_related("corrects").order_by("pk").iterator(chunk_size=AT_ONCE):
        try:
            check_four_eyes(client, invoice, people, caller)
        except BillingError as error:
            reasons[error.code.message] += 1
    return dict(reasons)
