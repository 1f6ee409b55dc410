"""Adding payment methods: the gateway stores the token, and no card number is stored anywhere."""

import logging
import re

import pytest
from django.apps import apps

from accounts.models import Event, PaymentMethod
from billing_site.errors import BillingError
from invoices.gateways.sandbox import SandboxGateway
from invoices.kinds import AttemptStatus
from invoices.models import CollectionAttempt
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.money.payment_methods import add_payment_method
from tests.support.accounts_api import API, with_key
from tests.support.billing import JAN_10, bill
from tests.support.factories import AccountFactory, ClientFactory, ContactFactory, an_account

CARD = "4242424242424242"


class Keeping(SandboxGateway):
    """A gateway that returns another token than it gets, and records for whom."""

    holders = []

    def keep_token(self, token, holder):
        self.holders.append(holder)
        return f"kept_{token}"


class Silent(SandboxGateway):
    def keep_token(self, token, holder):
        raise TimeoutError(f"no answer on {token}")


@pytest.fixture
def keeping(settings):
    settings.GATEWAYS = {"sandbox": f"{__name__}.Keeping"}
    Keeping.holders.clear()
    return Keeping.holders


def post(api, account, **fields):
    return api.post(f"{API}/payment-methods/", {"acct_no": account.pk, "type": "card", **fields}, format="json")


def everything_stored():
    return "\n".join(str(row) for model in apps.get_models() for row in model._base_manager.values_list())


def test_the_token_that_the_gateway_gives_is_stored_and_the_event_does_not_tell_it(acme, key_caller, keeping):
    account = AccountFactory(client=acme, client_acct_id="A-17")
    method = add_payment_method(
        client=acme, account_no=account.pk, caller=key_caller, type="card", token="tok_1", label="Visa ending 4242"
    )
    assert PaymentMethod.objects.get() == method
    assert (method.token, method.label) == ("kept_tok_1", "Visa ending 4242")
    event = Event.objects.get(act="payment_method.added")
    assert (event.account_id, event.api_key, event.error_code) == (account.pk, key_caller.api_key, 0)
    assert event.after == {"payment_method": method.pk, "type": "card", "label": "Visa ending 4242"}
    assert keeping == [(account.pk, "A-17", "", "")]


def test_the_gateway_is_told_the_billing_contact_and_the_token_that_it_kept_last(acme, process, keeping):
    account = AccountFactory(client=acme)
    ContactFactory(account=account)
    ContactFactory(account=account, contact_no=2, role="billing", name="Bea", email="bea@example.org")
    for token in ("tok_1", "tok_2"):
        add_payment_method(client=acme, account_no=account.pk, caller=process, type="card", token=token)
    assert keeping == [
        (account.pk, "Bea", "bea@example.org", ""),
        (account.pk, "Bea", "bea@example.org", "kept_tok_1"),
    ]


@pytest.mark.parametrize(("type", "token"), [("mailed_check", ""), ("mailed_check", "drawer 3"), ("card", "")])
def test_what_no_gateway_collects_by_is_stored_unasked(acme, process, keeping, type, token):
    account = AccountFactory(client=acme)
    add_payment_method(client=acme, account_no=account.pk, caller=process, type=type, token=token)
    assert (PaymentMethod.objects.get().token, keeping) == (token, [])


@pytest.mark.parametrize(
    ("token", "why"),
    [("sandbox_expired", "The token has expired"), ("tok_of_another", "The token is unknown")],
)
def test_a_token_that_the_gateway_refuses_leaves_an_event_only(acme, process, token, why):
    account = AccountFactory(client=acme)
    with pytest.raises(BillingError) as refused:
        add_payment_method(client=acme, account_no=account.pk, caller=process, type="card", token=token)
    assert (refused.value.code.number, refused.value.field) == (90020, "token")
    assert refused.value.message == f"The payment gateway did not accept this token: {why}"
    assert not PaymentMethod.objects.exists()
    event = Event.objects.get()
    assert (event.act, event.account_id, event.error_code) == ("payment_method.refused", account.pk, 90020)
    assert token not in everything_stored()


def test_a_gateway_that_does_not_answer_is_said_and_nothing_is_stored(acme, process, settings, caplog):
    settings.GATEWAYS = {"sandbox": f"{__name__}.Silent"}
    account = AccountFactory(client=acme)
    with pytest.raises(BillingError) as refused:
        add_payment_method(client=acme, account_no=account.pk, caller=process, type="card", token="tok_secret")
    assert refused.value.code.number == 90020
    assert (
        refused.value.message == "The payment gateway did not accept this token: the payment gateway does not "
        "answer; try again later"
    )
    assert not PaymentMethod.objects.exists()
    assert "tok_secret" not in everything_stored() + caplog.text
    assert "TimeoutError" in caplog.text


def test_another_clients_account_is_not_there(acme, process):
    theirs = AccountFactory(client=ClientFactory(name="Umbra"))
    with pytest.raises(BillingError) as refused:
        add_payment_method(client=acme, account_no=theirs.pk, caller=process, type="card", token="sandbox_approved")
    assert (refused.value.code.number, PaymentMethod.objects.count()) == (1009, 0)


def test_the_api_adds_through_the_gateway_and_answers_what_was_stored(acme, keeping):
    account = AccountFactory(client=acme)
    answer = post(with_key(acme), account, token="tok_1", label="Visa ending 4242")
    assert answer.status_code == 201
    method = PaymentMethod.objects.get()
    assert answer.json() == {
        "id": method.pk,
        "acct_no": account.pk,
        "type": "card",
        "token": "kept_tok_1",
        "label": "Visa ending 4242",
        "mandate_reference": "",
        "debited_account": "",
        "card_digits": "",
        "card_network": "",
        "card_holder": "",
        "is_default": False,
        "is_disabled": False,
    }


def test_the_api_answers_why_a_token_is_refused(acme):
    answer = post(with_key(acme), AccountFactory(client=acme), token="sandbox_expired")
    message = "The payment gateway did not accept this token: The token has expired"
    assert answer.status_code == 400
    assert answer.json() == {"error_code": 90020, "error_msg": message, "errors": {"token": [message]}}


@pytest.mark.parametrize("gateway", ["sandbox", "stripe"])
@pytest.mark.parametrize(
    "fields",
    [
        {"token": CARD},
        {"token": "4242 4242 4242 4242"},
        {"token": "4242-4242-4242-4242", "type": "bank_transfer"},
        {"token": f"card:{CARD}"},
        {"token": "", "label": CARD},
        {"token": "sandbox_approved", "label": "4242 4242 4242 4242"},
        {"token": CARD, "type": "mailed_check"},
        {"type": CARD},
    ],
)
def test_no_card_number_comes_to_rest_in_a_table_or_a_log(acme, settings, caplog, gateway, fields):
    caplog.set_level(logging.DEBUG)
    settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = "sk_test_12345", "http://localhost:9"
    acme.gateway = gateway
    acme.save()
    answer = post(with_key(acme), AccountFactory(client=acme), **fields)
    assert answer.status_code == 400
    assert not PaymentMethod.objects.exists()
    assert CARD not in re.sub(r"[ -]", "", everything_stored())
    assert CARD not in re.sub(r"[ -]", "", caplog.text)


def test_a_token_that_was_not_kept_by_the_gateway_is_declined_when_it_is_charged(acme, process):
    account = an_account(acme)
    PaymentMethod.objects.create(account=account, type="card", token="tok_imported")
    invoice = bill(account, process, JAN_10)
    collect_invoices(client=acme, invoice_nos=[invoice.pk], caller=process, today=JAN_10)
    attempt = CollectionAttempt.objects.get()
    assert (attempt.status, attempt.proc_status_code) == (AttemptStatus.DECLINED, "unknown_token")
