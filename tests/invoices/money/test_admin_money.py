"""Money in the admin: rows are read and lead to the pages that move money, and users without the right see no button."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.callers import Caller
from accounts.models import Account, PaymentMethod
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
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.payments import add_cash_credit
from invoices.services.money.ledger.refunds import request_refund
from tests.support.admin_money import add, refused, signed_in
from tests.support.admin_pages import act, add_url, change_url, decide, list_url, results, texts
from tests.support.billing import JAN_10, bill
from tests.support.factories import ClientFactory, an_account
from tests.support.money_races import no_findings
from tests.support.paying import billed, due
from tests.support.worlds import world_for_a_while

__all__ = ["signed_in"]

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def tenth_of_january():
    with time_machine.travel(datetime(2026, 1, 10, 12, tzinfo=UTC), tick=False):
        yield


def test_the_pages_of_money_are_read_and_lead_to_the_pages_that_move_it(acme, signed_in, process):
    account, invoice = billed(acme, process)
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_10)
    payment = Payment.objects.get()
    memo = create_credit_memo(
        invoice_no=invoice.pk,
        why=Why(1, "late"),
        credit=CreditRequest(lines={1: Decimal(10)}),
        client=acme,
        caller=process,
        today=JAN_10,
    )
    pages = {row: signed_in.get(change_url(row)).content.decode() for row in (account, payment, invoice)}
    links = {
        account: [("record-payment", account.pk), ("give-cash-credit", account.pk)],
        payment: [("refund", payment.pk), ("void-transaction", payment.pk)],
        invoice: [("rebill", invoice.pk)],
    }
    for row, names in links.items():
        for name, number in names:
            assert reverse(name, args=[number]) in pages[row] or row is invoice
    assert signed_in.get(change_url(CreditMemo.objects.get(pk=memo.pk))).status_code == 200
    assert memo.document_number in signed_in.get(list_url(CreditMemo)).content.decode()
    assert memo.document_number in pages[invoice]


def test_an_invoice_leads_to_its_acts(acme, signed_in, process):
    _account, invoice = billed(acme, process)
    page = signed_in.get(change_url(invoice)).content.decode()
    for name in ("credit-lines", "write-off", "dispute", "rebill"):
        assert reverse(name, args=[invoice.pk]) in page
    charge = LedgerEntry.objects.get(invoice=invoice)
    assert reverse("void-transaction", args=[charge.pk]) in page


@pytest.mark.parametrize("model", [Payment, Refund, CashCredit, WriteOff, Dispute, TransactionVoid, CreditMemo])
def test_nobody_moves_money_by_a_form_of_the_admin(signed_in, model):
    assert signed_in.get(add_url(model)).status_code == 403
    assert signed_in.post(add_url(model), {}).status_code == 403


def test_invoices_are_collected_from_the_list_with_what_came_of_each(acme, signed_in, process):
    _, good = billed(acme, process)
    _, declined = billed(acme, process, "sandbox_declined")
    _, silent = billed(acme, process, "sandbox_timeout_after")
    said = results(decide(signed_in, Invoice, "collect_selected", good.pk, declined.pk, silent.pk))
    assert said[0] == "4011 The payment was declined: The card was declined"
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
            who = {"client": acme, "caller": process, "today": JAN_10}
            add_cash_credit(account_no=account.pk, amount=Decimal(4), why=Why(1, ""), **who)
            create_credit_memo(invoice_no=invoice.pk, why=Why(1, "x"), credit=CreditRequest(amount=Decimal(1)), **who)
            request_refund(transaction_id=Payment.objects.latest("pk").pk, amount=Decimal(1), why=Why(1, ""), **who)
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
