"""Assembly of the API: the address of each resource, and how errors are answered."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig
from django.core.exceptions import ValidationError as ModelError
from django.db import Error
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    ParseError,
    PermissionDenied,
    ValidationError,
)
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.viewsets import ViewSetMixin

from accounts.api.input_errors import messages_by_field, refusal_of, wrong_inputs
from accounts.api.viewsets import (
    AccountViewSet,
    ContactViewSet,
    PlanViewSet,
    RateViewSet,
    ServiceLocationViewSet,
    ServiceViewSet,
)
from accounts.aria.method_calls import methods_of
from accounts.aria.methods import CallerViewSet, ClockViewSet
from accounts.call_log import call_of
from billing_site.common.database_errors import refusal_of as refusal_of_database
from billing_site.common.json_bodies import unreadable_body
from billing_site.errors import RETRY_AFTER_SECONDS, BillingError, ErrorCode, PendingAct, storable_message
from invoices.api.viewsets import (
    BillingRunViewSet,
    CashCreditViewSet,
    CollectionAttemptViewSet,
    CouponRedemptionViewSet,
    CouponViewSet,
    CreditMemoViewSet,
    DisputeViewSet,
    InvoiceViewSet,
    OneTimeChargeViewSet,
    PaymentMethodViewSet,
    PaymentViewSet,
    PlanInstanceViewSet,
    ReasonCodeViewSet,
    ReceivableViewSet,
    RefundViewSet,
    RequestedActViewSet,
    RunFilterViewSet,
    RunOutcomeViewSet,
    ScheduleViewSet,
    ServiceCreditViewSet,
    SurchargeViewSet,
    TaxRateViewSet,
    TransactionViewSet,
    UsageViewSet,
    WriteOffViewSet,
)
from rebills.api.viewsets import RebillViewSet

logger = logging.getLogger(__name__)

router = DefaultRouter()
router.include_format_suffixes = False
router.register("accounts", AccountViewSet)
router.register("contacts", ContactViewSet)
router.register("payment-methods", PaymentMethodViewSet)
router.register("services", ServiceViewSet)
router.register("service-locations", ServiceLocationViewSet)
router.register("plans", PlanViewSet)
router.register("rates", RateViewSet)
router.register("plan-instances", PlanInstanceViewSet)
router.register("tax-rates", TaxRateViewSet)
router.register("usage", UsageViewSet)
router.register("one-time-charges", OneTimeChargeViewSet)
router.register("surcharges", SurchargeViewSet)
router.register("coupons", CouponViewSet)
router.register("coupon-redemptions", CouponRedemptionViewSet)
router.register("service-credits", ServiceCreditViewSet)
router.register("invoices", InvoiceViewSet)
router.register("rebills", RebillViewSet, basename="rebill")
router.register("credit-memos", CreditMemoViewSet, basename="creditmemo")
router.register("payments", PaymentViewSet, basename="payment")
router.register("refunds", RefundViewSet, basename="refund")
router.register("cash-credits", CashCreditViewSet, basename="cashcredit")
router.register("write-offs", WriteOffViewSet, basename="writeoff")
router.register("disputes", DisputeViewSet, basename="dispute")
router.register("requested-acts", RequestedActViewSet)
router.register("transactions", TransactionViewSet, basename="transaction")
router.register("collection-attempts", CollectionAttemptViewSet)
router.register("receivables", ReceivableViewSet, basename="receivable")
router.register("reason-codes", ReasonCodeViewSet)
router.register("billing-runs", BillingRunViewSet)
router.register(r"billing-runs/(?P<run>[0-9]+)/outcomes", RunOutcomeViewSet, basename="runoutcome")
router.register("run-filters", RunFilterViewSet)
router.register("schedules", ScheduleViewSet)
router.register("clock", ClockViewSet, basename="clock")
router.register("caller", CallerViewSet, basename="caller")

METHODS: dict[str, type[ViewSetMixin]] = {name: viewset for _, viewset, _ in router.registry for name in methods_of(viewset)}
"""The viewset of each method call, by the name in `rest_call`."""


@csrf_exempt
def no_such_address(request: HttpRequest, address: str) -> JsonResponse:
    """Answer unknown API paths with a JSON 404."""
    error = BillingError(ErrorCode.NO_DATA, f"{request.path[:100]} is not an address of the API")
    return JsonResponse({"error_code": error.code.number, "error_msg": error.message, "errors": {}}, status=404)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Answer every error of the resources with the same body: error code, message, and the errors of each field."""
    answer = _answer_to(error)
    record = call_of(context["request"])
    record.error_code, record.message = answer.data["error_code"], answer.data["error_msg"]
    return answer


def _answer_to(error: Exception) -> Response:
    if isinstance(error, (ValidationError, ModelError)):
        wrong = wrong_inputs(error)
        return _answer(refusal_of(wrong), messages_by_field(wrong))
    if isinstance(error, PendingAct):
        return Response(error.body, status=error.code.http_status)
    if isinstance(error, BillingError):
        return _answer(error, {storable_message(error.field): [error.message]} if error.field else {})
    if isinstance(error, Error):
        return _answer_to(refusal_of_database(error))
    if isinstance(error, (ParseError, RequestDataTooBig)):
        return _answer(unreadable_body(), {})
    if isinstance(error, (AuthenticationFailed, NotAuthenticated)):
        challenge = {"WWW-Authenticate": getattr(error, "auth_header", "Basic")}
        return _answer(BillingError(ErrorCode.AUTHENTICATION), {}, headers=challenge)
    if isinstance(error, (PermissionDenied, DjangoPermissionDenied)):
        return _answer(BillingError(ErrorCode.PERMISSION), {})
    if isinstance(error, Http404):
        return _answer(BillingError(ErrorCode.NO_DATA), {})
    if isinstance(error, APIException):
        # Errors of HTTP itself (405, 406, 415) keep their own status.
        refusal = BillingError(ErrorCode.INVALID_FORMAT, str(error.detail))
        return _answer(refusal, {}, status=error.status_code)
    logger.error("the API failed", exc_info=error)
    return _answer(BillingError(ErrorCode.UNEXPECTED), {})


def _answer(
    error: BillingError,
    messages: dict[str, list[str]],
    *,
    status: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {"error_code": error.code.number, "error_msg": error.message, "errors": messages}
    if error.third_party_errors:
        body["third_party_errors"] = list(error.third_party_errors)
    status = status or error.code.http_status
    if status == 503:
        headers = {**(headers or {}), "Retry-After": str(RETRY_AFTER_SECONDS)}
    return Response(body, status=status, headers=headers)
