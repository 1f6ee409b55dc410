"""Plan how money moves back when an act is undone: what it took goes back to where it was, and what came in since pays the
oldest open invoices. What was unapplied before the act stays unapplied. The account must be locked, or it is a preview."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from django.db.models import Q

from billing_site.common.storage import ExactSum
from invoices.calculation import ZERO
from invoices.kinds import REFUND_KINDS, AllocationKind
from invoices.models import Allocation, LedgerEntry
from invoices.plan.allocating import OpenItem, Taken, oldest_first
from invoices.services.money.ledger.applying import plan_release
from invoices.services.money.ledger.open_items import open_charges, open_credits


def money_after_undo(entry: LedgerEntry) -> list[Taken]:
    """Return what payments and cash credits pay once a write-off, dispute or refund is voided. Seven queries at most."""
    account_no = entry.account_id
    due = {charge.entry_no: charge.due for charge in open_charges([account_no]).get(account_no, [])}
    free = {item.entry_no: item.open for item in open_credits([account_no]).get(account_no, [])}
    kept: dict[int, Decimal] = {}
    back: list[Taken] = []
    if entry.kind in REFUND_KINDS:
        payment_no = entry.refund.payment_id
        released = _released_by(entry, payment_no)
        free[payment_no] = free.get(payment_no, ZERO) + entry.amount
        kept[payment_no] = entry.amount - sum((one.amount for one in released), ZERO)
        back = _as_before(released, free[payment_no], due)
        free[payment_no] -= sum((one.amount for one in back), ZERO)
    for debit_no, amount in plan_release(entry.pk):
        due[debit_no] = due.get(debit_no, ZERO) + amount
    return [*back, *_from_later_credits(entry, free, due, kept)]


def later_credits(entry: LedgerEntry, moved: Iterable[Taken] = (), opened: Mapping[int, Decimal] = {}) -> list[Taken]:
    """Return what credits that became free after a credit memo pay once it is voided. If it is not voided yet, give the
    allocations that its undo will write, and what voiding it will open, by ledger entry."""
    account_no = entry.account_id
    due = {charge.entry_no: charge.due for charge in open_charges([account_no]).get(account_no, [])}
    free = {item.entry_no: item.open for item in open_credits([account_no]).get(account_no, [])}
    for debit_no, amount in opened.items():
        due[debit_no] = due.get(debit_no, ZERO) + amount
    for one in moved:
        due[one.debit_no] = due.get(one.debit_no, ZERO) - one.amount
        free[one.credit_no] = free.get(one.credit_no, ZERO) - one.amount
    return _from_later_credits(entry, free, due, {})


def _as_before(released: Iterable[Taken], free: Decimal, due: dict[int, Decimal]) -> list[Taken]:
    """Pay what a refund has released again, as far as it is still open, and take it off `due`."""
    back = []
    for one in released:
        amount = min(one.amount, free, due.get(one.debit_no, ZERO))
        if amount > ZERO:
            free -= amount
            due[one.debit_no] -= amount
            back.append(one._replace(amount=amount))
    return back


def _released_by(refund: LedgerEntry, payment_no: int) -> list[Taken]:
    """Return what a refund has released of its payment from invoices, in the order in which it was released."""
    of_payment = Allocation.objects.filter(credit=payment_no)
    last = _own_allocation(refund)
    earlier = of_payment.filter(debit__kind__in=REFUND_KINDS, pk__lt=last, amount__gt=ZERO).exclude(debit=refund)
    first = earlier.order_by("-pk").values_list("pk", flat=True).first() or 0
    rows = of_payment.filter(kind=AllocationKind.REFUNDED, pk__gt=first, pk__lt=last).order_by("pk")
    return [Taken(payment_no, debit_no, -amount) for debit_no, amount in rows.values_list("debit_id", "amount")]


def _own_allocation(entry: LedgerEntry) -> int:
    """Return the number of the first allocation of an act's own entry: what it did before has lower numbers."""
    own = Allocation.objects.filter(Q(credit=entry) | Q(debit=entry))
    return own.order_by("pk").values_list("pk", flat=True).first() or 0


def _from_later_credits(
    entry: LedgerEntry, free: Mapping[int, Decimal], due: Mapping[int, Decimal], kept: Mapping[int, Decimal]
) -> list[Taken]:
    """Pay the oldest open invoices from what became free since the act. `kept` stays unapplied besides, by credit."""
    earlier = [number for number, amount in free.items() if number < entry.pk and amount > ZERO]
    then = dict(kept)
    if earlier:
        rows = Allocation.objects.filter(credit__in=earlier, pk__lte=_own_allocation(entry))
        taken = dict(rows.order_by().values_list("credit").annotate(ExactSum("amount")))
        for number, amount in LedgerEntry.objects.filter(pk__in=earlier).values_list("pk", "amount"):
            then[number] = then.get(number, ZERO) - amount - taken.get(number, ZERO)
    credits = [OpenItem(number, amount - then.get(number, ZERO)) for number, amount in sorted(free.items())]
    debits = [OpenItem(*one) for one in sorted(due.items())]
    return oldest_first([credit for credit in credits if credit.open > ZERO], debits)
