"""Each type of event that integrators wait for is sent by a webhook when its act is done, with its amounts."""

import json
from decimal import Decimal as D

import pytest

from billing_site.common.guards import lifted
from invoices.audit.kept import audit_and_keep
from invoices.kinds import DecisionAct
from invoices.models import Invoice
from invoices.services.approving.deciding import decide
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import record_external_payment
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.money.overdue import note_overdue
from invoices.services.runs.runs import continue_run, start_run
from invoices.services.webhooks.delivering import send_round
from invoices.services.webhooks.endpoints import add_endpoint
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import BY_TEST, an_account
from tests.support.memos import void
from tests.support.paying import paying
from tests.support.rebilling import rebilled
from tests.support.receiver import receiving

pytestmark = pytest.mark.django_db

TYPES = (
    "invoice.generated",
    "invoice.pending",
    "invoice.issued",
    "invoice.approved",
    "invoice.discarded",
    "invoice.regenerated",
    "invoice.rebilled",
    "invoice.voided",
    "invoice.paid",
    "invoice.overdue",
    "collection.failed",
    "payment.recorded",
    "refund.made",
    "credit_memo.issued",
    "run.finished",
    "audit.finding",
)


@pytest.fixture
def receiver(tmp_path, settings):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    settings.SANDBOX_GATEWAY_FILE = str(tmp_path / "sandbox.sqlite3")
    folder = tmp_path / "receiver"
    folder.mkdir()
    with receiving(folder) as receiver:
        yield receiver


def sent(receiver, type):
    """What the receiver has got of a type: each as its document and what it says after the act."""
    bodies = [json.loads(one["body"]) for one in receiver.got]
    return [(one["invoice_no"], one["data"]["after"]) for one in bodies if one["type"] == type]


def do_everything(client, process, alice):
    """Do each of the acts once, on documents of 30.00. Returns the documents by what was done with them."""
    by, why = {"client": client, "caller": process, "today": JAN_10}, Why(1, "as agreed")
    pending = bill(an_account(client), process, JAN_10, force_pending=True)
    decide(DecisionAct.REGENERATE, client=client, invoice_nos=[pending.pk], caller=alice, today=JAN_10)
    anew = Invoice.objects.get(status="pending")
    decide(DecisionAct.DISCARD, client=client, invoice_nos=[anew.pk], caller=alice, today=JAN_10)
    approved = bill(an_account(client), process, JAN_10, force_pending=True)
    decide(DecisionAct.APPROVE, client=client, invoice_nos=[approved.pk], caller=alice, today=JAN_10)
    wrong, voided, credited = (bill(an_account(client), process, JAN_10) for _ in range(3))
    rebilled(wrong, process, 1)
    void(voided, process, JAN_10)
    create_credit_memo(invoice_no=credited.pk, why=why, credit=CreditRequest(amount=D("3.00")), **by)
    declined = bill(paying(client, "sandbox_declined"), process, JAN_10)
    collect_invoices(invoice_nos=[declined.pk], **by)
    paid = bill(an_account(client), process, JAN_10)
    payment = record_external_payment(account_no=paid.account_id, amount=D("30.00"), type="cash", **by)
    refund_payment(transaction_id=payment.pk, amount=D("2.00"), why=why, **by)
    note_overdue(client, FEB_10)
    continue_run(start_run(client=client, today=FEB_10, caller=process), caller=process)
    with lifted():
        Invoice.objects.filter(pk=approved.pk).update(total_amount=D(1), open_amount=D(1))
    audit_and_keep(client, "test")
    return {"approved": approved.pk, "voided": voided.pk, "declined": declined.pk, "credited": credited.pk, "paid": paid.pk}


def test_each_type_is_sent_with_its_amounts(acme, process, alice, receiver):
    endpoint = add_endpoint(client=acme, caller=BY_TEST, url=receiver.url("/ok"), event_types=list(TYPES))
    done = do_everything(acme, process, alice)
    while send_round(endpoint.pk):
        pass
    assert set(receiver.types("/ok")) == set(TYPES)
    assert [number for number, _ in sent(receiver, "invoice.voided")] == [done["voided"]]
    ((declined, charged),) = sent(receiver, "collection.failed")
    assert (declined, charged["amount"]) == (done["declined"], "30.00")
    ((_, payment),) = sent(receiver, "payment.recorded")
    ((_, refund),) = sent(receiver, "refund.made")
    assert (payment["amount"], refund["amount"], refund["payment"]) == ("30.00", "2.00", payment["transaction_id"])
    assert [number for number, _ in sent(receiver, "invoice.paid")] == [done["paid"]]
    assert "-3.00" in [after["total_amount"] for _, after in sent(receiver, "credit_memo.issued")]
    assert done["approved"] in [number for number, _ in sent(receiver, "invoice.approved")]
    assert {done["declined"], done["credited"]} <= {number for number, _ in sent(receiver, "invoice.overdue")}
