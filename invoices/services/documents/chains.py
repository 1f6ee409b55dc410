"""Read the chain of corrections of a document: the first invoice, its memos and rebills, their memos and rebills, and so on."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Q

from accounts.models import Client
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import BILLING_KINDS, InvoiceKind, ReasonType, VoidReason
from invoices.models import Invoice, ReasonCode

REASON_TYPES = {InvoiceKind.CREDIT_MEMO: ReasonType.CREDIT_MEMO, InvoiceKind.REBILL: ReasonType.REBILL}

PLACES: dict[str, int] = {InvoiceKind.REBILL: 1, InvoiceKind.REVERSAL: 2}
"""Order of documents that correct the same one at the same moment. Others come first."""


class Step(NamedTuple):
    """A document of a chain, with the name of its reason and what it changes for the account.

    `difference` of a rebill is against the invoice that it replaces, and of a memo its amount. A memo that was issued with a
    rebill has 0, because the rebill shows the whole difference, and so has the reversal of that memo. An invoice that restores
    a voided one has 0 too: it charges what that one charged.
    """

    document: Invoice
    reason: str
    difference: Decimal

    @property
    def made(self) -> tuple[str, datetime]:
        return self.document.generated_by, self.document.generated_at


class Chain(NamedTuple):
    root: Invoice
    steps: tuple[Step, ...]


def read_chain(*, client: Client, invoice_no: int) -> Chain:
    """Return the chain of a document in the order of issue, discarded rebills included. Three queries.

    A document that is not issued comes where it was generated. Of documents of the same moment, originals come before their
    corrections, and memos before rebills.

    Refuses an unknown document (3004).
    """
    found = Invoice.objects.filter(client=client, pk=invoice_no).values_list("pk", "chain_root_id").first()
    if found is None:
        raise BillingError(
            ErrorCode.INVOICE_NOT_FOUND, Detail("invoice {invoice_no}", invoice_no=invoice_no), field="invoice_no"
        )
    root_no = found[1] or found[0]
    documents = {one.pk: one for one in Invoice.objects.filter(Q(pk=root_no) | Q(chain_root=root_no)).order_by("pk")}
    reasons = _reasons(client, documents.values())
    ordered = sorted(documents.values(), key=lambda one: (_moment(one), _stage(one, documents), one.pk))
    return Chain(documents[root_no], tuple(_step(one, documents, reasons) for one in ordered))


def _moment(document: Invoice) -> datetime:
    return document.approved_at or document.generated_at


def _stage(document: Invoice, documents: dict[int, Invoice]) -> tuple[int, int]:
    """Return the sort key: the number of documents before it in the chain, then memos before rebills, then reversals."""
    depth, at = 0, document
    while at.corrects_id is not None:
        depth, at = depth + 1, documents[at.corrects_id]
    return depth, PLACES.get(document.kind, 0)


def _step(document: Invoice, documents: dict[int, Invoice], reasons: dict[tuple[str, int], str]) -> Step:
    if document.kind in BILLING_KINDS and document.reason_code is not None:
        return Step(document, str(VoidReason(document.reason_code).label), ZERO)
    kind = REASON_TYPES.get(InvoiceKind(document.kind))
    if document.kind == InvoiceKind.REVERSAL:
        kind = _reason_type_of_reversal(document, documents)
    elif _is_of_rebill(document, documents):
        kind = ReasonType.REBILL
    reason = reasons.get((str(kind), document.reason_code or 0), "")
    return Step(document, reason, _difference(document, documents))


def _reason_type_of_reversal(document: Invoice, documents: dict[int, Invoice]) -> ReasonType:
    """A rebill and its memo are undone with a reason of rebills, a memo by itself with one of credit memos."""
    reversed_ = documents[document.corrects_id or 0]
    is_memo = reversed_.kind == InvoiceKind.CREDIT_MEMO and not _is_of_rebill(reversed_, documents)
    return ReasonType.CREDIT_MEMO if is_memo else ReasonType.REBILL


def _difference(document: Invoice, documents: dict[int, Invoice]) -> Decimal:
    if document.corrects_id is None or _is_of_rebill(document, documents):
        return ZERO
    corrected = documents[document.corrects_id]
    if document.kind == InvoiceKind.REBILL:
        return document.total_amount - corrected.total_amount
    if document.kind in BILLING_KINDS:
        return ZERO  # it restores a voided invoice
    if document.kind == InvoiceKind.REVERSAL:
        return -_difference(corrected, documents)
    return document.total_amount


def _is_of_rebill(document: Invoice, documents: dict[int, Invoice]) -> bool:
    return any(one.memo_id == document.pk for one in documents.values())


def _reasons(client: Client, documents: Iterable[Invoice]) -> dict[tuple[str, int], str]:
    """Return the names of reasons. The client's own reason overrides the common one."""
    codes = {document.reason_code for document in documents if document.reason_code is not None}
    rows = ReasonCode.objects.filter(Q(client=client) | Q(client=None), code__in=codes, type__in=REASON_TYPES.values())
    named = sorted(rows, key=lambda row: row.client_id is not None)
    return {(row.type, row.code): row.name for row in named}
