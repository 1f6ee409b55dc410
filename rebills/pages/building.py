"""The rebill builder: edit the lines of an invoice and see the rebill recalculated, review it, and issue it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.callers import Caller
from accounts.kinds import CreditTo
from accounts.pages.base import StaffPage
from accounts.rights import COLLECT, REBILL
from accounts.services.accounts import add_contact
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice
from invoices.plan.action_facts import InTheWay
from invoices.plan.actions import Action
from invoices.services.actions import available_actions
from invoices.services.documents.rights import REBILL_PERMISSION
from rebills.pages.builder_form import BuilderForm, Calculated
from rebills.pages.submitted import SubmittedForm, read, read_form, refusal_at, values_for_all
from rebills.pages.summary import summary_context
from rebills.services.rebilling import rebill_invoice
from rebills.services.requests import RebillRequest
from rebills.services.shown_changes import shown

NOT_SUBMITTED = ("csrfmiddlewaretoken", "once", "act", "fingerprint")
ADD_CONTACT_PERMISSION = "accounts.add_contact"
NEW_ADDRESS = {
    "name": gettext_lazy("Name"),
    "address1": gettext_lazy("Street"),
    "postal_code": gettext_lazy("Postal code"),
    "city": gettext_lazy("City"),
    "region": gettext_lazy("State or province"),
    "country": gettext_lazy("Country"),
}
"""The fields of an address that is added in the builder."""


class NewField(NamedTuple):
    """A field of a new address: its name, label, what was typed, and why that is refused."""

    name: str
    label: Any
    value: str
    wrong: str


class RebillBuilder(StaffPage):
    """The rebill builder. Each button submits the whole form; `act` names the button. `line` asks for the details of a line."""

    parameters = ("line",)

    form_class: type[BuilderForm] = BuilderForm
    folder = "rebills"
    action = Action.REBILL

    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        self._open(number)
        if request.GET.get("line"):
            return self._details(request.GET["line"])
        calculated = self.form.calculate(self.form.first_shown())
        if calculated.error is not None:
            return self._blocked(calculated.error)
        return self._builder(calculated)

    def post(self, request: HttpRequest, number: int) -> HttpResponseBase:
        self._open(number)
        submitted = read_form(request.POST, self.form.original_values, self.form.last_line_no, self.form.usage)
        act = request.POST.get("act", "")
        if act == "commit":
            return self._commit(submitted)
        if act == "new-address":
            return self._add_address(submitted)
        changed = self._changed(submitted, act)
        calculated = self.form.calculate(changed)
        if request.headers.get("HX-Request"):
            return self._calculated(calculated)
        if act == "review":
            return self._review(calculated)
        return self._builder(calculated, new_line=str(changed.lines[-1].line_no) if act == "add" else "")

    def _open(self, number: int) -> None:
        self.invoice: Invoice = self.found(Invoice.objects.select_related("client", "account"), number)
        self.form = self.form_class(self.client, self.invoice, self.today)

    def _details(self, line_no: str) -> HttpResponse:
        """Return the details of a line as on the original, for a page of many lines that has put them aside."""
        line = self.form.whole_line(int(line_no)) if line_no.isdecimal() and len(line_no) < 9 else None
        if line is None:
            raise Http404
        return self.page("rebills/_more.html", {"line": line, "is_part": True})

    def _opened(self) -> set[int]:
        """Return the lines whose details the reader has opened without scripts."""
        texts = [*self.request.POST.getlist("open"), self.request.POST.get("act", "").removeprefix("open-")]
        return {int(text) for text in texts if text.isdecimal() and len(text) < 9}

    def _changed(self, submitted: SubmittedForm, act: str) -> SubmittedForm:
        name, _dash, line_no = act.partition("-")
        if name == "add":
            return submitted.with_line()
        if name == "revert" and line_no.isdecimal():
            return submitted.without_changes(int(line_no[:9]))
        if name == "apply":
            return submitted.with_for_all(values_for_all(self.request.POST))
        return submitted

    def _add_address(self, submitted: SubmittedForm) -> HttpResponse:
        """Add the typed address to the account, and choose it for all lines. What is not valid is shown at its field."""
        fields = {name: self.request.POST.get(f"new-{name}", "").strip() for name in NEW_ADDRESS}
        wrong = {name: _("This field is required.") for name in ("name", "country") if not fields[name]}
        if not wrong:
            try:
                contact = add_contact(account=self.invoice.account, caller=self.caller, **fields)
            except ValidationError as error:
                wrong = {name: str(texts[0]) for name, texts in error.message_dict.items()}
            else:
                messages.success(self.request, _("The address was added. All lines are shipped to it."))
                self.form = self.form_class(self.client, self.invoice, self.today)
                submitted = submitted.with_for_all({"ship_to_address_seq": str(contact.contact_no)})
        return self._builder(self.form.calculate(submitted), wrong_address=wrong)

    def _builder(
        self, calculated: Calculated, *, new_line: str = "", wrong_address: Mapping[str, str] | None = None
    ) -> HttpResponse:
        lines = self.form.builder_lines(calculated, self._opened())
        wrong = wrong_address or {}
        typed = self.request.POST if wrong else {}
        context = {
            **self._shared(calculated),
            "taxed_at": self.form.taxed_at,
            "new_address": [
                NewField(name, label, typed.get(f"new-{name}", ""), wrong.get(name, "")) for name, label in NEW_ADDRESS.items()
            ],
            "is_wrong_address": bool(wrong),
            "lines": lines,
            "is_short": not all(line.is_whole for line in lines),
            "services": self.form.options("services", ""),
            "tax_lines": self.form.taxes,
            "usage": self.form.usage_fields(calculated),
            "for_all": self.form.for_all(),
            "reasons": self.form.reasons,
            "contacts": self.form.choices["contacts"],
            "credit_to": CreditTo.choices,
            "new_line": new_line,
            "blocked": self._in_the_way(calculated.error),
        }
        return self.page(f"{self.folder}/builder.html", context)

    def _calculated(self, calculated: Calculated) -> HttpResponse:
        """Return the totals, and the result of each line and each metered charge, for an update by htmx."""
        context = {
            "invoice": self.invoice,
            "results": self.form.results(calculated),
            "usage": self.form.usage_fields(calculated),
            "refusals": calculated.refusals,
            "refused": calculated.refusals.get(""),
        }
        return self.page("rebills/_calculated.html", {**context, **self._summary(calculated)})

    def _summary(self, calculated: Calculated) -> dict[str, Any]:
        return {"folder": self.folder, **summary_context(calculated.plan, self.client)}

    def _shared(self, calculated: Calculated) -> dict[str, Any]:
        return {
            "invoice": self.invoice,
            "submitted": calculated.submitted,
            "refusals": calculated.refusals,
            "refused": calculated.refusals.get(""),
            "may_rebill": self.may(REBILL_PERMISSION),
            "may_add_contact": self.may(ADD_CONTACT_PERMISSION),
            "may_collect": self.may(COLLECT.permission),
            **self._summary(calculated),
        }

    def _review(self, calculated: Calculated, *, moved: str = "") -> HttpResponse:
        """Show what will be done. If something is refused, show the builder again."""
        refusals = {**calculated.refusals, **read(calculated.submitted, self.invoice.pk, is_final=True)[1]}
        plan = calculated.plan
        if plan is None or refusals:
            return self._builder(calculated._replace(refusals=refusals))
        rows = shown(plan.differences, {**plan.facts.names, **self.form.names})
        reasons = {reason.code: reason.shown_name for reason in self.form.reasons}
        sent = self.request.POST
        context = {
            **self._shared(calculated),
            "rows": [row for row in rows if row.is_changed],
            "unchanged": sum(not row.is_changed for row in rows),
            "reason": reasons.get(plan.facts.reason_code or 0, ""),
            "statement_contact": dict(self.form.choices["contacts"]).get(calculated.submitted.top["statement_address_seq"], ""),
            "kept": [(name, value) for name in sent if _is_kept(name) for value in sent.getlist(name)],
            "fingerprint": self.form.fingerprint_of(plan),
            "moved": moved,
        }
        return self.page(f"{self.folder}/review.html", context)

    def _commit(self, submitted: SubmittedForm) -> HttpResponse:
        request, refusals = read(submitted, self.invoice.pk, self.request.POST.get("fingerprint", ""), is_final=True)
        if request is None:
            return self._builder(self.form.calculate(submitted)._replace(refusals=refusals))
        try:
            return self.once(
                lambda caller: self._done(request, caller), lambda receipt: self._address(receipt.invoice_no or 0), REBILL
            )
        except BillingError as error:
            return self._not_issued(submitted, request, error)

    def _address(self, number: int) -> str:
        return reverse("rebilled", args=[number])

    def _done(self, request: RebillRequest, caller: Caller) -> str:
        rebill_no = rebill_invoice(client=self.client, request=request, caller=caller, today=self.today)
        messages.success(self.request, _("The rebill was made."))
        return self._address(rebill_no)

    def _not_issued(self, submitted: SubmittedForm, request: RebillRequest, error: BillingError) -> HttpResponse:
        """Show the builder again with the refusal. If the data changed since the review, show a new review of the current
        result."""
        calculated = self.form.calculate(submitted)
        if error.code is ErrorCode.DOCUMENT_MOVED and calculated.plan is not None:
            parts = [str(MOVED.get(part, part)) for part in self.form.moved(calculated.plan, request.fingerprint)]
            return self._review(calculated, moved=", ".join(parts) or error.shown)
        refusals = {**calculated.refusals, **refusal_at(error, submitted)}
        return self._builder(calculated._replace(refusals=refusals, error=error))

    def _blocked(self, error: BillingError) -> HttpResponse:
        """Show why an invoice cannot be rebilled, what blocks it, and what to do instead."""
        context = {"invoice": self.invoice, "blocked": self._in_the_way(error), "error": error}
        return self.page(f"{self.folder}/blocked.html", context)

    def _in_the_way(self, error: BillingError | None) -> dict[str, Any] | None:
        if error is None or error.field != "invoice_no":
            return None
        actions = available_actions(self.client, [self.invoice.pk], self.caller, self.today, [self.action])
        (allowed,) = actions[self.invoice.pk]
        way = allowed.in_the_way
        return {"message": error.shown, "name": way.shown if way else "", "address": _page_of(way, self.invoice.pk)}


MOVED = {
    "version": gettext_lazy("the version, because another person has changed it"),
    "lines": gettext_lazy("the lines"),
    "credits": gettext_lazy("coupons and credits"),
    "taxes": gettext_lazy("the taxes"),
    "payments": gettext_lazy("the account's payments and credits"),
    "collection": gettext_lazy("what is collected"),
}


def _is_kept(name: str) -> bool:
    return name not in NOT_SUBMITTED and not name.startswith("new-")


def _page_of(way: InTheWay | None, invoice_no: int) -> str:
    """Return the address of what blocks the rebill. Collection attempts are shown on their invoice's page."""
    if way is None:
        return reverse("invoice", args=[invoice_no])
    if way.type == "transaction":
        return reverse("admin:invoices_ledgerentry_change", args=[way.number])
    return reverse("invoice", args=[way.number if way.type == "invoice" else invoice_no])
