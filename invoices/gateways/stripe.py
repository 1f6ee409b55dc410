"""Stripe. Our token is the account's customer at Stripe and one of its payment methods: cus_1/pm_2.

A charge is an off-session PaymentIntent that is confirmed at once. Our key is its idempotency key: Stripe repeats the first
answer for at least a day. The key is also in its metadata, by which it can be found later.
"""

import re
from functools import cache
from typing import Any

import stripe
from django.conf import settings

from billing_site.errors import BillingError, ErrorCode
from invoices.gateways.protocol import (
    Answer,
    ChargeRequest,
    Holder,
    Message,
    News,
    RefundRequest,
    TokenRefused,
)
from invoices.gateways.stripe_answers import (
    AWAITS_CUSTOMER,
    KEY,
    NotChargeable,
    answer_to_charge,
    answer_to_refund,
    at,
    charged,
    check_same,
    declined,
    declined_by,
    news_of_charge,
    news_of_refund,
    units,
)

CONNECT_SECONDS, ANSWER_SECONDS = 5, 30
PAGE = 100

ACCOUNT = "acct_no"

CHARGE_MESSAGES = frozenset({"payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled"})
REFUND_MESSAGES = frozenset({"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"})
CHARGE_REFUNDED = "charge.refunded"


class StripeGateway:
    def __init__(self) -> None:
        self._api = _client(settings.STRIPE_API_KEY, settings.STRIPE_API_BASE).v1

    def keep_token(self, token: str, holder: Holder) -> str:
        """Attach a payment method to the account's customer at Stripe, and return our token. The first one creates the
        customer."""
        if not re.fullmatch(r"pm_[A-Za-z0-9_]+", token):
            raise TokenRefused("It is not a payment method of Stripe (pm_...).")
        try:
            method = self._api.payment_methods.retrieve(token)
            return f"{self._customer_with(method, holder)}/{method.id}"
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            text = (error.user_message or "Stripe did not accept it.").replace(token, "it")
            raise TokenRefused(text) from None

    def charge(self, request: ChargeRequest) -> Answer:
        customer, _slash, method = request.token.partition("/")
        if not method:
            return declined("unknown_token", "Stripe did not store the token.")
        try:
            intent = self._api.payment_intents.create(
                {
                    "amount": units(request.amount, request.currency),
                    "currency": request.currency,
                    "customer": customer,
                    "payment_method": method,
                    "confirm": True,
                    "off_session": True,
                    "metadata": {
                        KEY: request.key,
                        ACCOUNT: str(request.account_no),
                        "invoice_no": str(request.invoice_no),
                    },
                    "expand": ["latest_charge"],
                },
                {"idempotency_key": request.key},
            )
        except NotChargeable as error:
            return declined("amount_not_chargeable", str(error))
        except stripe.CardError as error:
            return declined_by(error, self._charge(at(error.error, "charge")))
        except stripe.InvalidRequestError as error:
            # Stripe checked the request and charges nothing: the payment method does not exist, or the amount is too small.
            return declined_by(error)
        return self._settled(intent, request, at(intent, "latest_charge"))

    def find_charge(self, request: ChargeRequest) -> Answer | None:
        """Search the customer's charges, newest first. An intent without a charge moved no money: return None, so that it is
        requested again."""
        customer, _slash, method = request.token.partition("/")
        if not method:
            return None
        charges = self._api.charges.list({"customer": customer, "limit": PAGE, "expand": ["data.payment_intent"]})
        for charge in charges.auto_paging_iter():
            intent = charge.payment_intent
            if at(intent, "metadata", KEY) == request.key:
                return self._settled(intent, request, charge)
        return None

    def refund(self, request: RefundRequest) -> Answer:
        try:
            refund = self._api.refunds.create(
                {
                    "payment_intent": request.payment_id,
                    "amount": units(request.amount, request.currency),
                    "metadata": {KEY: request.key},
                },
                {"idempotency_key": request.key},
            )
        except NotChargeable as error:
            return declined("amount_not_refundable", str(error))
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            return declined_by(error)
        check_same(refund.amount, refund.currency, request)
        return answer_to_refund(refund)

    def find_refund(self, request: RefundRequest) -> Answer | None:
        """Find our refund among those of the charge by the key in its metadata. Staff may have made others at Stripe."""
        refunds = self._api.refunds.list({"payment_intent": request.payment_id, "limit": PAGE})
        for refund in refunds.auto_paging_iter():
            if at(refund, "metadata", KEY) == request.key:
                check_same(refund.amount, refund.currency, request)
                return answer_to_refund(refund)
        return None

    def read_message(self, body: bytes, signature: str) -> Message:
        try:
            event = stripe.Webhook.construct_event(body, signature, settings.STRIPE_WEBHOOK_SECRET)
            return _message(event)
        except (stripe.SignatureVerificationError, ValueError, AttributeError, TypeError):
            raise BillingError(ErrorCode.EVENT_NOT_SIGNED) from None

    def _customer_with(self, method: stripe.PaymentMethod, holder: Holder) -> str:
        """Return the account's customer with the payment method attached."""
        if method.customer is not None:
            return self._owner(str(method.customer), holder)
        customer = self._kept_customer(holder)
        if customer is not None:
            self._api.payment_methods.attach(method.id, {"customer": customer})
            return customer
        # One request for both: if the payment method cannot be attached, no customer is created.
        new: Any = {"name": holder.name, "metadata": {ACCOUNT: str(holder.account_no)}, "payment_method": method.id}
        if holder.email:
            new["email"] = holder.email
        return self._api.customers.create(new).id

    def _owner(self, customer: str, holder: Holder) -> str:
        """Return the customer that already has the payment method, for example from the client's own pages.

        It becomes the account's customer. Refuses it if it belongs to another account.
        """
        owner = at(self._api.customers.retrieve(customer), "metadata", ACCOUNT)
        if owner is None:
            self._api.customers.update(customer, {"metadata": {ACCOUNT: str(holder.account_no)}})
        elif owner != str(holder.account_no):
            raise TokenRefused("It belongs to another customer.")
        return customer

    def _kept_customer(self, holder: Holder) -> str | None:
        """Return the customer of the previous token, or None if Stripe no longer has it."""
        customer = holder.kept.partition("/")[0]
        if not customer.startswith("cus_"):
            return None
        try:
            found = self._api.customers.retrieve(customer)
        except stripe.InvalidRequestError:
            return None
        return None if at(found, "deleted") else customer

    def _settled(self, intent: Any, request: ChargeRequest, charge: Any) -> Answer:
        """Return the result of an intent. If it needs its customer to act, it is cancelled, so that it cannot succeed later."""
        check_same(charged(intent), intent.currency, request)
        charge = self._charge(charge) if isinstance(charge, str) else charge
        if intent.status not in AWAITS_CUSTOMER:
            return answer_to_charge(intent, charge)
        ended = self._cancel(intent.id)
        if ended.status == "canceled" and intent.status == "requires_action":
            return declined("authentication_required", "The cardholder must authenticate (3-D Secure).", intent.id)
        check_same(charged(ended), ended.currency, request)
        return answer_to_charge(ended, charge)

    def _cancel(self, intent: str) -> stripe.PaymentIntent:
        """Return the cancelled intent, or its current state if it can no longer be cancelled."""
        try:
            return self._api.payment_intents.cancel(intent)
        except stripe.InvalidRequestError:
            return self._api.payment_intents.retrieve(intent)

    def _charge(self, charge: str | None) -> stripe.Charge | None:
        """Return a charge, for its details of the card, or None if it cannot be read: the result is known without it."""
        try:
            return self._api.charges.retrieve(charge) if charge else None
        except stripe.StripeError:
            return None


@cache
def _client(key: str, base: str) -> stripe.StripeClient:
    """Return Stripe's client. It does not retry: the caller knows whether a request may be repeated."""
    http = stripe.RequestsClient(timeout=(CONNECT_SECONDS, ANSWER_SECONDS))
    if base:
        return stripe.StripeClient(key, base_addresses={"api": base}, max_network_retries=0, http_client=http)
    return stripe.StripeClient(key, max_network_retries=0, http_client=http)


def _message(event: Any) -> Message:
    stripe_object = event.data.object
    charges: list[News | None] = []
    refunds: list[News | None] = []
    if event.type in CHARGE_MESSAGES:
        charges.append(news_of_charge(stripe_object))
    elif event.type in REFUND_MESSAGES:
        refunds.append(news_of_refund(stripe_object))
    elif event.type == CHARGE_REFUNDED:
        refunds += [news_of_refund(refund) for refund in at(stripe_object, "refunds", "data") or []]
    return Message(event.id, event.type, tuple(filter(None, charges)), tuple(filter(None, refunds)))
