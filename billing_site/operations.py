"""What the acts of resources take and answer, for the API's description: rows of (resource, act) with what is sent and what is
answered. Creating, listing and showing rows of master data need no row here: their serializers say it."""

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from invoices.api.serializers.credits import (
    CouponRedemptionSerializer,
    ExpiryArguments,
    RedeemArguments,
    ServiceCreditSerializer,
)
from invoices.api.serializers.documents import (
    ActionSerializer,
    AgainArguments,
    ApprovalArguments,
    CollectArguments,
    ContentSerializer,
    CreationArguments,
    InvoiceSerializer,
    ManyApprovalArguments,
    ManyArguments,
    OutcomeSerializer,
    PreviewArguments,
    RemarkArguments,
    StatementArguments,
    StatementSerializer,
    TermsSerializer,
    WaiverArguments,
)
from invoices.api.serializers.money import (
    AppliedArguments,
    AttemptSerializer,
    CashCreditArguments,
    CollectedSerializer,
    CreditSerializer,
    MemoArguments,
    MemoPreviewArguments,
    MemoPreviewSerializer,
    OffArguments,
    PaymentArguments,
    PaymentSerializer,
    ReasonArguments,
    ReceivableSerializer,
    ReceivableTotalsSerializer,
    RefundArguments,
    RefundSerializer,
    TransactionSerializer,
)
from invoices.api.serializers.plan_instances import (
    ChangeArguments,
    ChangedPlanSerializer,
    EndArguments,
    EndedPlanSerializer,
)
from invoices.api.serializers.requested_acts import RequestedActSerializer
from invoices.api.serializers.usage import LoadArguments, UnbilledSerializer
from rebills.api.serializers import (
    ChainSerializer,
    ManyRebillArguments,
    RebillArguments,
    RebillOutcomeSerializer,
    RebillPreviewArguments,
    RebillPreviewSerializer,
)


class DocumentSerializer(InvoiceSerializer, ContentSerializer):
    """A document whole: its terms, lines and taxes, what came of it, and what can be done with it."""

    collection = AttemptSerializer(allow_null=True)
    statement = StatementSerializer(allow_null=True)
    to_bill_again = serializers.ListField(
        child=serializers.CharField(), help_text="What of a voided invoice is billed by no other invoice and is not due again."
    )
    available_actions = ActionSerializer(many=True)


class PreviewSerializer(TermsSerializer, ContentSerializer):
    """A document that would be made."""


Free = serializers.DictField


OUTCOMES = inline_serializer("Outcomes", {"outcomes": OutcomeSerializer(many=True)})
REBILLED = inline_serializer("RebillOutcomes", {"outcomes": RebillOutcomeSerializer(many=True)})
COLLECTED = inline_serializer("CollectedOutcomes", {"outcomes": CollectedSerializer(many=True)})
LOADED = inline_serializer(
    "LoadedUsage",
    {
        **{name: serializers.IntegerField() for name in ("created", "already_there", "refused")},
        "results": serializers.ListField(child=Free()),
    },
)

# Resource and act: what is sent, what is answered, and with which status.
OPERATIONS: dict[tuple[str, str], tuple[Any, Any, str]] = {
    ("invoice", "create"): (CreationArguments, DocumentSerializer, "201"),
    ("invoice", "preview"): (PreviewArguments, PreviewSerializer, "200"),
    ("invoice", "approve"): (ApprovalArguments, DocumentSerializer, "200"),
    ("invoice", "discard"): (RemarkArguments, DocumentSerializer, "200"),
    ("invoice", "regenerate"): (RemarkArguments, DocumentSerializer, "200"),
    ("invoice", "approve_many"): (ManyApprovalArguments, OUTCOMES, "200"),
    ("invoice", "discard_many"): (ManyArguments, OUTCOMES, "200"),
    ("invoice", "regenerate_many"): (ManyArguments, OUTCOMES, "200"),
    ("invoice", "bill_again"): (AgainArguments, DocumentSerializer, "201"),
    ("invoice", "waive_periods"): (WaiverArguments, DocumentSerializer, "200"),
    ("invoice", "collect"): (None, CollectedSerializer, "200"),
    ("invoice", "collect_many"): (CollectArguments, COLLECTED, "200"),
    **{
        row: operation
        for document in ("invoice", "rebill", "creditmemo")
        for row, operation in {
            (document, "retrieve"): (None, DocumentSerializer, "200"),
            (document, "void"): (ReasonArguments, DocumentSerializer, "200"),
            (document, "send_statement"): (StatementArguments, StatementSerializer, "200"),
        }.items()
    },
    ("rebill", "create"): (RebillArguments, DocumentSerializer, "201"),
    ("rebill", "bulk"): (ManyRebillArguments, REBILLED, "200"),
    ("rebill", "preview"): (RebillPreviewArguments, RebillPreviewSerializer, "200"),
    ("rebill", "chain"): (None, ChainSerializer, "200"),
    ("creditmemo", "create"): (MemoArguments, DocumentSerializer, "201"),
    ("creditmemo", "preview"): (MemoPreviewArguments, MemoPreviewSerializer, "200"),
    ("payment", "create"): (PaymentArguments, PaymentSerializer, "201"),
    ("payment", "apply"): (AppliedArguments, PaymentSerializer, "200"),
    ("payment", "refund"): (RefundArguments, RefundSerializer, "201"),
    ("cashcredit", "create"): (CashCreditArguments, CreditSerializer, "201"),
    ("cashcredit", "apply"): (AppliedArguments, CreditSerializer, "200"),
    **dict.fromkeys((("requestedact", "approve"), ("requestedact", "discard")), (None, RequestedActSerializer, "200")),
    ("writeoff", "create"): (OffArguments, TransactionSerializer, "201"),
    ("dispute", "create"): (OffArguments, TransactionSerializer, "201"),
    **{
        (entry, "void"): (ReasonArguments, TransactionSerializer, "200")
        for entry in ("payment", "refund", "cashcredit", "writeoff", "dispute", "transaction")
    },
    ("receivable", "list"): (None, ReceivableSerializer, "200"),
    ("receivable", "totals"): (None, ReceivableTotalsSerializer, "200"),
    ("usage", "create"): (LoadArguments, LOADED, "200"),
    ("usage", "unbilled"): (None, UnbilledSerializer, "200"),
    ("couponredemption", "create"): (RedeemArguments, CouponRedemptionSerializer, "201"),
    ("servicecredit", "expire"): (ExpiryArguments, ServiceCreditSerializer, "200"),
    ("planinstance", "end"): (EndArguments, EndedPlanSerializer, "200"),
    ("planinstance", "change"): (ChangeArguments, ChangedPlanSerializer, "201"),
}
