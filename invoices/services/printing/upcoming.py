"""The statement of an account's next invoice, before it is generated. Writes nothing."""

from datetime import date
from typing import Any

from accounts.models import Account
from invoices.calculation import ZERO
from invoices.kinds import InvoiceStatus
from invoices.models import Invoice
from invoices.plan.facts import BillingRequest
from invoices.services.documents.document_storage import content_of
from invoices.services.documents.outcomes import Refused
from invoices.services.planning.previewing import preview_invoices
from invoices.services.printing.printed import StatementParts, statement_context


def upcoming_statement(account: Account, today: date) -> dict[str, Any]:
    """Return the context of the statement templates for the account's next invoice, as if today were its bill date.

    It is marked as pro forma, as a pending invoice is. Refuses what generating refuses, for example a pending invoice (7006).
    """
    day = max(today, account.next_bill_date or today)
    client = account.client
    (planned,) = preview_invoices(client=client, account_nos=[account.pk], request=BillingRequest(day))
    if isinstance(planned, Refused):
        raise planned.error
    plan, content = planned.plan, content_of(client, planned.plan)
    invoice = Invoice(
        client=client,
        account=account,
        status=InvoiceStatus.PENDING,
        kind=plan.kind,
        currency=account.currency,
        net_amount=plan.net_amount,
        tax_amount=plan.tax_amount,
        total_amount=plan.total_amount,
    )
    return statement_context(invoice, StatementParts(content, ZERO, None))
