"""The lines of the builder: each original line beside what is submitted for it, and the resulting rebill."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.models import Client, Contact
from accounts.rates import shown_rate, shown_units
from billing_site.common.limits import LINE_COMMENTS_LENGTH, PO_NUM_LENGTH
from billing_site.errors import BillingError
from invoices.document import LINE_FIELDS, Line
from invoices.kinds import LineType, ReasonType
from invoices.line_explanations import line_explanation
from invoices.models import Invoice, InvoiceLine, ReasonCode
from invoices.services.documents.reasons import reasons_of
from rebills.pages.submitted import (
    ADDRESSES,
    CHARGE_FIELDS,
    CREDIT_FIELDS,
    FOR_ALL,
    PRINTED,
    Refusals,
    SubmittedForm,
    SubmittedLine,
    SubmittedUsage,
    as_sent,
    read,
    refusal_at,
)
from rebills.plan import RebillPlan
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
    """A line of the original with its editable copy, or an added line (`line` is None)."""

    submitted: SubmittedLine
    line: InvoiceLine | None
    title: str
    explanations: tuple[str, ...]
    service: Field | None
    figures: tuple[Field, ...]
    po_num: Field
    addresses: tuple[Field, ...]
    printed: tuple[Field, ...]
    comments: Field
    result: Result
    is_open: bool

    @property
    def number(self) -> str:
        """The line number as text for field names, without number formatting."""
        return str(self.submitted.line_no)


class BuilderForm:
    """An invoice to rebill, with the choices for its lines."""

    def __init__(self, client: Client, invoice: Invoice, today: date) -> None:
        self.client, self.invoice, self.today = client, invoice, today
        self.lines = list(invoice.lines.all())
        self.contacts = list(Contact.objects.filter(account=invoice.account_id))
        self.charging = {line.line_no: line for line in self.lines if line.line_type != LineType.TAX}
        self.taxes = [line for line in self.lines if line.line_type == LineType.TAX]

    @property
    def last_line_no(self) -> int:
        return max((line.line_no for line in self.lines), default=0)

    @cached_property
    def original_values(self) -> dict[int, dict[str, str]]:
        """The original value of each field of each line, as the form shows it."""
        contact_nos = {contact.pk: contact.contact_no for contact in self.contacts}
        return {number: self._original_values(line, contact_nos) for number, line in self.charging.items()}

    def _original_values(self, line: InvoiceLine, contact_nos: Mapping[int, int]) -> dict[str, str]:
        values = {
            "service_no": line.service_id,
            "units": None if line.units is None else shown_units(line.units),
            "rate_per_unit": None if line.rate_per_unit is None else shown_rate(line.rate_per_unit, self.invoice.currency),
            "po_num": line.po_num,
            "bill_from_location_no": line.bill_from_location_id,
            "ship_from_location_no": line.ship_from_location_id,
            "bill_to_address_seq": contact_nos.get(line.bill_to_contact_id or 0),
            "ship_to_address_seq": contact_nos.get(line.ship_to_contact_id or 0),
            "description": line.description,
            "period_start": line.period_start,
            "period_end": line.period_end,
        }
        names = CREDIT_FIELDS if _is_reduction(line) else CHARGE_FIELDS
        return {name: "" if values.get(name) is None else as_sent(str(values[name])) for name in names}

    @cached_property
    def usage(self) -> list[SubmittedUsage]:
        """The metered charges of the invoice with their billed units."""
        return [
            SubmittedUsage(
                number,
                f"{metered.name}, {metered.plan_name}" if metered.plan_name else metered.name,
                shown_units(metered.units),
                shown_units(metered.units),
                metered.names,
            )
            for number, metered in enumerate(metered_charges(self.invoice.pk), 1)
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

    def results(self, calculated: Calculated) -> list[Result]:
        return [self._result(line, calculated, planned) for line, planned in self._planned(calculated)]

    def builder_lines(self, calculated: Calculated) -> list[BuilderLine]:
        results = {result.line_no: result for result in self.results(calculated)}
        return [self._builder_line(line, calculated.refusals, results[line.line_no]) for line in calculated.submitted.lines]

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
            "" if planned is None else shown_rate(planned.amount, self.invoice.currency),
            planned is not None and calculated.plan is not None and planned.line_no in calculated.plan.recounted_lines,
        )

    def _builder_line(self, submitted: SubmittedLine, refusals: Refusals, result: Result) -> BuilderLine:
        line = self.charging.get(submitted.line_no)
        fields = {name: self._field(submitted, name, line, refusals, result) for name in submitted.values}
        opened = (*ADDRESSES, *PRINTED, "comments")
        return BuilderLine(
            submitted,
            line,
            line.description if line is not None else "",
            tuple(line_explanation(line)) if line is not None else (),
            fields.get("service_no"),
            tuple(fields[name] for name in ("units", "rate_per_unit", "amount") if name in fields),
            fields["po_num"],
            tuple(fields[name] for name in ADDRESSES if name in fields and self._can_choose(name)),
            tuple(fields[name] for name in PRINTED if name in fields),
            fields["comments"],
            result,
            any(fields[name].is_changed or fields[name].is_refused for name in opened if name in fields),
        )

    def _field(
        self, submitted: SubmittedLine, name: str, line: InvoiceLine | None, refusals: Refusals, result: Result
    ) -> Field:
        key, value = submitted.field(name), submitted.values[name]
        was: Any = submitted.original_values[name]
        if line is not None and name in ("units", "rate_per_unit", "amount"):
            was = getattr(line, name)
        hint = submitted.original_values[name] if name in ("units", "rate_per_unit") else ""
        if name == "amount":
            hint = result.calculated_amount
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
    def reasons(self) -> list[ReasonCode]:
        return reasons_of(self.client, ReasonType.REBILL)


def contact_text(contact: Contact) -> str:
    """Return a contact's number, name and place."""
    place = ", ".join(filter(None, [contact.address1, contact.city, contact.region]))
    return f"{contact.contact_no} {contact.name}" + (f", {place}" if place else "")


def _is_reduction(line: InvoiceLine) -> bool:
    """Whether a stored line is a coupon or credit, or gives days back, and so has an amount only."""
    shape = Line(**{name: getattr(line, name) for name in LINE_FIELDS})
    return shape.is_reduction or shape.gives_days_back
