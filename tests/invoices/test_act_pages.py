"""The pages for acts on money: what they preview is what is done, and nothing else; who may not act is not offered it."""

import re
from decimal import Decimal as D

import pytest
import time_machine
from django.urls import reverse

from accounts.models import Contact, Event
from billing_site.errors import BillingError
from invoices.models import LedgerEntry, RequestedAct
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo, preview_memo
from invoices.services.correcting.write_offs import preview_write_off, write_off
from invoices.services.money.ledger.payments import (
    add_cash_credit,
    apply_unused_credit,
    preview_application,
    preview_cash_credit,
    preview_payment,
    record_external_payment,
)
from invoices.services.money.ledger.refunds import preview_refund, refund_payment
from invoices.services.money.ledger.voids import preview_void, void_transaction
from tests.support.act_pages import seen_on, send
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.factories import BY_TEST, ClientFactory, TaxRateFactory, a_plan, an_account
from tests.support.invoice_pages import reader
from tests.support.paying import WHY, due, unapplied
from tests.support.payments import pay, refused_as, rows

MAY = ("view_invoice", "view_account", "view_ledgerentry", "collect_money", "correct_money")
MOVED = (90003, None)


@pytest.fixture(autouse=True)
def on_the_last_of_january():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False):
        yield


@pytest.fixture
def account(acme):
    """Two open invoices of 33.00, tax included."""
    TaxRateFactory(client=acme)
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    account.january, account.february = bill(account, BY_TEST, JAN_10), bill(account, BY_TEST, FEB_10)
    return account


@pytest.fixture
def staff(acme):
    return reader(acme, permissions=MAY)


def test_a_payment_does_what_was_previewed(account, staff, audited):
    address = reverse("record-payment", args=[account.pk])
    fields = {"amount": "50", "type": "bank_transfer", "received_on": "2026-01-31", "invoice": [account.february.pk]}
    answer = send(staff, address, **fields)
    assert "The payment of $50.00 is recorded. $33.00 pays INV-000002. $17.00 pays INV-000001." in answer.content.decode()
    assert (due(account.january), due(account.february)) == (D("16.00"), D("0.00"))
    assert LedgerEntry.objects.get(kind="payment").amount == D("-50.00")


def test_a_confirmed_form_that_is_sent_again_is_done_once(account, staff):
    address = reverse("record-payment", args=[account.pk])
    fields = {"amount": "5", "type": "cash", "received_on": "2026-01-31"}
    seen = seen_on(staff.post(address, {**fields, "act": "preview"}))
    sent = {**fields, "seen": seen, "once": "c" * 32}
    first, second = staff.post(address, sent), staff.post(address, sent)
    assert (first.status_code, second.status_code, first["Location"]) == (302, 302, second["Location"])
    assert LedgerEntry.objects.filter(kind="payment").count() == 1


PREVIEWS = {
    "record-payment": {"amount": "40", "type": "cash", "received_on": "2026-01-31"},
    "give-cash-credit": {"amount": "40", "reason": "1"},
    "credit-lines": {"part-1": "10", "reason": "1", "comments": "agreed"},
    "write-off": {"amount": "13", "reason": "1"},
    "dispute": {"amount": "13", "reason": "1"},
    "refund": {"amount": "20", "reason": "1"},
    "void-transaction": {"reason": "5"},
    "apply-credit": {},
}


def address_of(name, account, payment):
    about = {"record-payment": account.pk, "give-cash-credit": account.pk}
    if name in ("credit-lines", "write-off", "dispute"):
        return reverse(name, args=[account.january.pk])
    return reverse(name, args=[about.get(name, payment.pk)])


def a_payment(name, account):
    """A payment of the January invoice. If the act applies it, the invoice is credited and the payment is kept as credit."""
    if name != "apply-credit":
        return pay(account, BY_TEST, "20")
    payment = pay(account, BY_TEST, "33")
    memo = create_credit_memo(
        client=account.client,
        invoice_no=account.january.pk,
        caller=BY_TEST,
        today=JAN_31,
        why=WHY,
        credit=CreditRequest(everything=True),
        credit_to="keep_as_credit",
    )
    assert memo.total_amount == D("-33.00") and unapplied(account) == D("33.00")
    return payment


@pytest.mark.parametrize("name", PREVIEWS)
def test_an_act_is_done_as_it_was_seen_and_only_then(account, staff, name, audited):
    address = address_of(name, account, a_payment(name, account))
    before = rows()
    unseen = staff.post(address, {**PREVIEWS[name], "once": "a" * 32})
    assert unseen.status_code == 200 and "Nothing was written yet" in unseen.content.decode()
    stale = staff.post(address, {**PREVIEWS[name], "seen": "0" * 32, "once": "b" * 32})
    assert stale.status_code == 409
    assert rows() == before
    assert send(staff, address, **PREVIEWS[name]).redirect_chain
    assert rows() != before


def refusals(account, payment):
    """Each service with a preview that is not the act's."""
    by = {"client": account.client, "caller": BY_TEST, "today": JAN_31, "seen": "0" * 32}
    invoice = {"invoice_no": account.january.pk, "why": WHY, **by}
    yield record_external_payment, {"account_no": account.pk, "amount": D(5), "type": "cash", **by}
    yield add_cash_credit, {"account_no": account.pk, "amount": D(5), "why": WHY, **by}
    yield create_credit_memo, {"credit": CreditRequest(everything=True), **invoice}
    yield write_off, {"everything": True, **invoice}
    yield refund_payment, {"transaction_id": payment.pk, "everything": True, "why": WHY, **by}
    yield void_transaction, {"transaction_id": payment.pk, "reason_code": 5, **by}
    yield apply_unused_credit, {"transaction_id": payment.pk, **by}


def test_services_refuse_what_was_not_seen(account):
    payment = pay(account, BY_TEST, "20")
    before = rows()
    for service, given in refusals(account, payment):
        assert refused_as(service, **given) == MOVED, service
    assert rows() == before
    assert Event.objects.filter(act="money.refused", error_code=90003).count() == 7


def test_previews_say_what_the_acts_do(account):
    payment = pay(account, BY_TEST, "20")
    client, invoice = {"client": account.client}, {"client": account.client, "invoice_no": account.january.pk, "today": JAN_31}
    before = rows()
    paid = preview_payment(**client, account_no=account.pk, today=JAN_31, amount=D("50"), type="cash")
    assert [(one.charge.invoice_no, one.amount, one.left) for one in paid.paid] == [
        (account.january.pk, D("13.00"), D("0.00")),
        (account.february.pk, D("33.00"), D("0.00")),
    ]
    assert (paid.unapplied, paid.balance) == (D("4.00"), D("-4.00"))
    credit = preview_cash_credit(**client, account_no=account.pk, amount=D("5"), pays=[account.february.pk])
    assert [(one.charge.invoice_no, one.left) for one in credit.paid] == [(account.february.pk, D("28.00"))]
    memo = preview_memo(**invoice, credit=CreditRequest({1: None}))
    assert (memo.plan.total_amount, memo.due, memo.left, memo.released) == (D("33.00"), D("13.00"), D("0"), D("20.00"))
    assert preview_write_off(**invoice, amount=D("3")).left == D("10.00")
    refund = preview_refund(**client, transaction_id=payment.pk, amount=D("15"))
    assert (refund.unapplied, [amount for _, amount in refund.released], refund.left) == (0, [D("15.00")], D("5.00"))
    void = preview_void(**client, transaction_id=payment.pk)
    assert (void.amount, [amount for _, amount in void.released]) == (D("20.00"), [D("20.00")])
    assert refused_as(preview_application, **client, transaction_id=payment.pk) == (90435, "transaction_id")
    assert rows() == before


def test_an_act_for_two_persons_is_requested_and_told(account, staff):
    account.client.four_eyes = "another_person"
    account.client.save()
    answer = send(staff, reverse("give-cash-credit", args=[account.pk]), amount="5", reason="1")
    assert answer.redirect_chain[-1][0] == reverse("account", args=[account.pk])
    assert f"request {RequestedAct.objects.get().pk}" in answer.content.decode()
    assert unapplied(account) == 0 and due(account.january) == D("33.00")


@pytest.mark.parametrize("name", PREVIEWS)
def test_other_clients_and_roles_have_no_page_for_an_act(account, name):
    payment = pay(account, BY_TEST, "20")
    address = address_of(name, account, payment)
    stranger = reader(ClientFactory(), permissions=MAY, name="stranger")
    viewer = reader(account.client, permissions=MAY[:3], name="viewer")
    assert (stranger.get(address).status_code, stranger.post(address).status_code) == (404, 404)
    assert (viewer.get(address).status_code, viewer.post(address).status_code) == (403, 403)
    for page in (reverse("account", args=[account.pk]), reverse("invoice", args=[account.january.pk])):
        assert address.encode() not in viewer.get(page).content


def test_acts_are_offered_on_the_account_and_its_invoices(account, staff):
    payment = a_payment("apply-credit", account)
    shown = staff.get(reverse("account", args=[account.pk])).content.decode()
    for name in ("record-payment", "give-cash-credit", "refund", "void-transaction", "apply-credit"):
        assert f'href="{address_of(name, account, payment)}"' in shown
    assert "$33.00 unapplied" in shown
    assert (
        f'href="{reverse("credit-lines", args=[account.february.pk])}"'
        in staff.get(reverse("invoice", args=[account.february.pk])).content.decode()
    )


def test_acts_that_would_be_refused_are_not_offered(account, staff):
    """70.00 pays both invoices, and 4.00 is unapplied. A part of it is refunded, so it cannot be voided."""
    payment = pay(account, BY_TEST, "70")
    page = reverse("account", args=[account.pk])
    assert f'href="{address_of("apply-credit", account, payment)}"' not in staff.get(page).content.decode()
    refused = staff.get(address_of("apply-credit", account, payment)).content.decode()
    assert "The credit pays no invoice: the account has no open invoice." in refused and "Nothing was written" not in refused
    refund = address_of("refund", account, payment)
    assert staff.get(refund).context["form"].initial["amount"] == "4.00"
    done = send(staff, refund, amount="4", reason="1").content.decode()
    assert "is refunded. Pay it to the customer yourself." in done and "$4.00 refunded" in done
    void = address_of("void-transaction", account, payment)
    assert f'href="{void}"' not in done and f'href="{refund}"' in done
    assert "void the refund first.</strong></div>" in staff.get(void).content.decode()
    again = staff.post(void, {"reason": "5"})
    assert again.status_code == 422 and "void the refund first.</strong> Nothing was written." in again.content.decode()
    assert staff.get(refund).context["form"].initial["amount"] == "66.00"
    whole = send(staff, refund, amount="66", reason="1").content.decode()
    assert "$70.00 refunded" in whole and f'href="{refund}"' not in whole


@pytest.mark.parametrize(("currency", "rate", "typed"), [("jpy", "3000", "3000"), ("kwd", "3.125", "3.125")])
def test_amounts_have_the_decimals_of_their_currency(acme, staff, currency, rate, typed):
    account = an_account(acme, a_plan(acme, {"phone": rate}, currency=currency), currency=currency)
    bill(account, BY_TEST, JAN_10)
    address = reverse("record-payment", args=[account.pk])
    assert f'name="amount" value="{typed}"' in staff.get(address).content.decode()
    wrong = staff.post(address, {"amount": "0.5555", "type": "cash", "received_on": "2026-01-31", "act": "preview"})
    assert "is not a multiple of the smallest unit" in wrong.content.decode()


def test_an_amount_is_read_as_the_readers_language_writes_it(account, staff):
    sent = {"amount": "12,50", "type": "cash", "received_on": "2026-01-31", "act": "preview"}
    address = reverse("record-payment", args=[account.pk])
    german = staff.post(address, sent, headers={"Accept-Language": "de"}).content.decode()
    assert "12,50\xa0$" in german and "20,50\xa0$" in german
    assert "seen" not in re.findall(r'name="(\w+)"', staff.post(address, sent).content.decode())


def test_a_statement_is_sent_again_to_another_contact(account, acme, mailoutbox):
    Contact.objects.create(account=account, contact_no=2, name="Bob", email="bob@example.org")
    biller = reader(acme, permissions=("view_invoice", "view_account", "send_statement"), name="biller")
    address = reverse("send-statement", args=[account.january.pk])
    assert address in biller.get(reverse("invoice", args=[account.january.pk])).content.decode()
    assert "Bob, bob@example.org" in biller.post(address, {"contact": "2", "act": "preview"}).content.decode()
    assert mailoutbox == []
    assert "The statement is sent to bob@example.org." in send(biller, address, contact="2").content.decode()
    assert [mail.to for mail in mailoutbox] == [["bob@example.org"]]
    viewer = reader(acme, permissions=MAY[:3], name="viewer")
    assert viewer.get(address).status_code == 403
    assert reader(ClientFactory(), permissions=MAY, name="stranger").get(address).status_code == 404


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ("-1", "line 1: -1 is not above 0"),
        ("1.001", "line 1: 1.001 is not a multiple of the smallest unit of usd, 0.01"),
        ("99", "only 30 can still be credited of line 1"),
    ],
)
def test_a_refused_amount_of_a_line_names_the_line(account, staff, part, why):
    address = reverse("credit-lines", args=[account.january.pk])
    answer = staff.post(address, {"part-1": part, "reason": "1", "comments": "agreed", "act": "preview"})
    assert why in answer.content.decode() and "lines:" not in answer.content.decode()


@pytest.mark.parametrize(
    ("act", "fields", "message"),
    [
        ("record-payment", {"amount": "12,505", "type": "cash", "received_on": "2026-01-31"}, "12,505 ist kein Vielfaches"),
        ("record-payment", {"amount": "12,505", "type": "cash", "received_on": "2026-01-31"}, ", 0,01"),
        ("write-off", {"amount": "9999", "reason": "1"}, "Nur 30,90 sind auf Rechnung"),
        ("refund", {"amount": "9999", "reason": "1"}, "Nur 30,90 von Zahlung"),
    ],
)
def test_a_refusal_writes_amounts_in_the_readers_language(account, staff, act, fields, message):
    """With the decimals of their currency: 30.90 are open on the invoice, and the second payment is of 30.90."""
    pay(account, BY_TEST, "2.10", invoices={account.january: "2.10"})
    payment = pay(account, BY_TEST, "30.90", invoices={account.february: "30.90"})
    address = address_of(act, account, payment)
    text = staff.post(address, {**fields, "act": "preview"}, headers={"accept-language": "de"}).content.decode()
    assert message in text


def test_programs_are_answered_with_a_point_and_the_decimals_of_the_currency(account):
    payment = pay(account, BY_TEST, "30.90")
    with pytest.raises(BillingError) as refused:
        refund_payment(client=account.client, transaction_id=payment.pk, caller=BY_TEST, today=JAN_31, why=WHY, amount=D(99))
    assert f"only 30.90 of payment {payment.pk} can still be refunded" in refused.value.message
