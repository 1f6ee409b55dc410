"""Change the note, the custom status and the posting status of a document, before and after it is issued. They are not part of
its content."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Client
from accounts.receipts import use
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode, word
from invoices.kinds import ISSUED_STATUSES, PostingStatus
from invoices.models import Invoice
from invoices.services.documents.account_acts import account_act
from invoices.services.documents.rights import check_may_approve
from invoices.services.money.ledger.acts import account_of_invoice

REMARKED, REMARK_REFUSED = "invoice.remarked", "invoice.remark_refused"
CHANGEABLE = ("client_notes", "custom_status_label", "posting_status")
"""The columns of a document that may change at any time."""


def remarks_version(invoice: Invoice) -> str:
    """Return the version of a document's note and statuses. Send it with a change, so that another person's change is not
    overwritten."""
    texts = "\0".join(str(getattr(invoice, name)) for name in CHANGEABLE)
    return hashlib.sha256(texts.encode()).hexdigest()[:16]


def change_remarks(
    *,
    client: Client,
    invoice_no: int,
    caller: Caller,
    changes: Mapping[str, str],
    reason: str = "",
    version: str = "",
) -> Invoice:
    """Change the note, the custom status or the posting status of a document in any status, and return it.

    `changes` has new values by column (`CHANGEABLE`); an empty text clears a note or custom status, and columns that are left
    out stay as they are. `version` is that of the document that the caller has seen (`remarks_version`). Refuses an unknown
    document (3004), a caller who may not approve (90001), a version that is no longer the stored one (90162), and the posting
    status of a document that was never issued (90017).
    """
    account_no = account_of_invoice(client, invoice_no)
    with account_act(client, account_no, caller, REMARK_REFUSED, invoice_no=invoice_no):
        check_may_approve(caller)
        invoice = Invoice.objects.select_for_update(no_key=True).get(pk=invoice_no)
        if version and version != remarks_version(invoice):
            raise BillingError(ErrorCode.CHANGED_SINCE, Detail("invoice {invoice_no}", invoice_no=invoice_no))
        before = {name: getattr(invoice, name) for name in changes if getattr(invoice, name) != changes[name]}
        if not before:
            use(client, caller.receipt, invoice_no=invoice_no)
            return invoice
        after = {name: changes[name] for name in before}
        if "posting_status" in after:
            _post(invoice, caller)
        for name, value in after.items():
            setattr(invoice, name, value)
        invoice.full_clean(exclude=[field.name for field in Invoice._meta.fields if field.name not in CHANGEABLE])
        invoice.save(update_fields=[*CHANGEABLE, "posting_user", "posting_at"])
        act = Act(REMARKED, account_no, invoice_no, before=before, after=_with_reason(after, reason))
        record_acts(client, caller, [act])
        return invoice


def _post(invoice: Invoice, caller: Caller) -> None:
    """Store who changes the posting status of an issued document, and when. A document that is no longer posted has neither."""
    if invoice.status not in ISSUED_STATUSES:
        detail = Detail("invoice {invoice_no} is {status}", invoice_no=invoice.pk, status=word(invoice.status))
        raise BillingError(ErrorCode.NOT_ISSUED, detail, field="posting_status")
    posts = invoice.posting_status != PostingStatus.POSTED
    invoice.posting_user, invoice.posting_at = (caller.identity, timezone.now()) if posts else ("", None)


def _with_reason(after: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return {**after, "reason": reason} if reason else dict(after)
