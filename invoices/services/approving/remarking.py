"""Put notes and custom statuses on pending documents. They are not part of the document's content."""

from collections.abc import Collection

from django.db import transaction

from accounts.callers import Caller
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import InvoiceStatus
from invoices.models import Invoice
from invoices.services.documents.outcomes import Outcome, Recorded, Refused, Settled
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.rights import check_may_approve


@transaction.atomic
def remark_invoices(*, client: Client, invoice_nos: Collection[int], caller: Caller, remarks: Remarks) -> list[Outcome]:
    """Put a note, a custom status or both on pending documents, and return one outcome for each.

    Refused outcomes: no right to approve (90001), not pending (3015).
    """
    try:
        check_may_approve(caller)
    except BillingError as error:
        return [Refused(None, error, number) for number in invoice_nos]
    pending = Invoice.objects.select_for_update(no_key=True).filter(
        client=client, pk__in=invoice_nos, status=InvoiceStatus.PENDING
    )
    found = {invoice.pk: invoice for invoice in pending.order_by("account", "pk")}
    columns = remarks.columns()
    if columns:
        Invoice.objects.filter(pk__in=found).update(**columns)
    acts = [
        Act(
            "invoice.remarked",
            invoice.account_id,
            invoice.pk,
            before={name: getattr(invoice, name) for name in columns},
            after={**columns, **({"reason": remarks.reason} if remarks.reason else {})},
        )
        for invoice in found.values()
    ]
    record_acts(client, caller, acts)
    done = [Settled(Recorded(invoice.account_id, invoice.pk)) for invoice in found.values()]
    not_pending = BillingError(ErrorCode.NOT_PENDING)
    return [*done, *(Refused(None, not_pending, number) for number in invoice_nos if number not in found)]
