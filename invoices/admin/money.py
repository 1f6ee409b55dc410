"""Money in the admin: the ledger and what pays what, payments, refunds, credits, write-offs, disputes, memos and voids.

Adding one is doing it, by the service. Nothing is changed or deleted afterwards: it is voided.
"""

from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.admin.figures import day, figures
from accounts.admin.rows import (
    MasterDataAdmin,
    MasterDataForm,
    ReadOnlyAdmin,
    add_link,
    asked_once,
    never,
    page_link,
)
from accounts.callers import Caller
from accounts.clock import today
from accounts.models import Client
from invoices.admin.amounts import amount
from invoices.kinds import (
    CHARGE_KINDS,
    FREE_KINDS,
    PAYMENT_KINDS,
    EntryKind,
    InvoiceKind,
    PaymentType,
    ReasonType,
    RefundStatus,
    VoidReason,
)
from invoices.models import (
    CashCredit,
    CreditMemo,
    Dispute,
    GatewayEvent,
    Invoice,
    LedgerEntry,
    Payment,
    ReasonCode,
    Refund,
    TransactionVoid,
    WriteOff,
)
from invoices.services.credit_memos import Asked, create_credit_memo
from invoices.services.ledger.acts import Why
from invoices.services.ledger.history import description, with_voids
from invoices.services.ledger.open_items import left_of_credit
from invoices.services.ledger.payments import add_cash_credit, record_external_payment
from invoices.services.ledger.refunds import ask_refund, make_refund
from invoices.services.ledger.voids import void_transaction
from invoices.services.ledger.write_offs import write_off
from invoices.services.rights import COLLECT_PERMISSION, CORRECT_PERMISSION
from invoices.services.voiding import void_invoice

REFUND_COLOURS = {
    RefundStatus.ASKED.value: "warning",
    RefundStatus.DONE.value: "success",
    RefundStatus.FAILED.value: "danger",
}


def amount_field(*, required: bool = True, help_text: Any = "") -> forms.DecimalField:
    widget = UnfoldAdminDecimalFieldWidget
    return forms.DecimalField(max_digits=15, decimal_places=4, required=required, widget=widget, help_text=help_text)


def comments_field(*, required: bool = False) -> forms.CharField:
    return forms.CharField(max_length=1000, required=required, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))


def reason_field(type: ReasonType) -> forms.TypedChoiceField:
    """All reasons of a type, the common ones and those of clients: which of them the account's client has, the service says."""

    def choices() -> list[tuple[int, str]]:
        rows = ReasonCode.objects.filter(type=type, is_active=True).order_by("code", "client")
        return list({row.code: (row.code, str(row)) for row in rows}.values())

    return forms.TypedChoiceField(choices=choices, coerce=int, widget=UnfoldAdminSelectWidget, label=_("reason"))


def why(given: dict[str, Any]) -> Why:
    return Why(given["reason"], given.get("comments", ""))


def by(request: HttpRequest, client: Client) -> dict[str, Any]:
    return {"client": client, "caller": Caller(staff=request.user), "today": today(client)}


class ActAdmin(MasterDataAdmin):
    """Adding one is doing it, for those with the right; it is shown as it is, and never changed or deleted."""

    has_change_permission = never
    has_delete_permission = never
    right = CORRECT_PERMISSION
    add_form: type[forms.ModelForm]
    shown: tuple[Any, ...] = ()
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(self.right)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = self.add_form
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown if obj is not None else list(self.add_form.base_fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return _flat(self.shown) if obj is not None else ()


def _flat(fields: Iterable[Any]) -> list[str]:
    return [name for field in fields for name in (field if isinstance(field, tuple) else (field,))]


class EntryColumns:
    """An entry of the ledger, and what stands on its other side."""

    def entry(self, row: Any) -> LedgerEntry:
        return row if isinstance(row, LedgerEntry) else row.entry

    @admin.display(description=_("transaction"))
    def named(self, row: Any) -> str:
        return description(self.entry(row))

    @admin.display(description=_("amount"), ordering="amount")
    def amount_in_currency(self, row: Any) -> SafeString:
        entry = self.entry(row)
        return amount(entry.amount, entry.account.currency)

    @admin.display(description=_("balance after"))
    def balance_in_currency(self, row: Any) -> SafeString:
        entry = self.entry(row)
        return amount(entry.balance_after, entry.account.currency)

    @admin.display(description=_("invoice"))
    def invoice_link(self, row: Any) -> SafeString:
        invoice = self.entry(row).invoice
        return page_link(invoice) if invoice is not None else SafeString("-")

    @admin.display(description=_("date"), ordering="entry_date")
    def date(self, row: Any) -> str:
        return day(self.entry(row).entry_date)

    @admin.display(description=_("reason"))
    @asked_once
    def reason(self, row: Any) -> str:
        """In the words of the list, or Aria's for a void."""
        entry = self.entry(row)
        if entry.reason_code is None:
            return "-"
        if entry.kind == EntryKind.VOID:
            return f"{entry.reason_code} {VoidReason(entry.reason_code).label}"
        rows = ReasonCode.objects.filter(
            Q(client=entry.account.client_id) | Q(client=None), code=entry.reason_code, type__in=_reason_types(entry)
        )
        found = rows.order_by("client").first()
        return str(found or entry.reason_code)

    @admin.display(description=_("comments"))
    def comment(self, row: Any) -> str:
        return self.entry(row).comments or "-"

    @admin.display(description=_("by"))
    def who(self, row: Any) -> str:
        return self.entry(row).created_by

    @admin.display(description=_("applied"))
    @asked_once
    def applied(self, row: Any) -> SafeString:
        """What a credit pays, or what pays a debit, added up by the other side."""
        entry = self.entry(row)
        side, other = ("taken_by", "debit") if entry.amount < 0 else ("paid_by", "credit")
        sums: dict[LedgerEntry, Decimal] = {}
        parts = getattr(entry, side).select_related(f"{other}__invoice", f"{other}__voids").order_by("pk")
        for part in parts:
            against = getattr(part, other)
            sums[against] = sums.get(against, Decimal(0)) + part.amount
        currency = entry.account.currency
        rows = [(page_link(against, description(against)), amount(sum_, currency)) for against, sum_ in sums.items() if sum_]
        return figures([_("Transaction"), _("Amount")], rows)

    @admin.display(description=_("voided by"))
    def voided(self, row: Any) -> SafeString:
        void = LedgerEntry.objects.filter(voids=self.entry(row)).first()
        return page_link(void, description(void)) if void else SafeString("-")

    @admin.display(description=_("what can be done"))
    @asked_once
    def acts(self, row: Any) -> SafeString:
        entry = self.entry(row)
        if entry.kind in CHARGE_KINDS or entry.kind == EntryKind.VOID or LedgerEntry.objects.filter(voids=entry).exists():
            return SafeString("-")
        links = [add_link(TransactionVoid, _("Void it"), voids=entry.pk)]
        if entry.kind in PAYMENT_KINDS:
            links.insert(0, add_link(Refund, _("Refund it"), payment=entry.pk))
        return format_html_join(SafeString(" &middot; "), "{}", ((link,) for link in links))

    @admin.display(description=_("left of it"))
    @asked_once
    def left(self, row: Any) -> SafeString:
        entry = self.entry(row)
        return amount(left_of_credit(entry.pk), entry.account.currency) if entry.kind in FREE_KINDS else SafeString("-")


def _reason_types(entry: LedgerEntry) -> list[str]:
    return ["refund" if entry.kind in (EntryKind.REFUND, EntryKind.ELECTRONIC_REFUND) else entry.kind]


STANDING = ("applied", "voided", "acts")
TRAIL = (("who", "created_at"),)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(EntryColumns, ReadOnlyAdmin):  # type: ignore[misc]
    list_display = ["named", "account", "date", "amount_in_currency", "balance_in_currency", "invoice_link"]
    list_filter = ["kind", "entry_date", "account__client"]
    search_fields = ["id__exact", "account__client_acct_id", "account__id__exact", "invoice__document_number"]
    ordering = ["-id"]
    fields = (
        ("account", "named"),
        ("date", "invoice_link"),
        ("amount_in_currency", "balance_in_currency"),
        ("reason", "comment"),
        *STANDING,
        *TRAIL,
    )
    readonly_fields = _flat(fields)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        return with_voids(super().get_queryset(request))


class PaymentForm(MasterDataForm):
    type = forms.ChoiceField(choices=PaymentType.choices, initial=PaymentType.CHECK, widget=UnfoldAdminSelectWidget)
    amount = amount_field()
    received_on = forms.DateField(required=False, widget=UnfoldAdminSingleDateWidget, help_text=_("Empty: today."))
    reference = forms.CharField(
        max_length=100,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Of the cheque or transfer: the same one is recorded once."),
    )
    invoice = forms.IntegerField(
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("The number of an invoice that it is for. Empty: the oldest open ones."),
    )
    comments = comments_field()
    named: ClassVar = {"acct_no": "account", "invoices": "invoice"}

    class Meta:
        model = Payment
        fields = ["account", "type", "amount", "received_on", "reference", "invoice", "comments"]


@admin.register(Payment)
class PaymentAdmin(EntryColumns, ActAdmin):  # type: ignore[misc]
    right = COLLECT_PERMISSION
    add_form = PaymentForm
    autocomplete_fields = ["account"]
    list_display = ["named", "account", "date", "type", "reference", "amount_in_currency"]
    list_filter = ["type", "gateway", "account__client"]
    list_select_related = ["account", "entry__account", "entry__voids"]
    search_fields = ["entry__id__exact", "reference", "gateway_payment_id", "account__client_acct_id"]
    shown = (
        ("account", "named"),
        ("amount_in_currency", "left"),
        ("date", "type"),
        ("reference", "comment"),
        ("gateway", "gateway_payment_id"),
        *STANDING,
        "who",
    )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        chosen = {given["invoice"]: given["amount"]} if given["invoice"] else None
        obj.entry = record_external_payment(
            account_no=obj.account_id,
            amount=given["amount"],
            type=PaymentType(given["type"]),
            received_on=given["received_on"],
            reference=given["reference"],
            comments=given["comments"],
            invoices=chosen,
            **by(request, obj.account.client),
        ).entry


class RefundForm(MasterDataForm):
    amount = amount_field(required=False, help_text=_("Empty: all that was not refunded."))
    reason = reason_field(ReasonType.REFUND)
    comments = comments_field()
    named: ClassVar = {"transaction_id": "payment", "reason_code": "reason"}

    class Meta:
        model = Refund
        fields = ["payment", "amount", "reason", "comments"]


@admin.register(Refund)
class RefundAdmin(EntryColumns, ActAdmin):  # type: ignore[misc]
    """The gateway is asked after the page's transaction is committed."""

    add_form = RefundForm
    autocomplete_fields = ["payment"]
    list_display = ["named", "account", "payment", "date", "status_label", "amount_in_currency"]
    list_filter = ["status", "payment__account__client"]
    list_select_related = ["entry__account", "entry__voids", "payment"]
    search_fields = ["entry__id__exact", "gateway_refund_id", "payment__account__client_acct_id"]
    shown = (
        ("account", "payment"),
        ("amount_in_currency", "status"),
        ("reason", "comment"),
        ("gateway_refund_id", "proc_status_code"),
        "proc_status_text",
        ("asked_at", "settled_at"),
        *STANDING,
        "who",
    )

    @admin.display(description=_("account"))
    def account(self, refund: Refund) -> SafeString:
        return page_link(refund.entry.account)

    @display(description=_("status"), ordering="status", label=REFUND_COLOURS)  # type: ignore[arg-type]
    def status_label(self, refund: Refund) -> tuple[str, str]:
        return refund.status, refund.get_status_display()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given, who = form.cleaned_data, by(request, obj.payment.account.client)
        refund = ask_refund(transaction_id=obj.payment_id, amount=given["amount"], why=why(given), **who)
        obj.entry = refund.entry
        transaction.on_commit(partial(make_refund, refund, **who))


class CashCreditForm(MasterDataForm):
    amount = amount_field()
    reason = reason_field(ReasonType.CASH_CREDIT)
    comments = comments_field()
    named: ClassVar = {"acct_no": "account", "reason_code": "reason"}

    class Meta:
        model = CashCredit
        fields = ["account", "amount", "reason", "comments"]


class EntryAdmin(EntryColumns, ActAdmin):  # type: ignore[misc]
    """Entries of one kind."""

    kind: EntryKind
    list_display = ["named", "account", "date", "invoice_link", "amount_in_currency"]
    list_filter = ["entry_date", "account__client"]
    search_fields = ["id__exact", "account__client_acct_id", "account__id__exact"]
    shown = LedgerEntryAdmin.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_voids(super().get_queryset(request)).filter(kind=self.kind)


@admin.register(CashCredit)
class CashCreditAdmin(EntryAdmin):
    kind = EntryKind.CASH_CREDIT
    add_form = CashCreditForm
    autocomplete_fields = ["account"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        obj.pk = add_cash_credit(
            account_no=obj.account_id, amount=given["amount"], why=why(given), **by(request, obj.account.client)
        ).pk


class WriteOffForm(MasterDataForm):
    amount = amount_field(required=False, help_text=_("Empty: all that is due."))
    reason = reason_field(ReasonType.WRITE_OFF)
    comments = comments_field()
    named: ClassVar = {"invoice_no": "invoice", "reason_code": "reason"}

    class Meta:
        model = WriteOff
        fields = ["invoice", "amount", "reason", "comments"]


class DisputeForm(WriteOffForm):
    reason = reason_field(ReasonType.DISPUTE)

    class Meta:
        model = Dispute
        fields = WriteOffForm.Meta.fields


@admin.register(WriteOff)
class WriteOffAdmin(EntryAdmin):
    add_form: type[forms.ModelForm] = WriteOffForm
    autocomplete_fields = ["invoice"]
    kind = EntryKind.WRITE_OFF

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        obj.pk = write_off(
            invoice_no=obj.invoice_id,
            amount=given["amount"],
            why=why(given),
            kind=self.kind,
            **by(request, obj.invoice.client),
        ).pk


@admin.register(Dispute)
class DisputeAdmin(WriteOffAdmin):
    """Voiding it makes the amount due again."""

    add_form = DisputeForm
    kind = EntryKind.DISPUTE


class VoidForm(MasterDataForm):
    reason = forms.TypedChoiceField(choices=VoidReason.choices, coerce=int, widget=UnfoldAdminSelectWidget)
    comments = comments_field()
    named: ClassVar = {"transaction_id": "voids", "invoice_no": "voids", "reason_code": "reason"}

    class Meta:
        model = TransactionVoid
        fields = ["voids", "reason", "comments"]


@admin.register(TransactionVoid)
class TransactionVoidAdmin(EntryAdmin):
    """A void of an invoice or credit memo voids the document, with all that it held."""

    kind = EntryKind.VOID
    add_form = VoidForm
    autocomplete_fields = ["voids"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given, entry = form.cleaned_data, obj.voids
        who, reason = by(request, entry.account.client), {"reason_code": given["reason"], "comments": given["comments"]}
        if entry.kind in CHARGE_KINDS:
            obj.pk = void_invoice(invoice_no=entry.invoice_id, **reason, **who).void_transaction_id
        else:
            obj.pk = void_transaction(transaction_id=entry.pk, **reason, **who).pk


class CreditMemoForm(MasterDataForm):
    line_no = forms.IntegerField(
        required=False, widget=UnfoldAdminIntegerFieldWidget, help_text=_("One line of it. Empty: the whole invoice.")
    )
    amount = amount_field(
        required=False,
        help_text=_("Before the tax that is added to it, which goes back in proportion. Empty: all that is left."),
    )
    reason = reason_field(ReasonType.CREDIT_MEMO)
    comments = comments_field(required=True)
    named: ClassVar = {"invoice_no": "corrects", "reason_code": "reason", "lines": "line_no"}

    class Meta:
        model = CreditMemo
        fields = ["corrects", "line_no", "amount", "reason", "comments"]


@admin.register(CreditMemo)
class CreditMemoAdmin(ActAdmin):
    add_form = CreditMemoForm
    autocomplete_fields = ["corrects"]
    list_display = ["document_number", "account", "corrects", "invoice_date", "status", "total_in_currency"]
    list_filter = ["status", "client", "invoice_date"]
    list_select_related = ["account", "corrects"]
    search_fields = ["document_number", "id__exact", "corrects__document_number", "account__client_acct_id"]
    shown = (
        ("document_number", "status"),
        ("account", "corrects"),
        ("invoice_date", "total_in_currency"),
        ("reason_code", "comments"),
        "document",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(kind=InvoiceKind.CREDIT_MEMO)

    @admin.display(description=_("total"), ordering="total_amount")
    def total_in_currency(self, memo: CreditMemo) -> SafeString:
        return amount(memo.total_amount, memo.currency)

    @admin.display(description=_("the document"))
    def document(self, memo: CreditMemo) -> SafeString:
        return page_link(Invoice.objects.get(pk=memo.pk), _("Lines and taxes"))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        line_no, asked = given["line_no"], Asked(amount=given["amount"])
        if line_no is not None:
            asked = Asked(lines={line_no: given["amount"]})
        obj.pk = create_credit_memo(
            invoice_no=obj.corrects_id, why=why(given), asked=asked, **by(request, obj.corrects.client)
        ).pk


@admin.register(ReasonCode)
class ReasonCodeAdmin(MasterDataAdmin):
    """A client's own reasons, and (for superusers) those that are there for all. What has one keeps it, so none is deleted."""

    fields = ["client", "type", ("code", "name"), "is_active"]
    fixed_fields = ["client", "type", "code"]
    list_display = ["name", "code", "type", "client", "is_active"]
    list_filter = ["type", "is_active", "client"]
    list_select_related = ["client"]
    search_fields = ["name", "code"]
    autocomplete_fields = ["client"]
    has_delete_permission = never

    def has_change_permission(self, request: HttpRequest, obj: ReasonCode | None = None) -> bool:
        common = obj is not None and obj.client_id is None
        return super().has_change_permission(request, obj) and (request.user.is_superuser or not common)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if obj.client_id is None and not request.user.is_superuser:
            raise forms.ValidationError(_("Choose a client."))
        super().save_model(request, obj, form, change)


@admin.register(GatewayEvent)
class GatewayEventAdmin(ReadOnlyAdmin):
    list_display = ["event_id", "gateway", "type", "received_at"]
    list_filter = ["gateway", "type", "received_at"]
    search_fields = ["event_id"]
    fields = ["gateway", "event_id", "type", "received_at"]
