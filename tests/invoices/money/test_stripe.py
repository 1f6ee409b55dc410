"""The Stripe gateway against a server that answers as Stripe does, from keeping a token to giving money back."""

import time
from decimal import Decimal as D

import pytest
from django.db import connection

from accounts.models import Event, PaymentMethod
from billing_site.errors import BillingError
from invoices.gateways.protocol import ChargeRequest, Holder, RefundRequest, Result, TokenRefused, UnexpectedAnswer
from invoices.gateways.stripe import StripeGateway
from invoices.kinds import AttemptStatus, EntryKind, RefundStatus
from invoices.models import CollectionAttempt, GatewayEvent, Payment
from invoices.services.collecting.collecting import collect_invoices, resume_collecting
from invoices.services.documents.collection_results import CollectionResult
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.refunds import refund_payment, resolve_refund
from invoices.services.money.payment_methods import add_payment_method
from tests.support.billing import JAN_10, bill
from tests.support.factories import ClientFactory, a_plan, an_account
from tests.support.localstripe import API_KEY, WEBHOOK_SECRET, card, deliver_to, running_localstripe, stripe_client
from tests.support.paying import WHY, due, ledger

CHARGED, DECLINED_AT_ONCE, DECLINED_WHEN_CHARGED = "4242424242424242", "4000000000000002", "4000000000000341"
NEEDS_AUTHENTICATION = "4000002760003184"


@pytest.fixture(scope="module")
def localstripe(tmp_path_factory):
    with running_localstripe(tmp_path_factory.mktemp("localstripe")) as address:
        yield address


@pytest.fixture(autouse=True)
def at_localstripe(localstripe, settings):
    settings.STRIPE_API_KEY, settings.STRIPE_API_BASE, settings.STRIPE_WEBHOOK_SECRET = API_KEY, localstripe, WEBHOOK_SECRET


@pytest.fixture
def stripe_acme(db):
    return ClientFactory(gateway="stripe")


@pytest.fixture
def gateway():
    return StripeGateway()


def kept(gateway, number=CHARGED, account_no=1):
    return gateway.keep_token(card(number), Holder(account_no, "Ada Byron", "ada@example.org"))


def asked(token, key, amount="30.00", currency="usd"):
    return ChargeRequest(key, D(amount), currency, token, 1, 7)


def with_method(client, caller, number=CHARGED, currency="usd", rate="30.00"):
    account = an_account(client, a_plan(client, {"phone": rate}, currency=currency), currency=currency)
    add_payment_method(client=client, account_no=account.pk, caller=caller, type="card", token=card(number))
    return account


def collect(client, caller, invoice):
    (outcome,) = collect_invoices(client=client, invoice_nos=[invoice.pk], caller=caller, today=JAN_10)
    return outcome


# Keeping tokens.


def test_a_token_is_kept_with_a_customer_that_names_the_account(gateway):
    customer, method = kept(gateway).split("/")
    made = stripe_client().customers.retrieve(customer)
    assert (made.name, made.email, made.metadata.acct_no) == ("Ada Byron", "ada@example.org", "1")
    assert stripe_client().payment_methods.retrieve(method).customer == customer


def test_the_accounts_next_token_is_kept_with_the_same_customer(gateway):
    first = kept(gateway)
    second = gateway.keep_token(card(CHARGED), Holder(1, "Ada Byron", kept=first))
    assert first.split("/")[0] == second.split("/")[0]
    assert first != second


def test_a_customer_that_stripe_has_lost_is_made_anew(gateway):
    first = kept(gateway)
    stripe_client().customers.delete(first.split("/")[0])
    second = gateway.keep_token(card(CHARGED), Holder(1, "Ada Byron", kept=first))
    assert gateway.charge(asked(second, "made anew")).result is Result.DONE


def test_a_payment_method_of_a_customer_made_elsewhere_is_the_accounts_from_now_on(gateway):
    customer = stripe_client().customers.create({"name": "Ada"}).id
    method = stripe_client().payment_methods.attach(card(CHARGED), {"customer": customer}).id
    assert gateway.keep_token(method, Holder(1, "Ada Byron")) == f"{customer}/{method}"
    assert gateway.keep_token(method, Holder(1, "Ada Byron")) == f"{customer}/{method}"
    with pytest.raises(TokenRefused, match="belongs to another customer"):
        gateway.keep_token(method, Holder(2, "Bea"))


@pytest.mark.parametrize("token", ["", "tok_visa", "sandbox_approved", CHARGED, f"card {CHARGED}", "pm_nothing/../x"])
def test_what_is_no_payment_method_is_refused_unasked(gateway, token):
    with pytest.raises(TokenRefused, match=r"^It is not a payment method of Stripe \(pm_\.\.\.\)\.$"):
        gateway.keep_token(token, Holder(1, "Ada Byron"))


def test_an_unknown_token_is_refused(gateway):
    with pytest.raises(TokenRefused, match="Not Found"):
        gateway.keep_token("pm_unknown", Holder(1, "Ada Byron"))


def test_a_card_that_is_declined_when_it_is_attached_is_refused_with_the_reason(stripe_acme, process):
    account = an_account(stripe_acme)
    with pytest.raises(BillingError) as refused:
        add_payment_method(client=stripe_acme, account_no=account.pk, caller=process, type="card", token=card(DECLINED_AT_ONCE))
    assert (refused.value.code.number, refused.value.field) == (90020, "token")
    assert refused.value.message == "The payment gateway did not accept this token: Your card was declined."
    assert not PaymentMethod.objects.exists()
    event = Event.objects.get(act="payment_method.refused")
    assert (event.account_id, event.error_code, event.message) == (account.pk, 90020, refused.value.message)


# Charging and giving back.


def test_a_charge_is_made_once_and_found_again(gateway):
    request = asked(kept(gateway), "found again")
    assert gateway.find_charge(request) is None
    answer = gateway.charge(request)
    assert (answer.result, answer.status_code) == (Result.DONE, "succeeded")
    made = stripe_client().payment_intents.retrieve(answer.reference)
    assert (made.amount, made.currency) == (3000, "usd")
    assert made.metadata.to_dict() == {"idempotency_key": "found again", "acct_no": "1", "invoice_no": "7"}
    assert gateway.find_charge(request) == answer
    assert gateway.find_charge(request._replace(key="another")) is None


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [("500", "jpy", 500), ("1.230", "kwd", 1230), ("5", "isk", 500), ("5", "ugx", 500), ("30.01", "eur", 3001)],
)
def test_amounts_are_charged_in_stripes_units_of_the_currency(gateway, amount, currency, units):
    answer = gateway.charge(asked(kept(gateway), f"in {currency}", amount, currency))
    made = stripe_client().payment_intents.retrieve(answer.reference)
    assert (answer.result, made.amount, made.currency) == (Result.DONE, units, currency)


def test_an_amount_that_stripe_cannot_charge_is_declined_unasked(gateway):
    answer = gateway.charge(asked(kept(gateway), "fine", "1.005", "kwd"))
    assert (answer.result, answer.status_code) == (Result.DECLINED, "amount_not_chargeable")
    assert answer.status_text == "Stripe cannot charge 1.005 kwd: the amount has too many decimals."


def test_a_charge_that_is_found_with_another_amount_is_no_answer(gateway):
    request = asked(kept(gateway), "another amount")
    gateway.charge(request)
    with pytest.raises(UnexpectedAnswer):
        gateway.find_charge(request._replace(amount=D("31.00")))


def test_a_declined_charge_says_why_and_is_found_as_declined(gateway):
    request = asked(kept(gateway, DECLINED_WHEN_CHARGED), "declined")
    answer = gateway.charge(request)
    assert (answer.result, answer.status_code) == (Result.DECLINED, "card_declined")
    assert answer.status_text == "Your card was declined."
    found = gateway.find_charge(request)
    assert (found.result, found.status_code) == (Result.DECLINED, "card_declined")
    assert stripe_client().payment_intents.retrieve(found.reference).status == "canceled"


def test_a_charge_that_needs_the_cards_owner_is_declined_and_cannot_succeed_later(gateway):
    answer = gateway.charge(asked(kept(gateway, NEEDS_AUTHENTICATION), "3ds"))
    assert (answer.result, answer.status_code) == (Result.DECLINED, "authentication_required")
    assert stripe_client().payment_intents.retrieve(answer.reference).status == "canceled"


@pytest.mark.parametrize("token", ["", "pm_card_visa", "sandbox_approved"])
def test_a_token_that_stripe_does_not_keep_is_declined(gateway, token):
    request = asked(token, "not kept")
    assert (gateway.find_charge(request), gateway.charge(request).status_code) == (None, "unknown_token")


def test_a_payment_method_that_is_gone_is_declined(gateway):
    customer = kept(gateway).split("/")[0]
    assert gateway.charge(asked(f"{customer}/pm_gone", "gone")).result is Result.DECLINED


def test_a_refund_is_made_and_found_among_others(gateway):
    charge = gateway.charge(asked(kept(gateway), "to be refunded"))
    request = RefundRequest("refund 1", D("10.00"), "usd", charge.reference)
    assert gateway.find_refund(request) is None
    stripe_client().refunds.create({"payment_intent": charge.reference, "amount": 1000})
    answer = gateway.refund(request)
    assert (answer.result, answer.status_code) == (Result.DONE, "succeeded")
    assert gateway.find_refund(request) == answer
    assert stripe_client().refunds.retrieve(answer.reference).amount == 1000
    with pytest.raises(UnexpectedAnswer):
        gateway.find_refund(request._replace(amount=D("9.00")))


def test_a_refund_of_what_was_never_charged_is_declined(gateway):
    assert gateway.refund(RefundRequest("refund 2", D("10.00"), "usd", "pi_unknown")).result is Result.DECLINED


def test_a_server_that_does_not_answer_raises(gateway, settings):
    token = kept(gateway)
    settings.STRIPE_API_BASE = "http://localhost:9"
    for ask in (StripeGateway().charge, StripeGateway().find_charge):
        with pytest.raises(Exception, match="communicating with Stripe"):
            ask(asked(token, "not answered"))


# Whole stories, through the services.


@pytest.mark.usefixtures("audited")
def test_an_invoice_is_collected_and_partly_refunded(stripe_acme, process):
    account = with_method(stripe_acme, process)
    invoice = bill(account, process, JAN_10)
    outcome = collect(stripe_acme, process, invoice)
    assert (outcome.result, outcome.amount, due(invoice)) == (CollectionResult.COLLECTED, D("30.00"), 0)
    payment = Payment.objects.get()
    assert (payment.gateway, payment.gateway_payment_id) == ("stripe", outcome.attempt.proc_payment_id)
    refund = refund_payment(
        client=stripe_acme, transaction_id=payment.pk, caller=process, today=JAN_10, why=WHY, amount=D("12.50")
    )
    assert (refund.status, refund.proc_status_code) == (RefundStatus.DONE, "succeeded")
    assert stripe_client().refunds.retrieve(refund.gateway_refund_id).amount == 1250
    assert ledger(account) == [
        (EntryKind.INVOICE, D("30.00"), D("30.00")),
        (EntryKind.ELECTRONIC_PAYMENT, D("-30.00"), D("0.00")),
        (EntryKind.ELECTRONIC_REFUND, D("12.50"), D("12.50")),
    ]


@pytest.mark.usefixtures("audited")
def test_a_declined_card_leaves_the_invoice_due_until_another_is_added(stripe_acme, process):
    account = with_method(stripe_acme, process, DECLINED_WHEN_CHARGED)
    invoice = bill(account, process, JAN_10)
    outcome = collect(stripe_acme, process, invoice)
    assert (outcome.result, outcome.error_code, due(invoice)) == (CollectionResult.DECLINED, 4011, D("30.00"))
    add_payment_method(client=stripe_acme, account_no=account.pk, caller=process, type="card", token=card(CHARGED))
    assert collect(stripe_acme, process, invoice).result is CollectionResult.COLLECTED
    customers = {method.token.split("/")[0] for method in account.payment_methods.all()}
    assert (len(customers), account_balance(account)) == (1, 0)


@pytest.mark.usefixtures("audited")
def test_a_lost_answer_is_asked_for_and_nothing_is_charged_or_refunded_twice(stripe_acme, process, settings):
    account = with_method(stripe_acme, process)
    invoice = bill(account, process, JAN_10)
    settings.GATEWAYS = {"stripe": "tests.support.localstripe.DeafStripe"}
    assert collect(stripe_acme, process, invoice).result is CollectionResult.UNKNOWN
    (outcome,) = resume_collecting(client=stripe_acme, caller=process, today=JAN_10)
    assert (outcome.result, due(invoice)) == (CollectionResult.COLLECTED, 0)
    customer = account.payment_methods.get().token.split("/")[0]
    assert [charge.amount for charge in stripe_client().charges.list({"customer": customer}).data] == [3000]
    payment = Payment.objects.get()
    refund = refund_payment(
        client=stripe_acme, transaction_id=payment.pk, caller=process, today=JAN_10, why=WHY, everything=True
    )
    assert refund.status == RefundStatus.ASKED
    refund = resolve_refund(refund, client=stripe_acme, caller=process, today=JAN_10)
    made = stripe_client().refunds.list({"payment_intent": payment.gateway_payment_id}).data
    assert (refund.status, [one.amount for one in made]) == (RefundStatus.DONE, [3000])


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="The server and the test would share SQLite's one connection")
def test_a_message_of_stripe_says_what_came_of_a_charge_whose_answer_was_lost(live_server, settings, process):
    client = ClientFactory(gateway="stripe")
    account = with_method(client, process)
    invoice = bill(account, process, JAN_10)
    deliver_to(f"{live_server.url}/webhooks/stripe/")
    settings.GATEWAYS = {"stripe": "tests.support.localstripe.DeafStripe"}
    assert collect(client, process, invoice).result is CollectionResult.UNKNOWN
    attempt = CollectionAttempt.objects.get()
    for _ in range(100):
        attempt.refresh_from_db()
        if attempt.status == AttemptStatus.COLLECTED:
            break
        time.sleep(0.1)
    assert (attempt.status, due(invoice)) == (AttemptStatus.COLLECTED, 0)
    assert attempt.payment.gateway_payment_id == attempt.proc_payment_id
    assert GatewayEvent.objects.filter(type="payment_intent.succeeded").exists()
    assert Event.objects.filter(act="collection.collected", process="stripe").count() == 1
