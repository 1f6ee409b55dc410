"""Write off open amounts, or dispute them."""

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from accounts.callers import Caller
from accounts.kinds import GuardedAct
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.errors import Detail
from invoices.kinds import EntryKind, ReasonType
from invoices.models import LedgerEntry
from invoices.plan.actions import Action
from invoices.plan.allocating import Taken
from invoices.services.actions import check_allowed
from invoices.services.documents.rights import check_may_correct
from invoices.services.money.ledger.acts import (
    Why,
    account_currency,
    account_of_invoice,
    amount_or_all,
    check_amount,
    check_not_above,
    check_reason,
    check_seen,
    money_act,
    seen_as,
)
from invoices.services.money.ledger.entries import Draft, allocate, post
from invoices.services.money.ledger.open_items import Charge, charges_of
from invoices.services.money.ledger.second_person import GuardedRequest, require_second_person

ACTIONS = {EntryKind.WRITE_OFF: Action.WRITE_OFF, EntryKind.DISPUTE: Action.DISPUTE}
REASONS = {EntryKind.WRITE_OFF: ReasonType.WRITE_OFF, EntryKind.DISPUTE: ReasonType.DISPUTE}


class WriteOffPreview(NamedTuple):
    """The amount of a write-off or dispute, and what is open on its invoice before it. `seen` binds the act to the preview."""

    amount: Decimal
    due: Decimal
    seen: str

    @property
    def left(self) -> Decimal:
        """What is open on the invoice afterwards."""
        return self.due - self.amount


def preview_write_off(
    *,
    client: Client,
    invoice_no: int,
    today: date,
    amount: Decimal | None = None,
    everything: bool = False,
    kind: EntryKind = EntryKind.WRITE_OFF,
) -> WriteOffPreview:
    """Return what `write_off` would do. Writes nothing. Refuses what it refuses, except rights and reasons."""
    account_no = account_of_invoice(client, invoice_no)
    check_allowed(ACTIONS[kind], invoice_no, today)
    amount, charge = _asked(account_no, invoice_no, amount, everything)
    return WriteOffPreview(amount, charge.due, seen_as(amount, charge.due))


def _asked(account_no: int, invoice_no: int, amount: Decimal | None, everything: bool) -> tuple[Decimal, Charge]:
    charge = charges_of([invoice_no])[invoice_no]
    currency = account_currency(account_no)
    asked = check_amount(amount_or_all(amount, everything, charge.due), currency)
    check_not_above(asked, charge.due, currency, Detail("is open on invoice {invoice_no}", invoice_no=invoice_no))
    return asked, charge


def write_off(
    *,
    client: Client,
    invoice_no: int,
    caller: Caller,
    today: date,
    why: Why,
    amount: Decimal | None = None,
    everything: bool = False,
    kind: EntryKind = EntryKind.WRITE_OFF,
    seen: str = "",
) -> LedgerEntry:
    """Reduce an invoice by an amount, or by `everything` that is open: for good (WRITE_OFF), or until it is settled (DISPUTE).
    Returns the entry.

    A dispute reduces the balance too (ours); voiding it makes the amount due again. Refuses a caller who may not correct
    (90026), an unknown invoice (3004), one that may not be written off (the codes of `Action.WRITE_OFF` and `Action.DISPUTE`),
    a wrong amount (1016, 90008, 90021, 90047), a wrong reason (3024), and an open amount that was not `seen` in the preview
    (90003). A write-off may need a second person (90073).
    """
    account_no = account_of_invoice(client, invoice_no)
    with money_act(client, account_no, caller, today, invoice_no=invoice_no) as posted_by:
        check_may_correct(caller)
        check_allowed(ACTIONS[kind], invoice_no, today)
        amount, charge = _asked(account_no, invoice_no, amount, everything)
        check_seen(seen, amount, charge.due)
        check_reason(client, REASONS[kind], why)
        if kind == EntryKind.WRITE_OFF:
            arguments = {"invoice_no": invoice_no, "amount": str(amount), **why._asdict()}
            wanted = GuardedRequest(
                GuardedAct.WRITE_OFFS, account_no, amount, account_currency(account_no), arguments, invoice_no
            )
            require_second_person(wanted, client, caller)
        (entry_no,) = post([Draft(account_no, kind, -amount, invoice_no, None, *why)], posted_by)
        allocate([Taken(entry_no, charge.entry_no, amount)], posted_by, own_events=[invoice_no])
        after: dict[str, Any] = {"transaction_id": entry_no, "amount": str(amount), **why._asdict()}
        record_acts(client, caller, [Act(f"{kind.value}.added", account_no, invoice_no, after=after, row_no=entry_no)])
        return LedgerEntry.objects.get(pk=entry_no)
