"""The lines of the builder: each original line beside what is submitted for it, and the resulting rebill."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.models import Client, Contact
from accounts.rates import shown_rate
from billing_site.common.limits import LINE_COMMENTS_LENGTH, PO_NUM_LENGTH
from billing_site.common.numbers import short_number, typed_number
from billing_site.errors import BillingError
from invoices.document import LINE_FIELDS, Document, Line, columns_of
from invoices.kinds import LineType, ReasonType, TaxedAt
from invoices.line_explanations import line_explanation
from invoices.models import Invoice, InvoiceLine, ReasonCode, TaxRate
from invoices.services.documents.document_storage import stored_contents
from invoices.services.documents.reasons import reasons_of
from rebills.pages.submitted import (
    ADDRESSES,
    CHARGE_FIELDS,
    CREDIT_FIELDS,
    DISCOUNTED_FIELDS,
    FOR_ALL,
    PRINTED,
    Refusals,
    SubmittedForm,
    SubmittedLine,
    SubmittedUsage,
    as_sent,
    read,
    refusal_at,
    untouched,
)
from rebills.plan import RebillPlan
from rebills.plan.discounts import calculated_lines, is_calculated
from rebills.plan.lines import AMOUNT_GIVEN
from rebills.services.metered import metered_charges
from rebills.services.previewing import preview_rebills
from rebills.services.requests import RebillRequest, RefusedRebill
from rebills.services.shown_changes import location_names

LABELS = {
    "service_no": _("Service"),
    "units": _("Units"),
    "rate_per_unit": _("Rate"),
    "amount": _("Amount"),
    "po_num": _("PO number"),
    "bill_from_location_no": _("Bill from"),
    "ship_from_location_no": _("Ship from"),
    "bill_to_address_seq": _("Bill to"),
    "ship_to_address_seq": _("Ship to"),
    "description": _("Text"),
    "period_start": _("First day"),
    "period_end": _("Last day"),
    "discount_percent": _("Discount in percent"),
    "comments": _("Comment on the line"),
}
CHOSEN_FROM = {
    "service_no": "services",
    "bill_from_location_no": "locations",
    "ship_from_location_no": "locations",
    "bill_to_address_seq": "contacts",
    "ship_to_address_seq": "contacts",
}
LENGTHS = {"comments": str(LINE_COMMENTS_LENGTH), "po_num": str(PO_NUM_LENGTH), "description": "200"}
DAYS = ("period_start", "period_end")
DETAILS = ("discount_percent", *ADDRESSES, *PRINTED, "comments")
"""The fields of a line that are folded away, unless one of them is changed or refused."""

LINES_IN_FULL = 50
"""Of more lines, the page has the details of a line only once they are opened, so that it stays small."""


class Calculated(NamedTuple):
    """What is submitted, with the plan of the resulting rebill, or why it is refused."""

    submitted: SubmittedForm
    request: RebillRequest | None = None
    plan: RebillPlan | None = None
    refusals: Refusals = {}
    error: BillingError | None = None


class Field(NamedTuple):
    """One cell: the original value (`was`), and what is submitted. `options` are those of a select.

    `is_edited`: its text differs from the original's, so the page must send it again.
    """

    name: str
    id: str
    label: Any
    was: Any
    value: str
    is_changed: bool
    is_refused: bool
    options: SafeString | None = None
    hint: str = ""
    length: str = ""
    is_edited: bool = False

    @property
    def type(self) -> str:
        return "date" if self.name in DAYS else "text"

    @property
    def css(self) -> str:
        """Return the CSS classes of the cell."""
        return f"{self.name} cell{' is-changed' if self.is_changed else ''}{' is-refused' if self.is_refused else ''}"


class Result(NamedTuple):
    """The result of a line: its amount on the rebill, and how it changed.

    `calculated_amount` is that amount as the form shows it.
    """

    line_no: int
    was: Decimal | None
    amount: Decimal | None
    is_out: bool
    is_included: bool
    is_overridden: bool
    changed: tuple[str, ...]
    refused: tuple[tuple[str, Any, str], ...]
    calculated_amount: str = ""
    is_recounted: bool = False

    @property
    def number(self) -> str:
        return str(self.line_no)

    @property
    def difference(self) -> Decimal | None:
        return None if self.amount is None else self.amount - (self.was or Decimal(0))


class BuilderLine(NamedTuple):
    """A line of the original with its editable copy, or an added line (`line` is None).

    Of many lines, a page has only the part that is usually changed. `is_whole`: all fields are there; `is_opened`: because the
    reader has asked for them.
    """

    submitted: SubmittedLine
    line: InvoiceLine | None
    title: str
    explanations: tuple[str, ...]
    service: Field | None
    figures: tuple[Field, ...]
    po_num: Field
    addresses: tuple[Field, ...]
    printed: tuple[Field, ...]
    discount: Field | None
    comments: Field
    result: Result
    is_open: bool
    is_whole: bool = True
    is_opened: bool = False

    @property
    def number(self) -> str:
        """The line number as text for field names, without number formatting."""
        return str(self.submitted.line_no)


class BuilderForm:
    """An invoice to rebill, with the choices for its lines."""

    def __init__(self, client: Client, invoice: Invoice, today: date) -> None:
        self.client, self.invoice, self.today = client, invoice, today
        self.content = self._read_content()
        self.lines = [InvoiceLine(invoice=invoice, **columns_of(line)) for line in self.content.lines]
        self.contacts = list(Contact.objects.filter(account=invoice.account_id))
        self.charging = {line.line_no: line for line in self.lines if line.line_type != LineType.TAX}
        self.taxes = [line for line in self.lines if line.line_type == LineType.TAX]

    def _read_content(self) -> Document:
        """Return the document whose lines are changed."""
        return stored_contents([self.invoice.pk])[self.invoice.pk]

    @property
    def last_line_no(self) -> int:
        return max((line.line_no for line in self.lines), default=0)

    @cached_property
    def content_lines(self) -> dict[int, Line]:
        return {line.line_no: line for line in self.content.lines}

    @cached_property
    def calculated(self) -> frozenset[int]:
        """The lines that are calculated from other lines, which no discount is taken off."""
        return calculated_lines(self.content)

    @cached_property
    def original_values(self) -> dict[int, dict[str, str]]:
        """The original value of each field of each line, as the form shows it."""
        contact_nos = {contact.pk: contact.contact_no for contact in self.contacts}
        return {number: self._original_values(line, contact_nos) for number, line in self.charging.items()}

    def _original_values(self, line: InvoiceLine, contact_nos: Mapping[int, int]) -> dict[str, str]:
        values = {
            "service_no": line.service_id,
            "units": None if line.units is None else short_number(line.units),
            "rate_per_unit": None if line.rate_per_unit is None else self._typed(line.rate_per_unit),
            "po_num": line.po_num,
            "bill_from_location_no": line.bill_from_location_id,
            "ship_from_location_no": line.ship_from_location_id,
            "bill_to_address_seq": contact_nos.get(line.bill_to_contact_id or 0),
            "ship_to_address_seq": contact_nos.get(line.ship_to_contact_id or 0),
            "description": line.description,
            "period_start": line.period_start,
            "period_end": line.period_end,
        }
        names = self._names_of(line)
        return {name: "" if values.get(name) is None else as_sent(str(values[name])) for name in names}

    def _typed(self, number: Decimal) -> str:
        """Return a rate or an amount as the form shows it."""
        return typed_number(shown_rate(number, self.invoice.currency))

    def _names_of(self, line: InvoiceLine) -> Sequence[str]:
        """Return the fields that a line has."""
        if _is_reduction(line):
            return CREDIT_FIELDS
        return CHARGE_FIELDS if is_calculated(self.content_lines[line.line_no], self.calculated) else DISCOUNTED_FIELDS

    @cached_property
    def usage(self) -> list[SubmittedUsage]:
        """The metered charges of the invoice with their billed units."""
        return [
            SubmittedUsage(
                number,
                f"{metered.name}, {metered.plan_name}" if metered.plan_name else metered.name,
                short_number(metered.units),
                short_number(metered.units),
                metered.names,
            )
            for number, metered in enumerate(metered_charges(self.content), 1)
        ]

    def usage_fields(self, calculated: Calculated) -> list[Field]:
        """Return a field for the total units of each metered charge."""
        return [
            Field(
                "units",
                one.field,
                one.title,
                one.original,
                one.value,
                one.is_changed,
                one.field in calculated.refusals,
                hint=calculated.refusals.get(one.field, ""),
                is_edited=one.is_edited,
            )
            for one in calculated.submitted.usage
        ]

    def calculate(self, submitted: SubmittedForm, fingerprint: str = "") -> Calculated:
        """Return the rebill for what is submitted, planned in the same way as when it is issued."""
        request, refusals = read(submitted, self.invoice.pk, fingerprint, is_final=False)
        if request is None:
            return Calculated(submitted, None, None, refusals)
        (outcome,) = preview_rebills(client=self.client, requests=[request], today=self.today)
        if isinstance(outcome, RefusedRebill):
            return Calculated(submitted, request, None, refusal_at(outcome.error, submitted), outcome.error)
        return Calculated(submitted, request, outcome.plan)

    def first_shown(self) -> SubmittedForm:
        """Return what the form shows before anything is entered."""
        return untouched(self.original_values, self.last_line_no, self.usage)

    def fingerprint_of(self, plan: RebillPlan) -> str:
        """Return the fingerprint that binds the act to the preview."""
        return plan.fingerprint

    def moved(self, plan: RebillPlan, seen: str) -> list[str]:
        """Name what differs from the preview that was seen."""
        return plan.moved(seen)

    def results(self, calculated: Calculated) -> list[Result]:
        return [self._result(line, calculated, planned) for line, planned in self._planned(calculated)]

    def builder_lines(self, calculated: Calculated, opened: Collection[int] = ()) -> list[BuilderLine]:
        """Return all lines. Of more than LINES_IN_FULL, those are whole that are `opened`, added, or changed in their
        details."""
        results = {result.line_no: result for result in self.results(calculated)}
        lines = calculated.submitted.lines
        return [
            self._builder_line(line, calculated.refusals, results[line.line_no], opened, is_short=len(lines) > LINES_IN_FULL)
            for line in lines
        ]

    def whole_line(self, line_no: int) -> BuilderLine | None:
        """Return a line as on the original with all its fields, or None if there is none."""
        form = untouched(self.original_values, self.last_line_no, ())
        line = next((one for one in form.lines if one.line_no == line_no), None)
        return None if line is None else self._builder_line(line, {}, self._result(line, Calculated(form), None))

    def _planned(self, calculated: Calculated) -> Iterator[tuple[SubmittedLine, Line | None]]:
        """Yield each submitted line with the resulting line of the rebill."""
        if calculated.plan is None:
            yield from ((line, None) for line in calculated.submitted.lines)
            return
        on_rebill = {line.line_no: line for line in calculated.plan.content.lines}
        rows = calculated.plan.differences
        replaced_by = {row.line_no: row.rebill_line_no for row in rows if row.line_no is not None}
        added = sorted(line.line_no for line in calculated.submitted.requested_lines if line.is_added)
        new = (row.rebill_line_no for row in rows if row.line_no is None and not row.is_recounted)
        replaced_by |= zip(added, new, strict=True)
        for line in calculated.submitted.lines:
            yield line, on_rebill.get(replaced_by.get(line.line_no) or 0)

    def _result(self, submitted: SubmittedLine, calculated: Calculated, planned: Line | None) -> Result:
        source = self.charging.get(submitted.line_no)
        is_out = not submitted.is_included or (calculated.plan is not None and planned is None and source is not None)
        counts_by_rate = submitted.values.get("units", "") != "" and submitted.values.get("rate_per_unit", "") != ""
        return Result(
            submitted.line_no,
            source.amount if source is not None else None,
            Decimal(0) if is_out else planned.amount if planned is not None else None,
            is_out,
            submitted.is_included,
            planned is not None and planned.explanation == AMOUNT_GIVEN and counts_by_rate,
            tuple(submitted.changed),
            tuple(
                (name, LABELS[name], why)
                for name in submitted.values
                if (why := calculated.refusals.get(submitted.field(name)))
            ),
            "" if planned is None else self._typed(planned.amount),
            planned is not None and calculated.plan is not None and planned.line_no in calculated.plan.recounted_lines,
        )

    def _builder_line(
        self,
        submitted: SubmittedLine,
        refusals: Refusals,
        result: Result,
        opened: Collection[int] = (),
        *,
        is_short: bool = False,
    ) -> BuilderLine:
        line = self.charging.get(submitted.line_no)
        fields = {name: self._field(submitted, name, line, refusals, result) for name in submitted.values}
        is_opened = submitted.line_no in opened
        is_open = any(fields[name].is_changed or fields[name].is_refused for name in DETAILS if name in fields)
        is_whole = not is_short or line is None or is_opened or is_open
        service = fields.get("service_no")
        if service is not None and not is_whole:
            service = service._replace(options=self.only_option("services", service.value))
        return BuilderLine(
            submitted,
            line,
            line.description if line is not None else "",
            tuple(line_explanation(line)) if line is not None else (),
            service,
            tuple(fields[name] for name in ("units", "rate_per_unit", "amount") if name in fields),
            fields["po_num"],
            tuple(fields[name] for name in ADDRESSES if name in fields and self._can_choose(name)),
            tuple(fields[name] for name in PRINTED if name in fields),
            fields.get("discount_percent"),
            fields["comments"],
            result,
            is_open or is_opened,
            is_whole,
            is_opened,
        )

    def _field(
        self, submitted: SubmittedLine, name: str, line: InvoiceLine | None, refusals: Refusals, result: Result
    ) -> Field:
        key, value = submitted.field(name), submitted.values[name]
        was: Any = submitted.original_values[name]
        if line is not None and name in ("units", "rate_per_unit", "amount"):
            was = getattr(line, name)
        hint = result.calculated_amount if name == "amount" else ""
        options = self.options(CHOSEN_FROM[name], value) if name in CHOSEN_FROM else None
        if name in CHOSEN_FROM:
            was = dict(self.choices[CHOSEN_FROM[name]]).get(was, was)
        changed, refused = name in result.changed, key in refusals
        length, is_edited = LENGTHS.get(name, ""), submitted.is_edited(name)
        return Field(name, key, self.labels[name], was, value, changed, refused, options, str(hint or ""), length, is_edited)

    @cached_property
    def labels(self) -> dict[str, str]:
        """Field labels in the reader's language, translated once for all lines."""
        return {name: str(label) for name, label in LABELS.items()}

    @cached_property
    def choices(self) -> dict[str, list[tuple[str, str]]]:
        services = self.client.services.order_by("name", "pk").values_list("pk", "name")
        places = location_names(self.client)
        return {
            "services": [(str(number), name) for number, name in services],
            "locations": [(str(number), name) for (_kind, number), name in places.items()],
            "contacts": [(str(contact.contact_no), contact_text(contact)) for contact in self.contacts],
        }

    @cached_property
    def names(self) -> dict[tuple[str, int], str]:
        """The names of locations and contacts, by kind and primary key."""
        places = {("location", int(number)): name for number, name in self.choices["locations"]}
        return places | {("contact", contact.pk): contact_text(contact) for contact in self.contacts}

    @cached_property
    def _options(self) -> dict[tuple[str, str], SafeString]:
        return {}

    def options(self, kind: str, chosen: str) -> SafeString:
        """Return the options of a select. Cached per choice, because many lines have the same one."""
        if (kind, chosen) not in self._options:
            blank = [("", "–")] if not chosen or chosen not in dict(self.choices[kind]) else []
            rows = ((value, " selected" if value == chosen else "", text) for value, text in [*blank, *self.choices[kind]])
            self._options[kind, chosen] = format_html_join("", '<option value="{}"{}>{}</option>', rows)
        return self._options[kind, chosen]

    def only_option(self, kind: str, chosen: str) -> SafeString:
        """Return the chosen option of a select alone."""
        name = dict(self.choices[kind]).get(chosen, "–")
        return format_html('<option value="{}" selected>{}</option>', chosen, name)

    def for_all(self) -> list[Field]:
        """Return the fields whose value can be set for all lines at once."""
        return [
            Field(
                name,
                f"all-{name}",
                LABELS[name],
                "",
                "",
                False,
                False,
                self.options(CHOSEN_FROM[name], "") if name in CHOSEN_FROM else None,
                "",
                LENGTHS.get(name, ""),
            )
            for name in FOR_ALL
            if self._can_choose(name)
        ]

    def _can_choose(self, name: str) -> bool:
        """Whether the field is a text, or has anything to choose from."""
        return name not in CHOSEN_FROM or bool(self.choices[CHOSEN_FROM[name]])

    @cached_property
    def taxed_at(self) -> list[str]:
        """Which addresses of a line decide its tax, in words: ship to, unless the client's tax rates use others."""
        used = set(TaxRate.objects.filter(client=self.client).order_by().values_list("taxed_at", flat=True))
        return [str(one.label) for one in TaxedAt if one in (used or {TaxedAt.SHIP_TO})]

    @cached_property
    def reasons(self) -> list[ReasonCode]:
        return reasons_of(self.client, ReasonType.REBILL)


def contact_text(contact: Contact) -> str:
    """Return a contact's number, name and place."""
    place = ", ".join(filter(None, [contact.address1, contact.city, contact.region]))
    return f"{contact.contact_no} {contact.name}" + (f", {place}" if place else "")


def _is_reduction(line: InvoiceLine) -> bool:
    """Whether a stored line is a coupon or credit, or gives money back at its own tax, and so has an amount only."""
    shape = Line(**{name: getattr(line, name) for name in LINE_FIELDS})
    return shape.is_reduction or shape.has_own_tax
