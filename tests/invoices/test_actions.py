"""What may be done with a document: for every state it can be in, which acts are open, and why the others are not."""

from decimal import Decimal as D
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import Account
from invoices.gateways.protocol import Answer, Result
from invoices.kinds import EntryKind
from invoices.models import Invoice
from invoices.services.actions import available_actions
from invoices.services.approving.acts import approve_invoices, discard_invoices
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.refunds import refund_payment
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.factories import BY_TEST, a_plan, an_account
from tests.support.memos import memo_of, void
from tests.support.paying import WHY, billed
from tests.support.payments import pay, refused_as
from tests.support.rebilling import rebilled

pytestmark = pytest.mark.usefixtures("audited")


def actions(document, caller, today=JAN_31):
    (shown,) = available_actions(document.client, [document.pk], caller, today).values()
    return {one.action.value: one for one in shown}


def allowed(document, caller):
    return sorted(name for name, one in actions(document, caller).items() if one.error is None)


def why_not(document, caller, action):
    one = actions(document, caller)[action]
    return one.error.code.number, one.in_the_way.name if one.in_the_way else None, one.instead


ISSUED = ["credit", "dispute", "rebill", "void", "write_off"]


def test_an_issued_invoice(acme, process):
    account, invoice = billed(acme, process)
    assert allowed(invoice, process) == sorted([*ISSUED, "collect"])
    pay(account, process, "10.00")
    assert allowed(invoice, process) == sorted([*ISSUED, "collect", "refund"])
    pay(account, process, "20.00")
    assert allowed(invoice, process) == ["credit", "rebill", "refund", "void"]
    assert why_not(invoice, process, "collect") == (90021, None, "")
    assert why_not(invoice, process, "approve") == (3015, None, "")


def test_a_pending_invoice_and_who_made_it(acme, alice, bob):
    acme.four_eyes = "another_person"
    acme.save()
    pending = bill(an_account(acme), alice, JAN_10)
    assert allowed(pending, bob) == ["approve", "discard", "recalculate", "regenerate"]
    assert allowed(pending, alice) == ["discard", "recalculate", "regenerate"]
    assert why_not(pending, alice, "approve")[0] == 90002
    assert why_not(pending, bob, "rebill") == (90030, None, "discard or regenerate it")
    assert why_not(pending, bob, "void")[0] == 90017


def test_a_caller_without_rights(acme, process):
    _account, invoice = billed(acme, process)
    key, _ = create_key(acme, name="reader", caller=BY_TEST)
    shown = actions(invoice, Caller(api_key=key))
    codes = {name: one.error.code.number for name, one in shown.items()}
    assert {name: codes[name] for name in ("void", "collect", "rebill", "credit")} == {
        "void": 90026,
        "collect": 90025,
        "rebill": 90028,
        "credit": 90026,
    }


@pytest.mark.parametrize(("change", "code"), [({"is_test": True}, 7021), ({"status": -99}, 7022)])
def test_what_stops_a_gateway(acme, process, change, code):
    account, invoice = billed(acme, process)
    Account.objects.filter(pk=account.pk).update(**change)
    assert why_not(invoice, process, "collect")[0] == code
    account.payment_methods.all().delete()
    Account.objects.filter(pk=account.pk).update(is_test=False, status=1)
    assert why_not(invoice, process, "collect")[0] == 7025


# What cannot be rebilled: the service's refusal equals the reason that is shown in advance.


def discarded(acme, process):
    pending = bill(an_account(acme), process, JAN_10, force_pending=True)
    discard_invoices(client=acme, invoice_nos=[pending.pk], caller=process)
    return pending, None, "generate its cycle again"


def pending(acme, process):
    return bill(an_account(acme), process, JAN_10, force_pending=True), None, "discard or regenerate it"


def voided(acme, process):
    _account, invoice = billed(acme, process)
    void(invoice, process)
    return invoice, None, "generate its cycle again"


def rebilled_already(acme, process):
    _account, invoice = billed(acme, process)
    rebilled(invoice, process, 1)
    return invoice, "RB-000001", "rebill RB-000001 again"


def waiting(acme, process):
    acme.rebill_approval_required = True
    acme.save()
    _account, invoice = billed(acme, process)
    rebill = rebilled(invoice, process, 1)
    return invoice, f"rebill {rebill.pk}", "approve or discard that first"


def a_memo(acme, process):
    _account, invoice = billed(acme, process)
    return memo_of(invoice, process), None, f"void it, then rebill {invoice.document_number}"


def refunded(acme, process):
    account, invoice = billed(acme, process)
    payment = pay(account, process, "30.00")
    refund = refund_payment(client=acme, transaction_id=payment.pk, caller=process, today=JAN_31, why=WHY, amount=D(1))
    return invoice, f"refund {refund.pk}", "credit its lines by a credit memo"


def credited(acme, process):
    _account, invoice = billed(acme, process)
    memo = memo_of(invoice, process, amount="1.00")
    return invoice, memo.document_number, "void that first"


def written_off(acme, process, kind=EntryKind.WRITE_OFF):
    _account, invoice = billed(acme, process)
    given = {"client": acme, "invoice_no": invoice.pk, "caller": process, "today": JAN_31, "why": WHY}
    entry = write_off(amount=D(1), kind=kind, **given)
    return invoice, f"{kind.value.replace('_', '-')} {entry.pk}", "void it first"


def disputed(acme, process):
    return written_off(acme, process, EntryKind.DISPUTE)


def collecting(acme, process):
    _account, invoice = billed(acme, process, token="sandbox_timeout_after")
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    return invoice, "attempt 1", "collect it again to get the result"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (pending, 90030),
        (discarded, 90031),
        (voided, 90032),
        (rebilled_already, 90033),
        (waiting, 90034),
        (a_memo, 90035),
        (refunded, 90036),
        (credited, 90037),
        (written_off, 90038),
        (disputed, 90039),
        (collecting, 90018),
    ],
)
def test_what_cannot_be_rebilled_says_why_what_is_in_the_way_and_what_to_do_instead(acme, process, make, code):
    document, in_the_way, instead = make(acme, process)
    assert why_not(document, process, "rebill") == (code, in_the_way, instead)
    assert refused_as(rebilled, document, process, 1) == (code, "invoice_no")


def test_what_was_in_the_way_is_so_no_more_when_it_is_voided(acme, process):
    _account, invoice = billed(acme, process)
    void(memo_of(invoice, process, amount="1.00"), process)
    assert rebilled(invoice, process, 1).status == "approved"


def test_a_refund_that_failed_is_not_in_the_way(acme, process):
    """A payment by the gateway whose refund it refuses pays its invoice again."""
    _account, invoice = billed(acme, process)
    (collected,) = collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    given = {"client": acme, "caller": process, "today": JAN_31, "why": WHY}
    declined = Answer(Result.DECLINED, "", "refused", "No")
    with mock.patch("invoices.gateways.sandbox.SandboxGateway.refund", return_value=declined):
        refund_payment(transaction_id=collected.attempt.payment_id, everything=True, **given)
    assert rebilled(invoice, process, 1).status == "approved"


def test_an_unknown_outcome_is_resolved_and_then_it_can_be_rebilled(acme, process):
    invoice, *_ = collecting(acme, process)
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    assert rebilled(invoice, process, 1).status == "approved"


def test_voiding_says_what_bills_the_cycle_after(acme, process):
    account, invoice = billed(acme, process)
    after = bill(account, process, FEB_10, force_pending=True)
    assert why_not(invoice, process, "void") == (90022, f"pending invoice {after.pk}", "discard that first")


def test_many_are_answered_in_as_many_queries_as_one(acme, process):
    plan = a_plan(acme)
    invoices = [bill(an_account(acme, plan), process, JAN_10) for _ in range(6)]
    pay(invoices[0].account, process, "5.00")
    rebilled(invoices[1], process, 1)
    counts = []
    for some in (invoices[:1], invoices):
        with CaptureQueriesContext(connection) as captured:
            assert len(available_actions(acme, [one.pk for one in some], process, JAN_31)) == len(some)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_after_approval_a_rebill_is_open_to_what_an_invoice_is_but_not_to_voiding(acme, process):
    invoice, *_ = waiting(acme, process)
    held = Invoice.objects.get(kind="rebill")
    assert allowed(held, process) == ["approve", "discard"]
    approve_invoices(client=acme, invoice_nos=[held.pk], caller=process, today=JAN_31)
    assert allowed(held, process) == ["collect", "credit", "dispute", "rebill", "undo", "write_off"]
    held.refresh_from_db()
    assert allowed(held.memo, process) == []
    assert why_not(held.memo, process, "void") == (90041, "RB-000001", "rebill RB-000001 again")
    assert allowed(invoice, process) == []
