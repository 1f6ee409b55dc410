"""What came of an operation for one account or document of a batch."""

from typing import NamedTuple

from billing_site.errors import BillingError
from invoices.kinds import RunResult
from invoices.models import Statement
from invoices.plan import InvoicePlan
from invoices.services.documents.collection_results import Collected


class Planned(NamedTuple):
    """The invoice that would be generated for an account. Without lines there is nothing to bill."""

    account_no: int
    plan: InvoicePlan


class Refused(NamedTuple):
    """Why no invoice would be generated for an account."""

    account_no: int
    error: BillingError


class Outcome(NamedTuple):
    """An invoice, nothing to bill, or the error that refused it. An error here harmed none of the batch's other members.

    `collection` is what came of collecting the invoice, where that was tried when it was issued, and `statement` of sending it.
    """

    account_no: int | None
    invoice_no: int | None = None
    error: BillingError | None = None
    collection: Collected | None = None
    statement: Statement | None = None

    @property
    def result(self) -> RunResult:
        if self.error is not None:
            return RunResult.REFUSED
        return RunResult.NOTHING_TO_BILL if self.invoice_no is None else RunResult.INVOICED
