"""What an operation gives for one account or document of a batch, at each of its stages: planned, recorded, settled.

A refusal, and an account with nothing to bill, are passed through the stages unchanged. A refusal harms no other member.
"""

from collections.abc import Sequence
from typing import NamedTuple

from billing_site.errors import BillingError
from invoices.models import Statement
from invoices.plan import InvoicePlan
from invoices.services.documents.collection_results import Collected


class Planned(NamedTuple):
    """A planned invoice of an account. A plan without lines means that there is nothing to bill."""

    account_no: int
    plan: InvoicePlan


class Refused(NamedTuple):
    """Why nothing is written for an account, or for a document if `invoice_no` is given. A document that does not exist has no
    account."""

    account_no: int | None
    error: BillingError
    invoice_no: int | None = None


class NothingToBill(NamedTuple):
    """The account has no charges in the cycle: it has moved on without a document."""

    account_no: int


class Recorded(NamedTuple):
    """A document for which something was recorded: it was written, or decided on. `refunds`: its issue may have entered
    refunds, which the gateway is still to be asked for. `approvals_missing`: the approval was recorded, and the document stays
    pending until this number of other people have approved it."""

    account_no: int
    invoice_no: int
    refunds: bool = False
    approvals_missing: int = 0


class Settled(NamedTuple):
    """A recorded document after the commit: the result of collecting what is due on it, and the statement sent. Each is None if
    it was not requested."""

    recorded: Recorded
    collection: Collected | None = None
    statement: Statement | None = None

    @property
    def account_no(self) -> int:
        return self.recorded.account_no

    @property
    def invoice_no(self) -> int:
        return self.recorded.invoice_no


Written = Recorded | NothingToBill | Refused
"""What recording gives for a member of a batch."""

Outcome = Settled | NothingToBill | Refused
"""What an operation returns for a member of a batch."""


def without_settling(written: Sequence[Written]) -> list[Outcome]:
    """Return the outcomes of an operation that collects and sends nothing, in the order given."""
    return [Settled(one) if isinstance(one, Recorded) else one for one in written]
