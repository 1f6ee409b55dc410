"""The builder of pending documents: the rebill builder before issue. What is reviewed becomes a new version of the document."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.callers import Caller
from accounts.pages.base import StaffPage
from accounts.staff import names_of
from billing_site.common.numbers import short_number
from billing_site.errors import BillingError
from invoices.document import Document
from invoices.models import Invoice
from invoices.plan.actions import Action
from invoices.services.documents.versions import Generated, read_generated
from rebills.pages.builder_form import BuilderForm, Calculated
from rebills.pages.building import RebillBuilder
from rebills.pages.submitted import CHARGE_FIELDS, SubmittedForm, SubmittedLine, added_line, read, refusal_at
from rebills.plan import RebillPlan
from rebills.plan.adjusting import ALL_LINES
from rebills.services.adjusting import (
    AdjustRequest,
    adjust_document,
    current_adjustments,
    fingerprint_of,
    is_of_usage,
    moved_since,
    preview_adjusting,
    requested_again,
)
from rebills.services.requests import RebillRequest, RequestedLine, RequestedUsage
from rebills.services.shown_changes import location_names, shown
from rebills.services.versions import shown_versions


class AdjustForm(BuilderForm):
    """A pending document as it was generated, with its adjustments as they are entered."""

    @cached_property
    def generated(self) -> Generated:
        return read_generated([self.invoice])[self.invoice.pk]

    def _read_content(self) -> Document:
        return self.generated.content

    def first_shown(self) -> SubmittedForm:
        """Return the form with the current adjustments of the document."""
        request = requested_again(current_adjustments(self.invoice.pk), self.content)
        blank = super().first_shown()
        changes = {line.line_no: line for line in request.lines}
        lines = [_adjusted(line, changes.get(line.line_no)) for line in blank.lines]
        lines += [_added(one) for number, one in changes.items() if number > self.last_line_no]
        usage = tuple(one._replace(value=_units(one.names, request.usage_corrections) or one.value) for one in blank.usage)
        top = {**blank.top, "discount_percent": _text(request.discount_percent)}
        return blank._replace(lines=tuple(lines), usage=usage, top=top)

    def calculate(self, submitted: SubmittedForm, fingerprint: str = "") -> Calculated:
        request, refusals = read(submitted, self.invoice.pk, fingerprint, is_final=False)
        if request is None:
            return Calculated(submitted, None, None, refusals)
        try:
            plan = preview_adjusting(client=self.client, request=adjust_request(request), today=self.today)
        except BillingError as error:
            return Calculated(submitted, request, None, refusal_at(error, submitted), error)
        return Calculated(submitted, request, plan.plan)

    def withdrawn(self, submitted: SubmittedForm) -> list[str]:
        """Return the texts of current adjustments that the entries do not have, perhaps because another person made them."""
        kept = {line.line_no for line in submitted.requested_lines}
        if submitted.top["discount_percent"]:
            kept.add(ALL_LINES)
        rows = current_adjustments(self.invoice.pk)
        gone = [row for row in rows if row.line_no not in kept and not (is_of_usage(row) and submitted.changed_usage)]
        return [row.title or _("All lines") for row in gone]

    def fingerprint_of(self, plan: RebillPlan) -> str:
        return fingerprint_of(self.generated.version, plan)

    def moved(self, plan: RebillPlan, seen: str) -> list[str]:
        return moved_since(seen, self.generated.version, plan)


def adjust_request(request: RebillRequest) -> AdjustRequest:
    """Return what the form reads as a rebill as adjustments."""
    return AdjustRequest(
        request.invoice_no,
        request.lines,
        request.usage_corrections,
        request.reason_code,
        request.comments,
        request.fingerprint,
        request.discount_percent,
    )


def _adjusted(line: SubmittedLine, change: RequestedLine | None) -> SubmittedLine:
    if change is None:
        return line
    values = {name: _text(getattr(change, name)) for name in line.values}
    kept = {name: value for name, value in values.items() if value or (name == "po_num" and change.po_num is not None)}
    return line._replace(values={**line.values, **kept}, is_included=not change.exclude)


def _added(change: RequestedLine) -> SubmittedLine:
    line = added_line(change.line_no, {})
    return line._replace(values={name: _text(getattr(change, name)) for name in CHARGE_FIELDS})


def _units(names: Mapping[str, Any], corrections: tuple[RequestedUsage, ...]) -> str:
    same = (one for one in corrections if all(getattr(one, name) == value for name, value in names.items()))
    return next((_text(one.units) for one in same), "")


def _text(value: Any) -> str:
    if value is None:
        return ""
    return short_number(value) if isinstance(value, Decimal) else str(value)


class AdjustBuilder(RebillBuilder):
    """The builder of a pending document."""

    form_class = AdjustForm
    form: AdjustForm
    folder = "adjust"
    action = Action.ADJUST

    def _shared(self, calculated: Calculated) -> dict[str, Any]:
        return {**super()._shared(calculated), "withdrawn": self.form.withdrawn(calculated.submitted)}

    def _address(self, number: int) -> str:
        return reverse("invoice", args=[number])

    def _done(self, request: RebillRequest, caller: Caller) -> str:
        number = adjust_document(client=self.client, request=adjust_request(request), caller=caller, today=self.today)
        messages.success(self.request, _("The document was adjusted. It is still pending."))
        return self._address(number)


class VersionsPage(StaffPage):
    """The versions of a document that was recalculated or adjusted while it was pending, each compared with the one before."""

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        invoice: Invoice = self.found(Invoice.objects.select_related("client", "account"), number)
        versions = shown_versions(invoice)
        places = location_names(self.client)
        context = {
            "invoice": invoice,
            "versions": [
                (one, [row for row in shown(one.differences, {**one.names, **places}) if row.is_changed])
                for one in reversed(versions)
            ],
            "people": names_of(one.row.made_by for one in versions),
        }
        return self.page("adjust/versions.html", context)
