"""PURE: translate Stripe's objects. Stripe leaves out what it does not know, so every part may be missing."""

from decimal import Decimal
from typing import Any

from invoices.gateways.protocol import Answer, ChargeRequest, News, RefundRequest, Result, UnexpectedAnswer

KEY = "idempotency_key"
"""The name of our key in Stripe's metadata."""

ZERO_DECIMAL = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}
)
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
"""Currencies whose third decimal must be 0. At Stripe all others have two decimals, also isk and ugx, which have none in ISO
4217 or CLDR."""

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
"""Aria's AVS code by the results of the street and postal code checks."""

CAVV = {
    "authenticated": "2",
    "attempt_acknowledged": "3",
    "failed": "1",
    "processing_error": "0",
    "not_supported": "6",
}
"""Visa's codes for the results of 3-D Secure."""

AWAITS_CUSTOMER = frozenset({"requires_action", "requires_confirmation", "requires_payment_method"})
"""States of an intent that can still succeed if somebody continues it."""


class NotChargeable(Exception):
    """An amount that Stripe cannot charge in its currency."""


def at(value: Any, *path: str) -> Any:
    """Return a nested part of a Stripe object, or None if a part of the path is missing."""
    for name in path:
        value = getattr(value, name, None)
    return value


def units(amount: Decimal, currency: str) -> int:
    """Return the amount in Stripe's units of its currency."""
    whole = amount.scaleb(_places(currency))
    if whole != whole.to_integral_value() or (currency in THREE_DECIMAL and whole % 10):
        raise NotChargeable(f"Stripe cannot charge {amount.normalize():f} {currency}: the amount has too many decimals.")
    return int(whole)


def amount_of(whole: int, currency: str) -> Decimal:
    """Return the amount of a number of Stripe's units."""
    return Decimal(whole).scaleb(-_places(currency))


def _places(currency: str) -> int:
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def declined(code: str, text: str, reference: str = "") -> Answer:
    return Answer(Result.DECLINED, reference=reference, status_code=code, status_text=text)


def with_checks(answer: Answer, charge: Any) -> Answer:
    """Return the answer with the card checks of a charge."""
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
    """Return the answer to a charge from its intent. `charge` is the latest charge, if known. UNKNOWN if the intent can
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
    """Return the answer to a charge that Stripe refused with an error."""
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
    """Return the answer to a refund. UNKNOWN if it is pending, because it may still fail."""
    if refund.status == "succeeded":
        return Answer(Result.DONE, reference=refund.id, status_code="succeeded", status_text="Refunded")
    if refund.status in ("failed", "canceled"):
        reason = at(refund, "failure_reason") or refund.status
        return declined(reason, f"The refund {'failed' if refund.status == 'failed' else 'was cancelled'}: {reason}", refund.id)
    return Answer(Result.UNKNOWN, reference=refund.id, status_code=refund.status or "")


def news_of_charge(intent: Any) -> News | None:
    """Return what a message says of a charge, or None if it is not ours."""
    return _news(intent, charged(intent), answer_to_charge(intent, at(intent, "latest_charge")))


def news_of_refund(refund: Any) -> News | None:
    return _news(refund, refund.amount, answer_to_refund(refund))


def _news(stripe_object: Any, whole: int, answer: Answer) -> News | None:
    key = at(stripe_object, "metadata", KEY)
    return News(key, amount_of(whole, stripe_object.currency), stripe_object.currency, answer) if key else None


def charged(intent: Any) -> int:
    """Return the received amount, or the intended amount if it has not succeeded, in Stripe's units."""
    received = at(intent, "amount_received") if intent.status == "succeeded" else None
    return int(intent.amount if received is None else received)


def check_same(whole: int, currency: str, request: ChargeRequest | RefundRequest) -> None:
    """Refuse an answer whose amount or currency differs from the request."""
    if (amount_of(whole, currency), currency) != (request.amount, request.currency):
        raise UnexpectedAnswer("the amount is not the requested amount")
