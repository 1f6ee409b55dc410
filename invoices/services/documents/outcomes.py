"""The outcome of an operation for one account or document of a batch."""

from typing import NamedTuple

from billing_site.errors import BillingError
from invoices.kinds import RunResult
from invoices.models import Statement
from invoices.plan import InvoicePlan
from invoices.services.documents.collection_results import Collected


class Planned(NamedTuple):
    """A planned invoice of an account. A plan without lines means that there is nothing to bill."""

    account_no: int
    plan: InvoicePlan


class Refused(NamedTuple):
    """The refusal of a planned invoice."""

    account_no: int
    error: BillingError


class Outcome(NamedTuple):
    """The outcome for one account: an invoice, nothing to bill (`invoice_no` None), or a refusal (`error`).

    `collection` and `statement` are the results of collecting and sending after the invoice was issued.
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
