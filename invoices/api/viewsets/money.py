"""Resources of payments, credits, write-offs, refunds, transactions, attempts and reasons."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django_filters.filterset import FilterSet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.status import HTTP_201_CREATED, HTTP_202_ACCEPTED

from accounts.api.resources import CreateReadResource, Operation, ReadResource
from accounts.clock import today
from accounts.rights import COLLECT, CORRECT, Right, row_rights
from billing_site.common.fields import AmountFilter, ChoicesFilter, DayFilter, LongFilter, RangeFilterSet
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
    MovedArguments,
    OffArguments,
    PaymentArguments,
    PaymentSerializer,
    ReasonArguments,
    ReasonCodeSerializer,
    RefundArguments,
    RefundSerializer,
    TransactionSerializer,
    credit_request,
    why_of,
)
from invoices.api.serializers.undoing import (
    UndoMemoArguments,
    UndoMemoPreviewSerializer,
    UndoneMemoSerializer,
    UndoTransactionPreviewSerializer,
    UndoVoidArguments,
)
from invoices.api.viewsets.documents import DocumentResource
from invoices.aria.account_methods import AccountMoneyMethods
from invoices.aria.correcting_methods import (
    CashCreditMethods,
    RefundMethods,
    VoidTransactionMethods,
    WriteOffMethods,
)
from invoices.aria.memo_methods import CreditMemoMethods
from invoices.aria.money_methods import CollectingMethods, PaymentMethods, ReasonMethods, TransactionMethods
from invoices.kinds import PAYMENT_KINDS, REFUND_KINDS, EntryKind, InvoiceKind, PaymentType, RefundStatus
from invoices.models import CollectionAttempt, Invoice, LedgerEntry, ReasonCode
from invoices.services.correcting.credit_memos import (
    create_credit_memo,
    creditable_lines,
    preview_credit_memo,
    preview_freed_money,
)
from invoices.services.correcting.memo_undoing import preview_undo_memo, undo_memo, undone_memo
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.history import with_voids
from invoices.services.money.ledger.moving import move_payment
from invoices.services.money.ledger.open_items import with_taken
from invoices.services.money.ledger.payments import add_cash_credit, apply_unused_credit, record_external_payment
from invoices.services.money.ledger.refunds import refund_payment
from invoices.services.money.ledger.voids import preview_undo_transaction, undo_transaction, void_transaction


class TransactionFilter(RangeFilterSet):
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
        if self.action in ("void", "undo"):
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


class UndoAction(VoidAction):
    """Write-offs, disputes and refunds, which can be undone."""

    rights: Mapping[str, Right] = {**VoidAction.rights, "undo": CORRECT}
    operations: Mapping[str, Operation] = {
        **VoidAction.operations,
        "preview_undo": Operation(None, UndoTransactionPreviewSerializer),
        "undo": Operation(UndoVoidArguments, TransactionSerializer),
    }
    reading_actions: Sequence[str] = ("preview_undo",)

    @action(detail=True, methods=["post"])
    def preview_undo(self, request: Request, pk: str) -> Response:
        """Preview the undo: what is open afterwards on each invoice whose open amount changes, and the balance. Nothing is
        written."""
        self.arguments()
        plan = preview_undo_transaction(client=self.client, transaction_id=self.get_object().pk)
        context = {"currency": plan.entry.account.currency, "client": self.client}
        return Response(UndoTransactionPreviewSerializer(plan, context=context).data)

    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Undo it, and answer the voiding transaction. What it took from invoices or payments is where it was."""
        arguments = self.arguments()
        seen = arguments.pop("fingerprint", "")
        void = undo_transaction(transaction_id=self.get_object().pk, seen=seen, **self.by, **arguments)
        return self.answer(void.pk)


class TransactionViewSet(TransactionMethods, VoidTransactionMethods, AccountMoneyMethods, UndoAction):
    """All ledger entries, newest first, each with the balance after it."""


class ApplyAction(VoidAction):
    """Payments and credits with their unapplied amounts."""

    serializer_class = CreditSerializer
    rights: Mapping[str, Right] = {**VoidAction.rights, "apply": COLLECT, "move": COLLECT}

    def get_queryset(self) -> QuerySet[Any]:
        return with_taken(super().get_queryset()).prefetch_related("taken_by__debit")

    @action(detail=True, methods=["post"])
    def apply(self, request: Request, pk: str) -> Response:
        """Apply what is left of it to the chosen invoices, or to the oldest open ones."""
        arguments = self.arguments()
        number = self.get_object().pk
        apply_unused_credit(transaction_id=number, invoices=arguments.get("invoices"), **self.by)
        return self.answer(number)

    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Let it pay other invoices of the account than it does. Nothing is refunded or charged again."""
        arguments = self.arguments()
        number = self.get_object().pk
        move_payment(transaction_id=number, **self.by, **arguments)
        return self.answer(number)


class PaymentViewSet(PaymentMethods, ApplyAction):
    serializer_class = PaymentSerializer
    kinds = PAYMENT_KINDS
    rights: Mapping[str, Right] = {**ApplyAction.rights, "create": COLLECT, "refund": CORRECT}
    operations: Mapping[str, Operation] = {
        **ApplyAction.operations,
        "create": Operation(PaymentArguments, PaymentSerializer, HTTP_201_CREATED),
        "apply": Operation(AppliedArguments, PaymentSerializer),
        "move": Operation(MovedArguments, PaymentSerializer),
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


class RefundViewSet(RefundMethods, UndoAction):
    queryset = LedgerResource.queryset.select_related("refund")
    serializer_class = RefundSerializer
    kinds = REFUND_KINDS


class CashCreditViewSet(CashCreditMethods, ApplyAction):
    kinds = (EntryKind.CASH_CREDIT,)
    rights: Mapping[str, Right] = {**ApplyAction.rights, "create": CORRECT}
    operations: Mapping[str, Operation] = {
        **ApplyAction.operations,
        "create": Operation(CashCreditArguments, CreditSerializer, HTTP_201_CREATED),
        "apply": Operation(AppliedArguments, CreditSerializer),
        "move": Operation(MovedArguments, CreditSerializer),
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


class OffResource(UndoAction):
    kinds = (EntryKind.WRITE_OFF,)
    rights: Mapping[str, Right] = {**UndoAction.rights, "create": CORRECT}
    operations: Mapping[str, Operation] = {
        **UndoAction.operations,
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


class WriteOffViewSet(WriteOffMethods, OffResource):
    """Write-offs."""


class DisputeViewSet(OffResource):
    """Disputes. Voiding one makes its amount due again."""

    kinds = (EntryKind.DISPUTE,)


class CreditMemoViewSet(CreditMemoMethods, DocumentResource):
    """Credit memos are created for an invoice, shown, undone and voided."""

    queryset = Invoice.objects.filter(kind=InvoiceKind.CREDIT_MEMO)
    rights: Mapping[str, Right] = {**DocumentResource.rights, "create": CORRECT, "undo": CORRECT}
    operations: Mapping[str, Operation] = {
        **DocumentResource.operations,
        "preview_undo": Operation(None, UndoMemoPreviewSerializer),
        "undo": Operation(UndoMemoArguments, UndoneMemoSerializer),
        "create": Operation(MemoArguments, DocumentSerializer, HTTP_201_CREATED),
        "preview": Operation(MemoPreviewArguments, MemoPreviewSerializer),
    }
    reading_actions = ("preview", "preview_undo")

    def create(self, request: Request) -> Response:
        arguments = self.arguments()
        memo = create_credit_memo(
            client=self.client,
            invoice_no=arguments["invoice_no"],
            caller=self.caller,
            today=today(self.client),
            why=why_of(arguments),
            credit=credit_request(arguments),
            credit_to=arguments.get("credit_to", ""),
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
        money = preview_freed_money(self.client, invoice, memo.total_amount, arguments.get("credit_to", ""))
        left = creditable_lines(invoice)
        shown = {"invoice_no": invoice_no, "currency": invoice.currency, "memo": memo, "money": money, "left": left}
        return Response(MemoPreviewSerializer(shown, context={"currency": invoice.currency}).data)

    @action(detail=True, methods=["post"])
    def preview_undo(self, request: Request, pk: str) -> Response:
        """Preview the undo of a credit memo: what is open afterwards, and the balance. Nothing is written."""
        self.arguments()
        plan = preview_undo_memo(client=self.client, memo_no=self.get_object().pk, today=today(self.client))
        context = {"currency": plan.memo.currency, "client": self.client}
        return Response(UndoMemoPreviewSerializer(plan, context=context).data)

    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Undo a credit memo. A reversal offsets it, and its invoice and payments are as before."""
        arguments, memo_no = self.arguments(), self.get_object().pk
        seen = arguments.get("fingerprint", "")
        by: dict[str, Any] = {"client": self.client, "caller": self.caller, "today": today(self.client)}
        undo_memo(memo_no=memo_no, why=why_of(arguments), seen=seen, **by)
        return self.answer(memo_no)

    def stored_answer(self, number: int) -> Response:
        if self.action == "undo":
            return Response(UndoneMemoSerializer(undone_memo(number)).data)
        return super().stored_answer(number)


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


class ReasonCodeViewSet(ReasonMethods, CreateReadResource):
    """The client's own reasons, and reasons that all clients have."""

    queryset = ReasonCode.objects.all()
    rights = row_rights("invoices.reasoncode", create="add")
    serializer_class = ReasonCodeSerializer
    filterset_fields = ("type", "code", "is_active")

    def get_queryset(self) -> QuerySet[Any]:
        return ReasonCode.objects.filter(Q(client=self.client) | Q(client=None))
