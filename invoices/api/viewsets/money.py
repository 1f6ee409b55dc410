"""Resources of payments, credits, write-offs, refunds, transactions, attempts, receivables and reasons."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django_filters.filterset import FilterSet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.status import HTTP_201_CREATED, HTTP_202_ACCEPTED

from accounts.api.resources import PAGE_PARAMETERS, CreateReadResource, FilteredResource, Operation, ReadResource
from accounts.clock import today
from accounts.models import Account
from accounts.rights import COLLECT, CORRECT, Right, row_rights
from billing_site.common.fields import AmountFilter, ChoicesFilter, DayFilter, LongFilter
from billing_site.errors import BillingError, ErrorCode
from invoices.api.serializers.documents import DocumentSerializer
from invoices.api.serializers.money import (
    AppliedArguments,
    AttemptSerializer,
    CashCreditArguments,
    CreditSerializer,
    MemoArguments,
    MemoPreviewArguments,
    MemoPreviewSerializer,
    OffArguments,
    PaymentArguments,
    PaymentSerializer,
    ReasonArguments,
    ReasonCodeSerializer,
    ReceivableSerializer,
    ReceivableTotalsSerializer,
    RefundArguments,
    RefundSerializer,
    TransactionSerializer,
    credit_request,
    why_of,
)
from invoices.api.viewsets.documents import DocumentResource
from invoices.aria.money_methods import CollectingMethods, PaymentMethods, ReasonMethods, TransactionMethods
from invoices.kinds import PAYMENT_KINDS, REFUND_KINDS, EntryKind, InvoiceKind, PaymentType, RefundStatus
from invoices.models import CollectionAttempt, Invoice, LedgerEntry, ReasonCode
from invoices.services.correcting.credit_memos import create_credit_memo, lines_to_credit, preview_credit_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.history import with_voids
from invoices.services.money.ledger.open_items import with_taken
from invoices.services.money.ledger.payments import add_cash_credit, apply_unused_credit, record_external_payment
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.money.ledger.voids import void_transaction
from invoices.services.money.receivables import accounts_with_open_invoices, add_up_by_currency, receivables, receivables_of


class TransactionFilter(FilterSet):
    acct_no = LongFilter(field_name="account")
    invoice_no = LongFilter(field_name="invoice")
    kind = ChoicesFilter(EntryKind, field_name="kind")
    reason_code = LongFilter("reason_code")
    date_from = DayFilter("entry_date", "gte")
    date_to = DayFilter("entry_date", "lte")
    amount_min = AmountFilter("amount", "gte")
    amount_max = AmountFilter("amount", "lte")

    class Meta:
        model = LedgerEntry
        fields = ()


class LedgerResource(ReadResource):
    """Ledger entries of some kinds."""

    queryset = with_voids(LedgerEntry.objects.order_by("-pk"))
    serializer_class: type[Serializer] = TransactionSerializer
    filterset_class = TransactionFilter
    client_path = "account__client"
    not_found = ErrorCode.TRANSACTION_NOT_FOUND
    newest_first = True
    ordering = {"transaction_id": "pk", "entry_date": "entry_date", "amount": "amount"}
    kinds: tuple[EntryKind, ...] = tuple(EntryKind)

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(kind__in=self.kinds)

    @property
    def by(self) -> dict[str, Any]:
        """The client, caller and business day for services."""
        return {"client": self.client, "caller": self.caller, "today": today(self.client)}

    def stored_answer(self, number: int) -> Response:
        if self.action == "void":
            return Response(TransactionSerializer(with_voids(LedgerEntry.objects.all()).get(pk=number)).data)
        return refund_shown(number) if self.action == "refund" else super().stored_answer(number)


def refund_shown(transaction_id: int) -> Response:
    """Answer a requested refund."""
    entry = with_voids(LedgerEntry.objects.select_related("refund")).get(pk=transaction_id)
    if entry.refund.status == RefundStatus.FAILED:
        raise BillingError(ErrorCode.REFUND_REFUSED, entry.refund.proc_status_text)
    status = HTTP_202_ACCEPTED if entry.refund.status == RefundStatus.ASKED else HTTP_201_CREATED
    return Response(RefundSerializer(entry).data, status=status)


class VoidAction(LedgerResource):
    rights: Mapping[str, Right] = {"void": CORRECT}
    operations: Mapping[str, Operation] = {"void": Operation(ReasonArguments, TransactionSerializer)}

    @action(detail=True, methods=["post"])
    def void(self, request: Request, pk: str) -> Response:
        """Void the transaction, and answer the voiding one."""
        arguments = self.arguments()
        void = void_transaction(transaction_id=self.get_object().pk, **self.by, **arguments)
        return self.answer(void.pk)


class TransactionViewSet(TransactionMethods, VoidAction):
    """All ledger entries, newest first, each with the balance after it."""


class ApplyAction(VoidAction):
    """Payments and credits with their unapplied amounts."""

    serializer_class = CreditSerializer
    rights: Mapping[str, Right] = {**VoidAction.rights, "apply": COLLECT}

    def get_queryset(self) -> QuerySet[Any]:
        return with_taken(super().get_queryset()).prefetch_related("taken_by__debit")

    @action(detail=True, methods=["post"])
    def apply(self, request: Request, pk: str) -> Response:
        """Apply what is left of it to the chosen invoices, or to the oldest open ones."""
        arguments = self.arguments()
        number = self.get_object().pk
        apply_unused_credit(transaction_id=number, invoices=arguments.get("invoices"), **self.by)
        return self.answer(number)


class PaymentViewSet(PaymentMethods, ApplyAction):
    serializer_class = PaymentSerializer
    kinds = PAYMENT_KINDS
    rights: Mapping[str, Right] = {**ApplyAction.rights, "create": COLLECT, "refund": CORRECT}
    operations: Mapping[str, Operation] = {
        **ApplyAction.operations,
        "create": Operation(PaymentArguments, PaymentSerializer, HTTP_201_CREATED),
        "apply": Operation(AppliedArguments, PaymentSerializer),
        "refund": Operation(RefundArguments, RefundSerializer, HTTP_201_CREATED),
    }

    def create(self, request: Request) -> Response:
        """Record a payment that was received outside a gateway."""
        arguments = self.arguments()
        if "invoice_no" in arguments:
            arguments["pays"] = [arguments.pop("invoice_no")]
        payment = record_external_payment(
            account_no=arguments.pop("acct_no"), type=PaymentType(arguments.pop("type")), **self.by, **arguments
        )
        return self.answer(payment.pk)

    @action(detail=True, methods=["post"])
    def refund(self, request: Request, pk: str) -> Response:
        """Refund the payment. Answers 200 if done, 202 if the gateway has not answered yet, 402 if it refused."""
        arguments = self.arguments()
        refund = refund_payment(
            transaction_id=self.get_object().pk,
            amount=arguments.get("amount"),
            everything=arguments["all"],
            why=why_of(arguments),
            **self.by,
        )
        return self.answer(refund.pk)


class RefundViewSet(VoidAction):
    queryset = LedgerResource.queryset.select_related("refund")
    serializer_class = RefundSerializer
    kinds = REFUND_KINDS


class CashCreditViewSet(ApplyAction):
    kinds = (EntryKind.CASH_CREDIT,)
    rights: Mapping[str, Right] = {**ApplyAction.rights, "create": CORRECT}
    operations: Mapping[str, Operation] = {
        **ApplyAction.operations,
        "create": Operation(CashCreditArguments, CreditSerializer, HTTP_201_CREATED),
        "apply": Operation(AppliedArguments, CreditSerializer),
    }

    def create(self, request: Request) -> Response:
        arguments = self.arguments()
        entry = add_cash_credit(
            account_no=arguments["acct_no"],
            amount=arguments["amount"],
            why=why_of(arguments),
            invoices=arguments.get("invoices"),
            currency=arguments.get("currency"),
            **self.by,
        )
        return self.answer(entry.pk)


class WriteOffViewSet(VoidAction):
    kinds = (EntryKind.WRITE_OFF,)
    rights: Mapping[str, Right] = {**VoidAction.rights, "create": CORRECT}
    operations: Mapping[str, Operation] = {
        **VoidAction.operations,
        "create": Operation(OffArguments, TransactionSerializer, HTTP_201_CREATED),
    }

    def create(self, request: Request) -> Response:
        arguments = self.arguments()
        entry = write_off(
            invoice_no=arguments["invoice_no"],
            amount=arguments.get("amount"),
            everything=arguments["all"],
            why=why_of(arguments),
            kind=self.kinds[0],
            **self.by,
        )
        return self.answer(entry.pk)


class DisputeViewSet(WriteOffViewSet):
    """Disputes. Voiding one makes its amount due again."""

    kinds = (EntryKind.DISPUTE,)


class CreditMemoViewSet(DocumentResource):
    """Credit memos are created for an invoice, shown and voided."""

    queryset = Invoice.objects.filter(kind=InvoiceKind.CREDIT_MEMO)
    rights: Mapping[str, Right] = {**DocumentResource.rights, "create": CORRECT}
    operations: Mapping[str, Operation] = {
        **DocumentResource.operations,
        "create": Operation(MemoArguments, DocumentSerializer, HTTP_201_CREATED),
        "preview": Operation(MemoPreviewArguments, MemoPreviewSerializer),
    }

    def create(self, request: Request) -> Response:
        arguments = self.arguments()
        memo = create_credit_memo(
            client=self.client,
            invoice_no=arguments["invoice_no"],
            caller=self.caller,
            today=today(self.client),
            why=why_of(arguments),
            credit=credit_request(arguments),
        )
        return self.answer(memo.pk)

    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """Preview what a memo would credit, and what is left of each line. Nothing is written."""
        arguments = self.arguments()
        invoice_no = arguments["invoice_no"]
        memo = preview_credit_memo(
            client=self.client, invoice_no=invoice_no, credit=credit_request(arguments), today=today(self.client)
        )
        invoice = Invoice.objects.get(pk=invoice_no)
        shown = {"invoice_no": invoice_no, "currency": invoice.currency, "memo": memo, "left": lines_to_credit(invoice)}
        return Response(MemoPreviewSerializer(shown, context={"currency": invoice.currency}).data)


class AttemptFilter(FilterSet):
    acct_no = LongFilter(field_name="invoice__account")
    invoice_no = LongFilter(field_name="invoice")

    class Meta:
        model = CollectionAttempt
        fields = ("status", "gateway")


class CollectionAttemptViewSet(CollectingMethods, ReadResource):
    newest_first = True
    queryset = CollectionAttempt.objects.all()
    serializer_class = AttemptSerializer
    filterset_class = AttemptFilter
    client_path = "invoice__client"


class ReceivableFilter(FilterSet):
    acct_no = LongFilter(field_name="id")

    class Meta:
        model = Account
        fields = ("currency",)


class ReceivableViewSet(FilteredResource):
    """Amounts due by age, one row per account, and totals per currency."""

    queryset = Account.objects.all()
    filterset_class = ReceivableFilter
    operations: Mapping[str, Operation] = {
        "list": Operation(None, ReceivableSerializer),
        "totals": Operation(None, ReceivableTotalsSerializer),
    }

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):  # The schema is described without a client.
            return Account.objects.none()
        return accounts_with_open_invoices(self.client)

    def query_parameters(self) -> set[str]:
        return PAGE_PARAMETERS | self.filters() if self.action == "list" else super().query_parameters()

    def list(self, request: Request) -> Response:
        accounts = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        rows = receivables_of(accounts, today(self.client))
        return self.get_paginated_response(ReceivableSerializer(rows, many=True).data)

    @action(detail=False)
    def totals(self, request: Request) -> Response:
        day = today(self.client)
        totals = add_up_by_currency(receivables(self.client, day))
        rows = [{"currency": currency, "ages": ages} for currency, ages in sorted(totals.items())]
        return Response(ReceivableTotalsSerializer({"today": day, "totals": rows}).data)


class ReasonCodeViewSet(ReasonMethods, CreateReadResource):
    """The client's own reasons, and reasons that all clients have."""

    queryset = ReasonCode.objects.all()
    rights = row_rights("invoices.reasoncode", create="add")
    serializer_class = ReasonCodeSerializer
    filterset_fields = ("type", "code", "is_active")

    def get_queryset(self) -> QuerySet[Any]:
        return ReasonCode.objects.filter(Q(client=self.client) | Q(client=None))
