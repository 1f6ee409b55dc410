"""Documents in every state that decides on possible acts, and every act, done through the services."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal as D

from django.db import transaction

from accounts.models import Account
from invoices.kinds import EntryKind
from invoices.models import Invoice, LedgerEntry, Payment
from invoices.plan.actions import Action
from invoices.services.actions import available_actions
from invoices.services.approving.acts import approve_invoices, discard_invoices, regenerate_invoices
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.correcting.memo_undoing import undo_memo
from invoices.services.correcting.void_undoing import undo_void
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.money.ledger.voids import void_transaction
from invoices.services.planning.billing_again import waive_periods
from invoices.services.undoing.voiding import void_invoice
from rebills.services.undoing import undo_rebill
from tests.support.adjusting import a_line, adjusted, recalculated
from tests.support.billing import FEB_10, JAN_10, JAN_31, MAR_10, bill
from tests.support.factories import a_plan, an_account
from tests.support.memos import memo_of, void
from tests.support.outcomes import error_of
from tests.support.paying import WHY, billed
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled

TODAY = MAR_10


def pending(acme, process):
    return bill(an_account(acme), process, JAN_10, force_pending=True)


def discarded(acme, process):
    document = pending(acme, process)
    discard_invoices(client=acme, invoice_nos=[document.pk], caller=process)
    return document


def discarded_and_billed_again(acme, process):
    document = discarded(acme, process)
    bill(document.account, process, JAN_10)
    return document


def discarded_and_pending_again(acme, process):
    document = discarded(acme, process)
    bill(document.account, process, JAN_10, force_pending=True)
    return document


def regenerated_and_rebilled(acme, process):
    document = discarded_and_billed_again(acme, process)
    rebilled(Invoice.objects.get(status="approved"), process, 1)
    return document


def of_a_suspended_account(acme, process):
    document = pending(acme, process)
    Account.objects.filter(pk=document.account_id).update(status=-1)
    return document


def issued(acme, process):
    return billed(acme, process)[1]


def paid(acme, process):
    account, invoice = billed(acme, process)
    pay(account, process, "30.00")
    return invoice


def partly_paid(acme, process):
    account, invoice = billed(acme, process)
    pay(account, process, "10.00")
    return invoice


def collected(acme, process):
    invoice = issued(acme, process)
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    return invoice


def zero(acme, process):
    return bill(an_account(acme, a_plan(acme, {"phone": "0.00"})), process, JAN_10)


def voided(acme, process):
    invoice = issued(acme, process)
    void(invoice, process)
    return invoice


def voided_and_billed_again(acme, process):
    invoice = voided(acme, process)
    bill(Account.objects.get(pk=invoice.account_id), process, JAN_10)
    return invoice


def voided_before_another(acme, process):
    account, invoice = billed(acme, process)
    bill(account, process, FEB_10)
    void(invoice, process)
    waive_periods(client=acme, invoice_no=invoice.pk, caller=process, today=FEB_10)
    return invoice


def before_a_pending_one(acme, process):
    account, invoice = billed(acme, process)
    bill(account, process, FEB_10, force_pending=True)
    return invoice


def rebilled_once(acme, process):
    invoice = issued(acme, process)
    rebilled(invoice, process, 1)
    return invoice


def rebilled_twice(acme, process):
    invoice = issued(acme, process)
    rebilled(rebilled(invoice, process, 1), process, 1)
    return invoice


def a_rebill(acme, process):
    return rebilled(issued(acme, process), process, line(1, rate_per_unit="25"))


def a_rebill_that_was_rebilled(acme, process):
    first = a_rebill(acme, process)
    rebilled(first, process, 1)
    return first


def an_undone_rebill(acme, process):
    rebill = a_rebill(acme, process)
    do(Action.UNDO, rebill, process)
    return rebill


def the_original_of_an_undone_rebill(acme, process):
    return an_undone_rebill(acme, process).corrects


def a_reversal(acme, process):
    return Invoice.objects.get(corrects=an_undone_rebill(acme, process), kind="reversal")


def rebilled_to_zero(acme, process):
    return rebilled(paid(acme, process), process, line(1, amount="0"))


def held(acme, process):
    """Create an invoice with a pending rebill."""
    acme.rebill_approval_required = True
    acme.save()
    invoice = issued(acme, process)
    rebilled(invoice, process, 1)
    return invoice


def a_pending_rebill(acme, process):
    return Invoice.objects.get(corrects=held(acme, process))


def a_pending_rebill_of_what_was_written_off(acme, process):
    rebill = a_pending_rebill(acme, process)
    entry_of_another_time(rebill.corrects, process)
    return rebill


def entry_of_another_time(invoice, process):
    """Create a write-off on an invoice with a pending rebill. Today's code refuses that; older data may have it."""
    discarded_now = Invoice.objects.filter(corrects=invoice, status="pending")
    numbers = list(discarded_now.values_list("pk", flat=True))
    Invoice.objects.filter(pk__in=numbers).update(status="discarded")
    lowered(invoice, process, EntryKind.WRITE_OFF, "1.00")
    Invoice.objects.filter(pk__in=numbers).update(status="pending")


def a_discarded_rebill(acme, process):
    rebill = a_pending_rebill(acme, process)
    discard_invoices(client=acme, invoice_nos=[rebill.pk], caller=process)
    return rebill


def a_memo(acme, process):
    return memo_of(issued(acme, process), process, amount="1.00")


def a_voided_memo(acme, process):
    memo = a_memo(acme, process)
    void(memo, process)
    return memo


def an_undone_memo(acme, process):
    memo = a_memo(acme, process)
    do(Action.UNDO_MEMO, memo, process)
    return memo


def the_memo_of_a_rebill(acme, process):
    return a_rebill(acme, process).memo


def the_memo_of_a_rebill_that_was_rebilled(acme, process):
    return a_rebill_that_was_rebilled(acme, process).memo


def credited(acme, process):
    invoice = issued(acme, process)
    memo_of(invoice, process, amount="1.00")
    return invoice


def fully_credited(acme, process):
    invoice = issued(acme, process)
    memo_of(invoice, process)
    return invoice


def credited_rebill(acme, process):
    rebill = a_rebill(acme, process)
    memo_of(rebill, process, amount="1.00")
    return rebill


def lowered(invoice, process, kind, amount=None):
    amount = None if amount is None else D(amount)
    given = {"client": invoice.client, "invoice_no": invoice.pk, "caller": process, "today": JAN_31, "why": WHY}
    return write_off(kind=kind, amount=amount, everything=amount is None, **given)


def written_off(acme, process):
    invoice = issued(acme, process)
    lowered(invoice, process, EntryKind.WRITE_OFF, "1.00")
    return invoice


def written_off_whole(acme, process):
    invoice = issued(acme, process)
    lowered(invoice, process, EntryKind.WRITE_OFF)
    return invoice


def disputed(acme, process):
    invoice = issued(acme, process)
    lowered(invoice, process, EntryKind.DISPUTE, "1.00")
    return invoice


def refund(payment, process, amount=None):
    given = {"client": payment.account.client, "caller": process, "today": JAN_31, "why": WHY}
    whole = amount is None
    return refund_payment(transaction_id=payment.pk, amount=None if whole else D(amount), everything=whole, **given)


def refunded(acme, process):
    account, invoice = billed(acme, process)
    refund(pay(account, process, "30.00"), process, "1.00")
    return invoice


def refunded_by_the_gateway(acme, process):
    invoice = collected(acme, process)
    refund(Payment.objects.get(), process)
    return invoice


def of_unknown_outcome(acme, process):
    _account, invoice = billed(acme, process, token="sandbox_timeout_after")
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    return invoice


def of_unknown_outcome_without_a_method(acme, process):
    invoice = of_unknown_outcome(acme, process)
    invoice.account.payment_methods.update(token="")
    Account.objects.filter(pk=invoice.account_id).update(status=-99)
    return invoice


STATES = [
    pending,
    discarded,
    discarded_and_billed_again,
    discarded_and_pending_again,
    regenerated_and_rebilled,
    of_a_suspended_account,
    issued,
    paid,
    partly_paid,
    collected,
    zero,
    voided,
    voided_and_billed_again,
    voided_before_another,
    before_a_pending_one,
    rebilled_once,
    rebilled_twice,
    a_rebill,
    a_rebill_that_was_rebilled,
    an_undone_rebill,
    the_original_of_an_undone_rebill,
    a_reversal,
    rebilled_to_zero,
    held,
    a_pending_rebill,
    a_pending_rebill_of_what_was_written_off,
    a_discarded_rebill,
    a_memo,
    a_voided_memo,
    an_undone_memo,
    the_memo_of_a_rebill,
    the_memo_of_a_rebill_that_was_rebilled,
    credited,
    fully_credited,
    credited_rebill,
    written_off,
    written_off_whole,
    disputed,
    refunded,
    refunded_by_the_gateway,
    of_unknown_outcome,
    of_unknown_outcome_without_a_method,
]


@contextmanager
def undone() -> Iterator[None]:
    """Roll back what is done inside the block. No atomic block, because services begin transactions that must be outermost."""
    point = transaction.savepoint()
    yield
    transaction.savepoint_rollback(point)


def first_of(outcomes):
    if error_of(outcomes[0]) is not None:
        raise error_of(outcomes[0])
    return outcomes[0]


def do(action, document, process):
    """Do one act with a document. Raises the refusal."""
    document = Invoice.objects.get(pk=document.pk)
    one = {"client": document.client, "invoice_nos": [document.pk], "caller": process}
    corrected = {"client": document.client, "invoice_no": document.pk, "caller": process, "today": TODAY}
    acts: dict[Action, Callable[[], object]] = {
        Action.APPROVE: lambda: first_of(approve_invoices(today=TODAY, **one)),
        Action.DISCARD: lambda: first_of(discard_invoices(**one)),
        Action.REGENERATE: lambda: first_of(regenerate_invoices(today=TODAY, **one)),
        Action.RECALCULATE: lambda: recalculated(document, process, TODAY),
        Action.ADJUST: lambda: adjusted(document, process, a_line(1, description="As agreed"), day=TODAY),
        Action.VOID: lambda: void_invoice(reason_code=8, **corrected),
        Action.COLLECT: lambda: first_of(collect_invoices(today=TODAY, **one)),
        Action.REFUND: lambda: refund(_payment_of(document), process),
        Action.CREDIT: lambda: create_credit_memo(why=WHY, credit=CreditRequest(everything=True), **corrected),
        Action.WRITE_OFF: lambda: write_off(why=WHY, everything=True, kind=EntryKind.WRITE_OFF, **corrected),
        Action.DISPUTE: lambda: write_off(why=WHY, everything=True, kind=EntryKind.DISPUTE, **corrected),
        Action.REBILL: lambda: rebilled(document, process, carries_unlisted=True),
        Action.UNDO_VOID: lambda: undo_void(reason_code=8, **corrected),
        Action.UNDO_MEMO: lambda: undo_memo(client=document.client, memo_no=document.pk, caller=process, today=TODAY, why=WHY),
        Action.UNDO: lambda: undo_rebill(
            client=document.client, rebill_no=document.pk, caller=process, today=TODAY, why=Why(1, "a mistake")
        ),
    }
    return acts[action]()


def _payment_of(document):
    return Payment.objects.filter(entry__taken_by__debit__invoice=document).first()


def choices(document, process):
    return available_actions(document.client, [document.pk], process, TODAY)[document.pk]


def named(name):
    """Return the document that a message names, by printed number or by kind and number."""
    by_number = Invoice.objects.filter(document_number=name).first()
    return by_number or Invoice.objects.get(pk=int(name.split()[-1]))


def void_what(way, process):
    """Void the document or transaction that blocks the act."""
    if way.type == "invoice":
        return do(Action.VOID, Invoice.objects.get(pk=way.number), process)
    account = LedgerEntry.objects.get(pk=way.number).account
    return void_transaction(client=account.client, transaction_id=way.number, caller=process, today=TODAY, reason_code=8)


def way_out(refused, document, process):
    """Return the steps that a refusal recommends, as a list of alternatives. A step is an act with its document, or a
    function."""
    one, way, action = re.fullmatch, refused.in_the_way, refused.action
    text = refused.instead
    if text in ("discard or regenerate it", "discard it"):
        return [[(Action.DISCARD, document)], *([[(Action.REGENERATE, document)]] if "regenerate" in text else [])]
    if found := one(r"discard or regenerate (.+ \d+)", text):
        return [[(Action.DISCARD, named(found[1]))], [(Action.REGENERATE, named(found[1]))]]
    if found := one(r"discard it and rebill (.+) again", text):
        original = document.corrects if found[1] == "the original" else named(found[1])
        return [[(Action.DISCARD, document), (Action.REBILL, original)]]
    if text == "undo it, or rebill it again":
        return [[(Action.UNDO, document)], [(Action.REBILL, document)]]
    if found := one(r"credit (.+) again", text):
        return [[(Action.CREDIT, named(found[1]))]]
    if text == "undo it as a rebill":
        return [[(Action.UNDO, document)]]
    if found := one(r"undo the void of (.+)", text):
        return [[(Action.UNDO_VOID, named(found[1]))]]
    if found := one(r"undo (.+?)( first)?", text):
        return [[(Action.UNDO, named(found[1])), *([(action, document)] if found[2] else [])]]
    if found := one(r"rebill (it|.+?)( again|, which bills its cycle)?", text):
        return [[(Action.REBILL, document if found[1] == "it" else named(found[1]))]]
    if found := one(r"void it, then rebill (.+)", text):
        return [[(Action.VOID, document), (Action.REBILL, named(found[1]))]]
    if found := one(r"use (.+) instead", text):
        return [[(action, named(found[1]))]]
    if text == "approve or discard that first":
        pending = Invoice.objects.get(pk=way.number)
        return [[(Action.APPROVE, pending)], [(Action.DISCARD, pending), (action, document)]]
    if text == "discard that first":
        return [[(Action.DISCARD, Invoice.objects.get(pk=way.number)), (action, document)]]
    if text in ("void that first", "void it first"):
        return [[(lambda: void_what(way, process), None), (action, document)]]
    if text == "collect it again to get the result":
        return [[(Action.COLLECT, document)]]
    if text == "credit its lines by a credit memo":
        return [[(Action.CREDIT, document)]]
    if text == "generate its cycle again":
        account = Account.objects.get(pk=document.account_id)
        return [[(lambda: bill(account, process, TODAY), None)]]
    raise AssertionError(f"no act is known for: {text}")


def follow(steps, process, detours=3):
    """Do the steps. If one is refused for another reason, first do what that refusal recommends, up to `detours` times."""
    for act, document in steps:
        if document is None:
            act()
            continue
        refused = next(one for one in choices(document, process) if one.action is act)
        if refused.error is None:
            do(act, document, process)
        else:
            assert refused.instead and detours, f"{act} of {document}: {refused.error}"
            follow(way_out(refused, document, process)[0], process, detours - 1)
