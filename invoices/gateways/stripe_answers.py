"""PURE: what Stripe's objects say, in our words. Stripe leaves out what it does not know, so every part may be missing."""

from decimal import Decimal
from typing import Any

from invoices.gateways.protocol import Answer, ChargeRequest, News, RefundRequest, Result, UnexpectedAnswer

KEY = "idempotency_key"
"""Under this name our key stands in the metadata of what we ask for."""

ZERO_DECIMAL = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}
)
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
"""The last of the three has to be 0. All other currencies have two decimals at Stripe: also those that ISO 4217 or CLDR count
in whole units, such as isk and ugx."""

CVV = {"pass": "M", "fail": "N", "unavailable": "U"}
AVS = {
    ("pass", "pass"): "Y",
    ("pass", "fail"): "A",
    ("fail", "pass"): "Z",
    ("pass", None): "A",
    (None, "pass"): "Z",
    ("fail", "fail"): "N",
    ("fail", None): "N",
    (None, "fail"): "N",
}
"""By what came of the checks of street and postal code."""

CAVV = {
    "authenticated": "2",
    "attempt_acknowledged": "3",
    "failed": "1",
    "processing_error": "0",
    "not_supported": "6",
}
"""Visa's codes for what came of 3-D Secure."""

AWAITS_CUSTOMER = frozenset({"requires_action", "requires_confirmation", "requires_payment_method"})
"""An intent in these states can still succeed, if somebody goes on with it."""


class NotChargeable(Exception):
    """An amount that Stripe cannot charge in its currency."""


def at(value: Any, *path: str) -> Any:
    """A part of one of Stripe's objects; None where something on the way to it is missing."""
    for name in path:
        value = getattr(value, name, None)
    return value


def units(amount: Decimal, currency: str) -> int:
    """The amount in Stripe's units of its currency."""
    whole = amount.scaleb(_places(currency))
    if whole != whole.to_integral_value() or (currency in THREE_DECIMAL and whole % 10):
        raise NotChargeable(f"Stripe cannot charge {amount.normalize():f} {currency}: the amount has too many decimals.")
    return int(whole)


def amount_of(whole: int, currency: str) -> Decimal:
    """What so many of Stripe's units are."""
    return Decimal(whole).scaleb(-_places(currency))


def _places(currency: str) -> int:
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def declined(code: str, text: str, reference: str = "") -> Answer:
    return Answer(Result.DECLINED, reference=reference, status_code=code, status_text=text)


def with_checks(answer: Answer, charge: Any) -> Answer:
    """The answer with what a charge says of the card."""
    card = at(charge, "payment_method_details", "card")
    street, postal = at(card, "checks", "address_line1_check"), at(card, "checks", "address_postal_code_check")
    unavailable = "U" if "unavailable" in (street, postal) else ""
    return answer._replace(
        auth_code=at(card, "authorization_code") or "",
        cvv_response=CVV.get(at(card, "checks", "cvc_check") or "", ""),
        avs_response=AVS.get((_checked(street), _checked(postal)), unavailable),
        cavv_response=CAVV.get(at(card, "three_d_secure", "result") or "", ""),
    )


def _checked(check: str | None) -> str | None:
    return check if check in ("pass", "fail") else None


def answer_to_charge(intent: Any, charge: Any = None) -> Answer:
    """What came of a charge, as its intent stands; `charge` is its latest one, if it is at hand. UNKNOWN where the intent can
    still succeed."""
    error = at(intent, "last_payment_error")
    if intent.status == "succeeded":
        text = at(charge, "outcome", "seller_message") or "Payment complete."
        answer = Answer(Result.DONE, status_code="succeeded", status_text=text)
    elif intent.status == "canceled":
        answer = declined("canceled", "The payment was cancelled.")
    else:
        answer = Answer(Result.UNKNOWN, status_code=intent.status)
    if error is not None and intent.status in ("requires_payment_method", "canceled"):
        answer = _failed(error)
    return with_checks(answer._replace(reference=intent.id), charge)


def declined_by(error: Any, charge: Any = None) -> Answer:
    """The answer to a charge that Stripe refused with an error."""
    parts = at(error, "error")
    answer = declined(
        at(parts, "decline_code") or error.code or "card_declined",
        error.user_message or "The card was declined.",
        at(parts, "payment_intent", "id") or "",
    )
    return with_checks(answer, charge)


def _failed(error: Any) -> Answer:
    return declined(
        at(error, "decline_code") or at(error, "code") or "card_declined", at(error, "message") or "The card was declined."
    )


def answer_to_refund(refund: Any) -> Answer:
    """A refund that is pending may still fail."""
    if refund.status == "succeeded":
        return Answer(Result.DONE, reference=refund.id, status_code="succeeded", status_text="Refunded")
    if refund.status in ("failed", "canceled"):
        reason = at(refund, "failure_reason") or refund.status
        return declined(reason, f"The refund {'failed' if refund.status == 'failed' else 'was cancelled'}: {reason}", refund.id)
    return Answer(Result.UNKNOWN, reference=refund.id, status_code=refund.status or "")


def news_of_charge(intent: Any) -> News | None:
    """What an intent says of itself in a message; None where it is none of ours."""
    return _news(intent, charged(intent), answer_to_charge(intent, at(intent, "latest_charge")))


def news_of_refund(refund: Any) -> News | None:
    return _news(refund, refund.amount, answer_to_refund(refund))


def _news(said: Any, whole: int, answer: Answer) -> News | None:
    key = at(said, "metadata", KEY)
    return News(key, amount_of(whole, said.currency), said.currency, answer) if key else None


def charged(intent: Any) -> int:
    """What came in; of an intent that has not succeeded, what it is for."""
    received = at(intent, "amount_received") if intent.status == "succeeded" else None
    return int(intent.amount if received is None else received)


def check_same(whole: int, currency: str, asked: ChargeRequest | RefundRequest) -> None:
    """Nothing is taken for an answer that is of another amount than was asked."""
    if (amount_of(whole, currency), currency) != (asked.amount, asked.currency):
        raise UnexpectedAnswer("the amount is not the requested amount")
