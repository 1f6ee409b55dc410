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

from accounts.api.e_invoice_settings import EInvoiceSettingsViewSet
from accounts.api.input_errors import messages_by_field, refusal_of, wrong_inputs
from accounts.api.viewsets import (
    AccountViewSet,
    ContactViewSet,
    MissingMethodViewSet,
    PlanViewSet,
    RateViewSet,
    ServiceLocationViewSet,
    ServiceViewSet,
)
from accounts.aria.method_calls import methods_of
from accounts.aria.methods import CallerViewSet
from accounts.call_log import call_of
from billing_site.common.database_errors import refusal_of as refusal_of_database
from billing_site.common.json_bodies import too_large_body, unreadable_body
from billing_site.common.negotiation import PROBLEM_TYPE, accepts_problem
from billing_site.errors import NUMBERED, RETRY_AFTER_SECONDS, BillingError, ErrorCode, PendingAct, storable_message
from invoices.api.viewsets import (
    ApprovalRulesViewSet,
    AuditFindingViewSet,
    AuditViewSet,
    BillingRunViewSet,
    CashCreditViewSet,
    CollectionAttemptViewSet,
    CouponRedemptionViewSet,
    CouponViewSet,
    CreditBalanceViewSet,
    CreditMemoViewSet,
    DecisionOutcomeViewSet,
    DecisionViewSet,
    DisputeViewSet,
    DocumentLineViewSet,
    EventViewSet,
    InvoiceViewSet,
    JournalViewSet,
    MailTextViewSet,
    OneTimeChargeViewSet,
    PaymentMethodViewSet,
    PaymentViewSet,
    PeriodViewSet,
    PersonalDataAccessViewSet,
    PersonalDataViewSet,
    PlanInstanceViewSet,
    ReasonCodeViewSet,
    ReceivableViewSet,
    RefundViewSet,
    RequestedActViewSet,
    RunFilterViewSet,
    RunOutcomeViewSet,
    ScheduleViewSet,
    ServiceCreditViewSet,
    SettingsViewSet,
    StandInViewSet,
    StatementViewSet,
    SurchargeViewSet,
    TaxRateViewSet,
    TaxReportViewSet,
    TransactionViewSet,
    UsageViewSet,
    WebhookDeliveryViewSet,
    WebhookEndpointViewSet,
    WriteOffViewSet,
)
from invoices.aria.clock_methods import ClockViewSet
from rebills.api.campaign_viewsets import CampaignItemViewSet, RebillCampaignViewSet
from rebills.api.pending_viewsets import PendingViewSet
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
router.register("pending", PendingViewSet, basename="pending")
router.register("rebill-campaigns", RebillCampaignViewSet)
router.register(r"rebill-campaigns/(?P<campaign>[0-9]+)/items", CampaignItemViewSet)
router.register("credit-memos", CreditMemoViewSet, basename="creditmemo")
router.register("payments", PaymentViewSet, basename="payment")
router.register("refunds", RefundViewSet, basename="refund")
router.register("cash-credits", CashCreditViewSet, basename="cashcredit")
router.register("write-offs", WriteOffViewSet, basename="writeoff")
router.register("disputes", DisputeViewSet, basename="dispute")
router.register("requested-acts", RequestedActViewSet)
router.register("transactions", TransactionViewSet, basename="transaction")
router.register("collection-attempts", CollectionAttemptViewSet)
router.register("mail-texts", MailTextViewSet)
router.register("e-invoice-settings", EInvoiceSettingsViewSet, basename="einvoicesettings")
router.register("settings", SettingsViewSet, basename="settings")
router.register("statements", StatementViewSet)
router.register("receivables", ReceivableViewSet, basename="receivable")
router.register("credits", CreditBalanceViewSet, basename="credit")
router.register("invoice-lines", DocumentLineViewSet, basename="invoiceline")
router.register("tax-report", TaxReportViewSet, basename="taxreport")
router.register("journal", JournalViewSet, basename="journal")
router.register("reason-codes", ReasonCodeViewSet)
router.register("billing-runs", BillingRunViewSet)
router.register(r"billing-runs/(?P<run>[0-9]+)/outcomes", RunOutcomeViewSet, basename="runoutcome")
router.register("run-filters", RunFilterViewSet)
router.register("events", EventViewSet)
router.register("webhook-endpoints", WebhookEndpointViewSet)
router.register("webhook-deliveries", WebhookDeliveryViewSet)
router.register("personal-data", PersonalDataViewSet, basename="personaldata")
router.register("personal-data-accesses", PersonalDataAccessViewSet)
router.register("schedules", ScheduleViewSet)
router.register("audits", AuditViewSet)
router.register(r"audits/(?P<audit>[0-9]+)/findings", AuditFindingViewSet)
router.register("decisions", DecisionViewSet)
router.register(r"decisions/(?P<decision>[0-9]+)/outcomes", DecisionOutcomeViewSet)
router.register("periods", PeriodViewSet)
router.register("approval-rules", ApprovalRulesViewSet)
router.register("stand-ins", StandInViewSet)
router.register("missing-methods", MissingMethodViewSet, basename="missingmethod")
router.register("clock", ClockViewSet, basename="clock")
router.register("caller", CallerViewSet, basename="caller")

METHODS: dict[str, type[ViewSetMixin]] = {name: viewset for _, viewset, _ in router.registry for name in methods_of(viewset)}
"""The viewset of each method call, by the name in `rest_call`."""


@csrf_exempt
def no_such_address(request: HttpRequest, address: str) -> JsonResponse:
    """Answer unknown API paths with a JSON 404."""
    error = BillingError(ErrorCode.NO_DATA, f"{request.path[:100]} is not an address of the API")
    body: dict[str, Any] = {"error_code": error.code.number, "error_msg": error.message, "errors": {}}
    if accepts_problem(request):
        return JsonResponse(problem_of(body, 404, request.path), status=404, content_type=PROBLEM_TYPE)
    return JsonResponse(body, status=404)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Answer every error of the resources with the same body: error code, message, and the errors of each field."""
    answer = _answer_to(error)
    request = context["request"]
    record = call_of(request)
    record.error_code, record.message = answer.data["error_code"], answer.data["error_msg"]
    return _as_problem(answer, request.path) if accepts_problem(request) and answer.status_code >= 400 else answer


def _as_problem(answer: Response, path: str) -> Response:
    """Return an error as a problem (RFC 9457). The members of today's body stay, as its extensions."""
    body = problem_of(answer.data, answer.status_code, path)
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Type"}
    return Response(body, status=answer.status_code, headers=headers, content_type=PROBLEM_TYPE)


def problem_of(body: dict[str, Any], status: int, path: str) -> dict[str, Any]:
    """Return the members of a problem: its type is named by the error code, and is no address to be opened."""
    code = body["error_code"]
    known = NUMBERED.get(code)
    title = known.message.partition(":")[0] if known is not None else body["error_msg"]
    said = {
        "type": f"urn:billing:error:{code}",
        "title": title,
        "status": status,
        "detail": body["error_msg"],
        "instance": path,
    }
    return {**said, **body}


def _answer_to(error: Exception) -> Response:
    if isinstance(error, (ValidationError, ModelError)):
        wrong = wrong_inputs(error)
        return _answer(refusal_of(wrong), messages_by_field(wrong))
    if isinstance(error, PendingAct):
        return Response(error.body, status=error.code.http_status)
    if isinstance(error, BillingError):
        return _answer(error, {storable_message(error.field): [error.at_field]} if error.field else {})
    if isinstance(error, Error):
        return _answer_to(refusal_of_database(error))
    if isinstance(error, RequestDataTooBig):
        return _answer(too_large_body(), {}, status=413)
    if isinstance(error, ParseError):
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
