"""Messages that payment gateways send on their own. They are signed; there is no session or API key."""

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.clock import today
from billing_site.errors import BillingError, ErrorCode
from invoices.gateways import notifier_named
from invoices.gateways.protocol import Message
from invoices.services.collecting.gateway_events import take_message

STRIPE = "stripe"


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> JsonResponse:
    """Answer 200 to messages accepted now or before. Stripe repeats all others."""
    try:
        take_message(STRIPE, _message(request), today)
    except BillingError as error:
        return _answer(error.code, error.message)
    return _answer(ErrorCode.OK, ErrorCode.OK.message)


def _message(request: HttpRequest) -> Message:
    """Read a message. Without a secret no signature can be checked, and the gateway's library need not be installed."""
    if not settings.STRIPE_WEBHOOK_SECRET:
        raise BillingError(ErrorCode.EVENT_NOT_SIGNED)
    try:
        body = request.body
    except RequestDataTooBig:
        raise BillingError(ErrorCode.EVENT_NOT_SIGNED) from None
    return notifier_named(STRIPE).read_message(body, request.headers.get("Stripe-Signature", ""))


def _answer(code: ErrorCode, message: str) -> JsonResponse:
    return JsonResponse({"error_code": code.number, "error_msg": message}, status=code.http_status)
