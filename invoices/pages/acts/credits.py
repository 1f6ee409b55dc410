"""Credit lines of an invoice, write off or dispute what is open on it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.kinds import CreditTo
from accounts.rights import CORRECT
from billing_site.common.limits import DOCUMENT_COMMENTS_LENGTH, LINES_AT_ONCE
from billing_site.errors import BillingError, ErrorCode
from invoices.calculation import ZERO
from invoices.kinds import EntryKind, ReasonType
from invoices.models import Invoice, InvoiceLine
from invoices.pages.acts.base import ActForm, ActPage, ReasonField, amount_field, comments_field, typed
from invoices.pages.forms import credit_to_field
from invoices.services.correcting.credit_memos import (
    CreditRequest,
    MemoPreview,
    create_credit_memo,
    creditable_lines,
    preview_memo,
)
from invoices.services.correcting.write_offs import WriteOffPreview, preview_write_off, write_off
from invoices.services.money.ledger.freed_money import credit_to_of
from invoices.services.money.ledger.open_items import charges_of


class InvoicePageOfAct(ActPage):
    """An act on one issued invoice."""

    needs = "invoices.view_invoice"
    right = CORRECT
    invoice: Invoice

    def open(self, **numbers: int) -> None:
        self.invoice = self.found(Invoice.objects.select_related("account", "client"), numbers["number"])

    def back(self) -> str:
        return reverse("invoice", args=[self.invoice.pk])

    def context(self, preview: Any) -> Mapping[str, Any]:
        charge = charges_of([self.invoice.pk]).get(self.invoice.pk)
        return {"invoice": self.invoice, "currency": self.invoice.currency, "due": charge.due if charge else None}


LINE = "line-"
PART = "part-"


class CreditForm(ActForm):
    """Lines to credit, each whole or in part; or an amount over all lines; or everything."""

    amount = amount_field(
        required=False,
        label=_("Amount over all lines"),
        help_text=_("Before added tax. It is spread over the lines in proportion, and its tax is credited too."),
    )
    everything = forms.BooleanField(required=False, label=_("Everything that can still be credited"))
    credit_to = credit_to_field()
    reason = ReasonField(ReasonType.CREDIT_MEMO)
    comments = comments_field(required=True, max_length=DOCUMENT_COMMENTS_LENGTH)

    def clean(self) -> dict[str, Any]:
        """Read the ticked lines. A part without a tick counts as ticked, so that no typed amount is ignored."""
        fields: dict[str, Any] = super().clean() or self.cleaned_data
        lines: dict[int, Decimal | None] = {}
        for name in self.data:
            if not name.startswith((LINE, PART)) or not (number := name.partition("-")[2]).isdecimal():
                continue
            text = self.data.get(f"{PART}{number}", "").strip()
            if text:
                lines[int(number[:9])] = self._part(text)
            elif name.startswith(LINE):
                lines[int(number[:9])] = None
        fields["lines"] = lines
        return fields

    def _part(self, text: str) -> Decimal | None:
        try:
            return amount_field().clean(text)  # type: ignore[no-any-return]
        except ValidationError as wrong:
            raise ValidationError(
                _("Amount of a line: %(text)s. %(why)s"), params={"text": text, "why": wrong.messages[0]}
            ) from None

    @property
    def request(self) -> CreditRequest | None:
        """What to credit; None if nothing is chosen yet."""
        fields = self.cleaned_data
        asked = CreditRequest(fields["lines"], fields["amount"], fields["everything"])
        return None if asked == CreditRequest() else asked


class CreditableLine(NamedTuple):
    """A line of the invoice with what can still be credited of it, and what is ticked and typed."""

    line: InvoiceLine
    left: Decimal
    is_ticked: bool
    part: str
    credited: Decimal | None


class CreditLines(InvoicePageOfAct):
    """A credit memo of chosen lines, of an amount, or of everything that is left."""

    form_class = CreditForm
    template = "acts/memo.html"
    title = _("Credit lines")
    button = _("Issue credit memo")

    def preview(self, form: CreditForm) -> MemoPreview | None:
        if form.request is None:
            return None
        return preview_memo(client=self.client, invoice_no=self.invoice.pk, credit=form.request, today=self.today)

    def act(self, form: CreditForm, caller: Caller, preview: MemoPreview) -> str:
        memo = create_credit_memo(
            client=self.client,
            invoice_no=self.invoice.pk,
            caller=caller,
            today=self.today,
            why=form.why,
            credit=form.request,
            credit_to=form.cleaned_data["credit_to"],
            seen=preview.seen,
        )
        values = {"memo": memo, "amount": self.money(-memo.total_amount, memo.currency), "invoice": self.invoice}
        self.tell(gettext("Credit memo %(memo)s of %(amount)s is issued. It reduces %(invoice)s.") % values)
        return self.back()

    def context(self, preview: MemoPreview | None) -> Mapping[str, Any]:
        left = {line.line_no: line.left for line in creditable_lines(self.invoice)}
        credited = {line.line_no: line.amount for line in preview.plan.lines} if preview else {}
        sent = self.request.POST
        rows = self.invoice.lines.filter(line_no__in=left).order_by("line_no")[:LINES_AT_ONCE]
        lines = [
            CreditableLine(
                line,
                left[line.line_no],
                f"{LINE}{line.line_no}" in sent,
                sent.get(f"{PART}{line.line_no}", ""),
                credited.get(line.line_no),
            )
            for line in rows
        ]
        names = {one.line.line_no: one.line.description for one in lines}
        shown = [(number, names.get(number, ""), amount) for number, amount in credited.items() if amount]
        freed = credit_to_of(self.client, sent.get("credit_to", ""), CreditTo.OLDEST_OPEN_INVOICE) if preview else None
        return {**super().context(preview), "lines": lines, "credited": shown, "freed": freed}


class WriteOffForm(ActForm):
    amount = amount_field()
    reason = ReasonField(ReasonType.WRITE_OFF)
    comments = comments_field()


class DisputeForm(WriteOffForm):
    reason = ReasonField(ReasonType.DISPUTE)


class WriteOff(InvoicePageOfAct):
    """A write-off of what is open on an invoice, or of a part of it."""

    form_class = WriteOffForm
    template = "acts/write_off.html"
    kind = EntryKind.WRITE_OFF
    title = _("Write off")
    button = _("Write off")
    done = _("%(amount)s is written off. %(left)s is still open on %(invoice)s.")
    explained = _("The amount is a loss. The customer need not pay it. To reverse it, void the write-off.")

    def initial(self) -> dict[str, Any]:
        charge = charges_of([self.invoice.pk]).get(self.invoice.pk)
        return {"amount": typed(charge.due, self.invoice.currency)} if charge and charge.due > ZERO else {}

    def _asked(self, form: WriteOffForm) -> dict[str, Any]:
        return {
            "client": self.client,
            "invoice_no": self.invoice.pk,
            "today": self.today,
            "amount": form.cleaned_data["amount"],
            "kind": self.kind,
        }

    def preview(self, form: WriteOffForm) -> WriteOffPreview:
        if self.invoice.number is None:
            raise BillingError(ErrorCode.NOT_ISSUED)
        return preview_write_off(**self._asked(form))

    def act(self, form: WriteOffForm, caller: Caller, preview: WriteOffPreview) -> str:
        write_off(**self._asked(form), caller=caller, why=form.why, seen=preview.seen)
        values = {
            "amount": self.money(preview.amount, self.invoice.currency),
            "left": self.money(preview.left, self.invoice.currency),
            "invoice": self.invoice,
        }
        self.tell(str(self.done) % values)
        return self.back()


class Dispute(WriteOff):
    """A dispute of what is open on an invoice. Voiding it makes the amount due again."""

    form_class = DisputeForm
    kind = EntryKind.DISPUTE
    title = _("Dispute")
    button = _("Record dispute")
    done = _("%(amount)s is disputed. %(left)s is still open on %(invoice)s.")
    explained = _("The amount is not due until the dispute is settled. Voiding the dispute makes it due again.")
