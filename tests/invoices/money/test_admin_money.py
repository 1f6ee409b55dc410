"""Money in the admin: adding a row performs the act, refusals are shown on the form, and users without the right see no
button."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.callers import Caller
from accounts.models import Account, PaymentMethod
from invoices.kinds import RefundStatus
from invoices.models import (
    CashCredit,
    CollectionAttempt,
    CreditMemo,
    Dispute,
    Invoice,
    LedgerEntry,
    Payment,
    ReasonCode,
    Refund,
    TransactionVoid,
    WriteOff,
)
from invoices.services.collecting.collecting import collect_invoices
from tests.support.admin_money import add, refused, signed_in
from tests.support.admin_pages import act, add_url, change_url, decide, list_url, results, texts
from tests.support.billing import JAN_10, bill
from tests.support.factories import ClientFactory, an_account
from tests.support.money_races import no_findings
from tests.support.paying import billed, books, due, unapplied
from tests.support.worlds import world_for_a_while

__all__ = ["signed_in"]

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def tenth_of_january():
    with time_machine.travel(datetime(2026, 1, 10, 12, tzinfo=UTC), tick=False):
        yield


def test_a_payment_is_recorded_and_shown(acme, signed_in, process):
    account, invoice = billed(acme, process)
    form = {"account": account.pk, "type": "check", "amount": "50", "reference": "1042", "invoice": invoice.pk}
    assert "that is open on invoice" in refused(signed_in, Payment, "invoice", **form)[0]
    add(signed_in, Payment, **{**form, "invoice": ""})
    assert (due(invoice), unapplied(account)) == (0, 20)
    payment = Payment.objects.get()
    page = signed_in.get(change_url(payment)).content.decode()
    assert "Refund payment" in page and "Void transaction" in page and "20.00" in page and invoice.document_number in page
    assert "50.00" in signed_in.get(change_url(account)).content.decode()


def test_a_payment_is_refunded_by_its_gateway_after_the_commit(acme, signed_in, process, django_capture_on_commit_callbacks):
    _account, invoice = billed(acme, process)
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_10)
    payment = Payment.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        add(signed_in, Refund, payment=payment.pk, amount="12", reason="1", comments="twice")
        assert Refund.objects.get().status == RefundStatus.ASKED
    assert (Refund.objects.get().status, books("refunds"), due(invoice)) == (RefundStatus.DONE, [12], 12)
    assert (
        "amount: only 18 of payment" in refused(signed_in, Refund, "amount", payment=payment.pk, amount="18.01", reason="1")[0]
    )


def test_credits_write_offs_disputes_and_their_voids(acme, signed_in, process):
    account, invoice = billed(acme, process)
    add(signed_in, CashCredit, account=account.pk, amount="4", reason="1")
    add(signed_in, WriteOff, invoice=invoice.pk, amount="1", reason="1")
    add(signed_in, Dispute, invoice=invoice.pk, everything="on", reason="1")
    assert due(invoice) == 0
    assert "0" in refused(signed_in, WriteOff, "amount", invoice=invoice.pk, reason="1", amount="1")[0]
    dispute = Dispute.objects.get(kind="dispute")
    add(signed_in, TransactionVoid, voids=dispute.pk, reason="8", comments="settled")
    assert due(invoice) == 25


def test_a_memo_is_issued_and_an_invoice_is_voided_from_its_page(acme, signed_in, process):
    _account, invoice = billed(acme, process)
    form = {"corrects": invoice.pk, "line_no": "1", "amount": "10", "reason": "1", "comments": "late"}
    assert refused(signed_in, CreditMemo, "comments", **{**form, "comments": ""}) == ["This field is required."]
    add(signed_in, CreditMemo, **form)
    memo = CreditMemo.objects.get(kind="credit_memo")
    assert (
        signed_in.get(change_url(memo)).status_code
        == signed_in.get(change_url(Invoice.objects.get(pk=memo.pk))).status_code
        == 200
    )
    assert memo.document_number in signed_in.get(list_url(CreditMemo)).content.decode()
    page = signed_in.get(change_url(invoice)).content.decode()
    assert "20.00" in page and memo.document_number in page
    charge = LedgerEntry.objects.get(invoice=invoice)
    assert refused(signed_in, TransactionVoid, "reason", voids=charge.pk, reason="") == ["This field is required."]
    assert "credit memos" in refused(signed_in, TransactionVoid, "voids", voids=charge.pk, reason="5")[0]
    add(signed_in, TransactionVoid, voids=LedgerEntry.objects.get(invoice=memo.pk).pk, reason="8")
    add(signed_in, TransactionVoid, voids=charge.pk, reason="5")
    assert Invoice.objects.get(pk=invoice.pk).status == "voided"
    assert signed_in.get(change_url(invoice)).status_code == 200


def test_invoices_are_collected_from_the_list_with_what_came_of_each(acme, signed_in, process):
    _, good = billed(acme, process)
    _, declined = billed(acme, process, "sandbox_declined")
    _, silent = billed(acme, process, "sandbox_timeout_after")
    said = results(decide(signed_in, Invoice, "collect_selected", good.pk, declined.pk, silent.pk))
    assert said[0] == "4011 cc authorization failed: The card was declined"
    assert said[1].startswith("90019")
    assert said[2] == "collected"
    attempt = CollectionAttempt.objects.get(invoice=silent)
    page = signed_in.get(change_url(attempt)).content.decode()
    assert "sandbox_timeout" not in page and attempt.idempotency_key not in page
    assert texts(act(signed_in, CollectionAttempt, "ask_the_gateway", attempt.pk)) == ["Collected: 1"]
    assert "Collected" in signed_in.get(change_url(silent)).content.decode()


def test_an_approval_says_what_came_of_collecting(acme, signed_in, process):
    acme.collect_on_approval = True
    acme.save()
    account = an_account(acme)
    pending = bill(account, process, JAN_10, force_pending=True)
    (said,) = results(decide(signed_in, Invoice, "approve_selected", pending.pk))
    assert said.startswith("approved; 7025")


def test_a_payment_method_is_kept_by_the_gateway_and_its_token_not_shown(acme, signed_in):
    account = an_account(acme)
    form = {"account": account.pk, "type": "card", "label": "Visa ending 4242"}
    assert "The token is unknown" in refused(signed_in, PaymentMethod, "token", token="tok_x", **form)[0]
    assert "card number" in refused(signed_in, PaymentMethod, "token", token="4242424242424242", **form)[0]
    assert PaymentMethod.objects.count() == 0
    add(signed_in, PaymentMethod, token="sandbox_approved:7", **form)
    method = PaymentMethod.objects.get()
    assert "sandbox_approved" not in signed_in.get(change_url(method)).content.decode()
    assert signed_in.post(change_url(method), {"type": "card", "label": "Visa"}).status_code == 302
    method.refresh_from_db()
    assert (method.label, method.token) == ("Visa", "sandbox_approved:7")


def test_common_reasons_are_changed_by_superusers_only(acme, signed_in, client):
    common = ReasonCode.objects.filter(client=None).first()
    assert (
        signed_in.post(
            change_url(common), {"client": "", "type": common.type, "code": common.code, "name": "Other", "is_active": "on"}
        ).status_code
        == 302
    )
    common.refresh_from_db()
    assert common.name == "Other"
    add(signed_in, ReasonCode, client=acme.pk, type="refund", code=77, name="Own", is_active="on")
    staff = get_user_model().objects.create_user("carol", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__endswith="_reasoncode"))
    client.force_login(staff)
    assert client.post(change_url(common), {"name": "Mine"}).status_code == 403
    common_one = {"client": "", "type": "refund", "code": 78, "name": "For all", "is_active": "on"}
    assert refused(client, ReasonCode, "client", **common_one) == ["This field is required."]


def test_who_has_not_the_right_sees_no_button_and_does_nothing(acme, client, process):
    account, invoice = billed(acme, process)
    viewer = get_user_model().objects.create_user("vera", is_staff=True)
    acme.staff.add(viewer)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(viewer)
    for model in (Payment, Refund, CashCredit, WriteOff, Dispute, TransactionVoid, CreditMemo):
        assert client.get(list_url(model)).status_code == 200
        assert client.get(add_url(model)).status_code == 403
    assert "collect_selected" not in client.get(list_url(Invoice)).content.decode()
    assert client.get(change_url(account)).status_code == 200
    assert due(invoice) == 30


LISTED = (Invoice, LedgerEntry, Payment, Refund, CollectionAttempt, CreditMemo, CashCredit)


def queries_of_lists():
    """How many queries each list takes for the rows of three accounts, and then for those of six."""
    acme, process, counts = ClientFactory(), Caller(process="test"), []
    signed_in = Client()
    signed_in.force_login(get_user_model().objects.create(username="root", is_staff=True, is_superuser=True))
    for _ in range(2):
        for _ in range(3):
            account, invoice = billed(acme, process)
            collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_10)
            add(signed_in, CashCredit, account=account.pk, amount="4", reason="1")
            add(signed_in, CreditMemo, corrects=invoice.pk, amount="1", reason="1", comments="x")
            add(signed_in, Refund, payment=Payment.objects.latest("pk").pk, amount="1", reason="1")
        counts.append({model: queries_of(signed_in, model) for model in LISTED})
    assert Account.objects.count() == 6
    return counts


def queries_of(signed_in, model):
    with CaptureQueriesContext(connection) as captured:
        assert signed_in.get(list_url(model)).status_code == 200
    return len(captured)


@pytest.fixture(scope="module")
def counted(django_db_setup, django_db_blocker, tmp_path_factory):
    """The queries of all lists, counted once."""
    with (
        pytest.MonkeyPatch.context() as patch,
        time_machine.travel(datetime(2026, 1, 10, 12, tzinfo=UTC), tick=False),
        django_db_blocker.unblock(),
    ):
        patch.setattr("django.conf.settings.SANDBOX_GATEWAY_FILE", str(tmp_path_factory.mktemp("books") / "sandbox.sqlite3"))
        with world_for_a_while(queries_of_lists) as counts:
            no_findings()
    return counts


@pytest.mark.parametrize("model", LISTED)
def test_lists_take_the_same_number_of_queries_however_long(counted, model):
    of_three, of_six = counted
    assert of_three[model] == of_six[model]
