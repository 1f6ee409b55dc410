"""What is read out of Stripe's objects: answers recorded from Stripe's documentation, as the objects of its own library."""

from decimal import Decimal as D

import pytest
import stripe

from invoices.gateways.protocol import ChargeRequest, RefundRequest, Result, UnexpectedAnswer
from invoices.gateways.stripe import StripeGateway
from invoices.gateways.stripe_answers import (
    NotChargeable,
    amount_of,
    answer_to_charge,
    answer_to_refund,
    declined_by,
    units,
)

PAID_CHARGE = {
    "id": "ch_1",
    "object": "charge",
    "status": "succeeded",
    "outcome": {"network_status": "approved_by_network", "seller_message": "Payment complete.", "type": "authorized"},
    "payment_method_details": {
        "type": "card",
        "card": {
            "authorization_code": "123456",
            "brand": "visa",
            "last4": "4242",
            "checks": {"address_line1_check": "pass", "address_postal_code_check": "pass", "cvc_check": "pass"},
            "three_d_secure": {"authentication_flow": "frictionless", "result": "authenticated", "version": "2.2.0"},
        },
    },
}
REQUEST = ChargeRequest("invoice-7-1-k", D("10.50"), "usd", "cus_1/pm_1", 1, 7)


def intent(**parts):
    values = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1050,
        "amount_received": 1050 if parts.get("status", "succeeded") == "succeeded" else 0,
        "currency": "usd",
        "status": "succeeded",
        "latest_charge": "ch_1",
        "last_payment_error": None,
        "metadata": {"idempotency_key": REQUEST.key},
        **parts,
    }
    return stripe.PaymentIntent.construct_from(values, "sk_test_1")


def charge(**card):
    details = PAID_CHARGE["payment_method_details"]
    parts = {**PAID_CHARGE, "payment_method_details": {**details, "card": {**details["card"], **card}}}
    return stripe.Charge.construct_from(parts, "sk_test_1")


def card_error(status=402, **error):
    error = {"type": "card_error", "message": "Your card has insufficient funds.", **error}
    return stripe.CardError(
        error["message"], None, error.get("code"), http_status=status, json_body={"error": error}, headers={}
    )


class Recorded(StripeGateway):
    """The gateway at a Stripe that says what was recorded: the answers by the request that brings them."""

    def __init__(self, **answers):
        self._api = _Api(answers)


class _Api:
    def __init__(self, answers):
        self._answers = answers
        self.asked = []

    def __getattr__(self, resource):
        return _Resource(self, resource)

    def answer(self, name, arguments):
        self.asked.append((name, *arguments))
        answer = self._answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer


class _Resource:
    def __init__(self, api, resource):
        self._api, self._resource = api, resource

    def __getattr__(self, verb):
        return lambda *arguments: self._api.answer(f"{self._resource}_{verb}", arguments)


# Amounts.


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("10.50", "usd", 1050),
        ("0.01", "eur", 1),
        ("500", "jpy", 500),
        ("500.0000", "jpy", 500),
        ("1.230", "kwd", 1230),
        ("99999999999.99", "usd", 9999999999999),
        ("5", "isk", 500),
        ("5", "ugx", 500),
        ("1200", "huf", 120000),
        ("1200", "idr", 120000),
        ("7", "mga", 7),
    ],
)
def test_amounts_in_stripes_units_and_back(amount, currency, expected):
    assert units(D(amount), currency) == expected
    assert amount_of(expected, currency) == D(amount)


@pytest.mark.parametrize(("amount", "currency"), [("10.505", "usd"), ("0.5", "jpy"), ("1.001", "kwd"), ("1.0001", "kwd")])
def test_amounts_that_stripe_cannot_charge(amount, currency):
    with pytest.raises(NotChargeable):
        units(D(amount), currency)


# Charges.


def test_a_charge_that_succeeded_says_what_the_checks_of_the_card_said():
    answer = answer_to_charge(intent(), charge())
    assert answer == (Result.DONE, "pi_1", "succeeded", "Payment complete.", "123456", "M", "Y", "2", "")


@pytest.mark.parametrize(
    ("checks", "cvv", "avs"),
    [
        ({"cvc_check": "fail", "address_line1_check": "fail", "address_postal_code_check": "fail"}, "N", "N"),
        ({"cvc_check": "unavailable", "address_line1_check": "unavailable", "address_postal_code_check": None}, "U", "U"),
        ({"cvc_check": "unchecked", "address_line1_check": "unchecked", "address_postal_code_check": "unchecked"}, "", ""),
        ({"cvc_check": None, "address_line1_check": None, "address_postal_code_check": "pass"}, "", "Z"),
        ({"cvc_check": "pass", "address_line1_check": "pass", "address_postal_code_check": "fail"}, "M", "A"),
        ({"cvc_check": "pass", "address_line1_check": "fail", "address_postal_code_check": "pass"}, "M", "Z"),
        ({}, "", ""),
        (None, "", ""),
    ],
)
def test_the_checks_of_a_card_in_the_letters_of_the_processors(checks, cvv, avs):
    answer = answer_to_charge(intent(), charge(checks=checks))
    assert (answer.cvv_response, answer.avs_response) == (cvv, avs)


@pytest.mark.parametrize(
    ("result", "cavv"), [("attempt_acknowledged", "3"), ("failed", "1"), ("not_supported", "6"), ("exempted", "")]
)
def test_what_came_of_authentication(result, cavv):
    assert answer_to_charge(intent(), charge(three_d_secure={"result": result})).cavv_response == cavv


@pytest.mark.parametrize("latest", [None, charge(three_d_secure=None), stripe.Charge.construct_from({"id": "ch_1"}, "k")])
def test_what_stripe_leaves_out_stays_empty(latest):
    answer = answer_to_charge(intent(), latest)
    assert (answer.result, answer.cavv_response) == (Result.DONE, "")


def test_a_declined_charge_has_stripes_decline_code_and_message():
    error = {"code": "card_declined", "decline_code": "insufficient_funds", "message": "Your card has insufficient funds."}
    answer = answer_to_charge(intent(status="requires_payment_method", last_payment_error=error))
    assert answer[:4] == (Result.DECLINED, "pi_1", "insufficient_funds", "Your card has insufficient funds.")


@pytest.mark.parametrize("status", ["processing", "requires_action", "requires_confirmation", "requires_capture", "new one"])
def test_what_can_still_succeed_is_unknown(status):
    assert answer_to_charge(intent(status=status)).result is Result.UNKNOWN


def test_an_error_of_the_card_names_the_decline_and_the_intent():
    error = card_error(code="card_declined", decline_code="insufficient_funds", payment_intent={"id": "pi_1"})
    assert declined_by(error)[:4] == (Result.DECLINED, "pi_1", "insufficient_funds", "Your card has insufficient funds.")


def test_an_error_without_details_is_declined_by_its_code():
    assert declined_by(card_error(code="expired_card"))[:3] == (Result.DECLINED, "", "expired_card")


def test_the_checks_of_a_declined_card_are_looked_up():
    error = card_error(code="incorrect_cvc", charge="ch_1", payment_intent={"id": "pi_1"})
    found = charge(checks={"cvc_check": "fail", "address_line1_check": None, "address_postal_code_check": "fail"})
    answer = Recorded(payment_intents_create=error, charges_retrieve=found).charge(REQUEST)
    assert (answer.status_code, answer.cvv_response, answer.avs_response) == ("incorrect_cvc", "N", "N")
    unreachable = Recorded(payment_intents_create=error, charges_retrieve=stripe.APIConnectionError("no")).charge(REQUEST)
    assert (unreachable.result, unreachable.status_code, unreachable.cvv_response) == (Result.DECLINED, "incorrect_cvc", "")


def test_a_charge_is_asked_for_under_our_key_without_the_customer_at_hand():
    gateway = Recorded(payment_intents_create=intent(latest_charge=charge()))
    assert gateway.charge(REQUEST).cvv_response == "M"
    ((_, asked, options),) = gateway._api.asked
    assert (asked["amount"], asked["currency"], asked["customer"], asked["payment_method"]) == (1050, "usd", "cus_1", "pm_1")
    assert (asked["confirm"], asked["off_session"], asked["expand"]) == (True, True, ["latest_charge"])
    assert asked["metadata"] == {"idempotency_key": REQUEST.key, "acct_no": "1", "invoice_no": "7"}
    assert options == {"idempotency_key": REQUEST.key}


def test_the_latest_charge_may_be_named_by_its_id_only():
    gateway = Recorded(payment_intents_create=intent(latest_charge="ch_1"), charges_retrieve=charge())
    assert gateway.charge(REQUEST).auth_code == "123456"


@pytest.mark.parametrize(
    "parts",
    [
        {"amount": 1051, "amount_received": 1051},
        {"currency": "eur"},
        {"amount_received": 1049},
        {"currency": "jpy", "amount": 1050},
    ],
)
def test_an_answer_of_another_amount_is_no_answer(parts):
    with pytest.raises(UnexpectedAnswer):
        Recorded(payment_intents_create=intent(**parts), charges_retrieve=charge()).charge(REQUEST)


@pytest.mark.parametrize(
    "error",
    [
        stripe.IdempotencyError("Keys for idempotent requests can only be used with the same parameters", http_status=400),
        stripe.APIError("There is currently another in-progress request using this Stripe idempotency key", http_status=409),
        stripe.APIConnectionError("timed out"),
        stripe.RateLimitError("too many", http_status=429),
        stripe.AuthenticationError("expired key", http_status=401),
    ],
)
def test_where_stripe_does_not_say_what_came_of_it_the_error_goes_on(error):
    with pytest.raises(type(error)):
        Recorded(payment_intents_create=error).charge(REQUEST)


@pytest.mark.parametrize(("code", "param"), [("resource_missing", "payment_method"), ("amount_too_small", "amount")])
def test_a_request_that_stripe_does_not_take_is_declined(code, param):
    error = stripe.InvalidRequestError("No such thing", param, code, http_status=400)
    answer = Recorded(payment_intents_create=error).charge(REQUEST)
    assert (answer.result, answer.status_code, answer.status_text) == (Result.DECLINED, code, "No such thing")


def test_a_charge_that_is_repeated_after_its_intent_was_cancelled_stays_declined():
    gateway = Recorded(
        payment_intents_create=intent(status="requires_action", latest_charge=None),
        payment_intents_cancel=stripe.InvalidRequestError("already canceled", "intent", "payment_intent_unexpected_state"),
        payment_intents_retrieve=intent(status="canceled", latest_charge=None),
    )
    answer = gateway.charge(REQUEST)
    assert (answer.result, answer.status_code) == (Result.DECLINED, "authentication_required")


def test_a_charge_that_succeeded_while_it_was_to_be_cancelled_is_done():
    gateway = Recorded(
        payment_intents_create=intent(status="requires_action", latest_charge=None),
        payment_intents_cancel=stripe.InvalidRequestError("has succeeded", "intent", "payment_intent_unexpected_state"),
        payment_intents_retrieve=intent(),
    )
    assert gateway.charge(REQUEST).result is Result.DONE


# Refunds.


def refund(**parts):
    return stripe.Refund.construct_from(
        {"id": "re_1", "object": "refund", "amount": 500, "currency": "usd", "status": "succeeded", **parts}, "sk_test_1"
    )


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("succeeded", Result.DONE),
        ("pending", Result.UNKNOWN),
        ("requires_action", Result.UNKNOWN),
        ("failed", Result.DECLINED),
        ("canceled", Result.DECLINED),
    ],
)
def test_what_came_of_a_refund(status, result):
    assert answer_to_refund(refund(status=status)).result is result


def test_a_failed_refund_says_why():
    answer = answer_to_refund(refund(status="failed", failure_reason="expired_or_canceled_card"))
    assert answer.status_code == "expired_or_canceled_card"
    assert answer.status_text == "The refund failed: expired_or_canceled_card"


def test_a_refund_bears_our_key_twice():
    gateway = Recorded(refunds_create=refund())
    gateway.refund(RefundRequest("refund-9-k", D("5.00"), "usd", "pi_1"))
    ((_, asked, options),) = gateway._api.asked
    assert asked == {"payment_intent": "pi_1", "amount": 500, "metadata": {"idempotency_key": "refund-9-k"}}
    assert options == {"idempotency_key": "refund-9-k"}


def test_a_refund_of_a_charge_that_was_refunded_at_stripe_is_declined():
    error = stripe.InvalidRequestError("Charge ch_1 has already been refunded.", "amount", "charge_already_refunded")
    answer = Recorded(refunds_create=error).refund(RefundRequest("refund-9-k", D("5.00"), "usd", "pi_1"))
    assert (answer.result, answer.status_code) == (Result.DECLINED, "charge_already_refunded")


def test_a_refund_of_another_amount_is_no_answer():
    with pytest.raises(UnexpectedAnswer):
        Recorded(refunds_create=refund(amount=499)).refund(RefundRequest("refund-9-k", D("5.00"), "usd", "pi_1"))
