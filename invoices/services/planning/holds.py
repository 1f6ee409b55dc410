"""Hold what a document bills or uses, so that no other document can, and release it again.

Usage and orders name the live document that holds them. Coupons and service credits are counted from their uses on live
documents.
"""

from collections.abc import Sequence

from django.db.models import F

from billing_site.common.storage import insert_rows, update_rows
from invoices.models import CouponUse, CreditUse, OneTimeCharge, UnusedCredit, Usage
from invoices.plan.drafts import Claims
from invoices.services.documents.batches import Overtaken
from invoices.services.usage.moves import move_usage
from invoices.services.usage.usage_storage import hold_usage


def hold_claims(claimed: Sequence[tuple[int, Claims]]) -> None:
    """Write what documents hold. Must be called under the accounts' locks.

    If new usage would make a document hold more than it bills, Overtaken is raised: the batch is halved until this document
    alone is refused (3108). The next call plans it again.
    """
    usage = [(invoice_no, claim) for invoice_no, claims in claimed for claim in claims.usage]
    if hold_usage(usage) != sum(claim.records for _, claim in usage):
        raise Overtaken("new usage arrived while the invoice was generated; try again")
    update_rows(
        OneTimeCharge, ("invoice_id",), [(order_no, invoice_no) for invoice_no, claims in claimed for order_no in claims.orders]
    )
    insert_rows(
        CouponUse,
        ("redemption_id", "line_no", "invoice_id", "is_given_back"),
        [(*coupon, invoice_no, False) for invoice_no, claims in claimed for coupon in claims.coupons],
    )
    insert_rows(
        CreditUse,
        ("credit_id", "line_no", "amount", "invoice_id", "is_given_back"),
        [(*credit, invoice_no, False) for invoice_no, claims in claimed for credit in claims.credits],
    )
    insert_rows(
        UnusedCredit,
        UNUSED_CREDIT,
        [(*unused, invoice_no) for invoice_no, claims in claimed for unused in claims.unused],
    )


UNUSED_CREDIT = (
    "line_no",
    "plan_instance_id",
    "source_id",
    "source_line_no",
    "step",
    "first_day",
    "last_day",
    "amount",
    "invoice_id",
)


def release_claims(invoice_nos: Sequence[int], *, voided: bool = False) -> None:
    """Release the usage and orders of documents that are no longer live, so that the next invoice can bill them.

    Usage moves to the plan of its day, which may have changed meanwhile. If the documents are `voided`, it remembers which of
    them billed it.
    """
    accounts = set(Usage.objects.filter(invoice__in=invoice_nos).order_by().values_list("account_id", flat=True).distinct())
    usage = Usage.objects.filter(invoice__in=invoice_nos)
    if voided:
        usage.update(released_from=F("invoice"), invoice=None)
    else:
        usage.update(invoice=None)
    OneTimeCharge.objects.filter(invoice__in=invoice_nos).update(invoice=None)
    if accounts:
        move_usage(accounts)
