"""What the builder's form submits: kept as it is typed, and read by the serializer of the REST resource."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _

from billing_site.common.numbers import plain_number
from billing_site.errors import BillingError, shown_detail
from rebills.api.serializers import RebillArguments, RebillPreviewArguments, rebill_request
from rebills.services.requests import RebillRequest

FIGURES = ("units", "rate_per_unit", "amount")
NUMBERS = (*FIGURES, "discount_percent")
"""Fields that are typed and shown as numbers of the reader's language."""

ADDRESSES = ("bill_from_location_no", "ship_from_location_no", "bill_to_address_seq", "ship_to_address_seq")
PRINTED = ("description", "period_start", "period_end")
CHARGE_FIELDS = ("service_no", *FIGURES, "po_num", *ADDRESSES, *PRINTED, "comments")
DISCOUNTED_FIELDS = (*CHARGE_FIELDS, "discount_percent")
"""Lines of the original whose rate or amount is not calculated from other lines."""

CREDIT_FIELDS = ("amount", "po_num", "comments")
"""Lines that reduce others have an amount only. Their addresses are those of the lines that they reduce."""

FOR_ALL = ("po_num", *ADDRESSES)
TOP_FIELDS = (
    "reason_code",
    "comments",
    "collect",
    "keep_due_date",
    "statement_address_seq",
    "credit_to",
    "discount_percent",
    "retax",
)
MOST_ADDED = 200

Refusals = Mapping[str, str]
"""Refusals by the name of the field that they are about, "" for those about no field."""


class SubmittedLine(NamedTuple):
    """A line of the builder. `original_values` has the original value of each field, `values` what is submitted."""

    line_no: int
    original_values: Mapping[str, str]
    values: Mapping[str, str]
    is_included: bool = True
    is_added: bool = False

    @property
    def changed(self) -> list[str]:
        """The fields that have another value than the original. An emptied PO number is one; others are in `emptied`."""
        return [name for name, value in self.values.items() if self._is_changed(name, value)]

    def _is_changed(self, name: str, value: str) -> bool:
        original = self.original_values.get(name, "")
        if not value:
            return name == "po_num" and original != ""
        return value != original and not _same_number(value, original)

    def is_edited(self, name: str) -> bool:
        """Whether the field's text, even if empty, differs from the original, so that the page must send it again."""
        return self.values[name] != self.original_values[name]

    @property
    def emptied(self) -> Refusals:
        """Why fields of an included line may not be empty. The PO number may, and an amount that follows from other figures."""
        if not self.is_included:
            return {}
        follows = {"amount"} if {"units", "rate_per_unit", "discount_percent"} & {*self.changed} else set()
        had = {name: text for name, text in self.original_values.items() if text and name not in {"po_num", *follows}}
        return {self.field(name): _emptied(text) for name, text in had.items() if not self.values[name]}

    @property
    def as_request(self) -> dict[str, Any]:
        """The line as the resource reads it, without what is typed as a number and is none."""
        if not self.is_included:
            return {"line_no": self.line_no, "exclude": True}
        return {"line_no": self.line_no, **_readable({name: self.values[name] for name in self.changed})}

    @property
    def wrong_numbers(self) -> Refusals:
        """Why fields of an included line cannot be read as numbers."""
        typed = {name: self.values[name] for name in self.changed if name in NUMBERS} if self.is_included else {}
        return {self.field(name): why for name, text in typed.items() if (why := _number(text).wrong)}

    def as_on_original(self) -> "SubmittedLine":
        return self._replace(values=self.original_values, is_included=True)

    def field(self, name: str) -> str:
        return f"line-{self.line_no}-{name}"


class SubmittedUsage(NamedTuple):
    """The total units of a metered charge: originally billed, and submitted. `names` identifies the charge in the request."""

    number: int
    title: str
    original: str
    value: str
    names: Mapping[str, Any]

    @property
    def field(self) -> str:
        return f"usage-{self.number}"

    @property
    def is_edited(self) -> bool:
        return self.value != self.original

    @property
    def is_changed(self) -> bool:
        return bool(self.value) and self.value != self.original and not _same_number(self.value, self.original)


class SubmittedForm(NamedTuple):
    """What the form submitted: lines in the order of the original with added ones last, units of metered charges, and fields
    of the whole rebill."""

    lines: tuple[SubmittedLine, ...]
    top: Mapping[str, str]
    last_line_no: int
    usage: tuple[SubmittedUsage, ...] = ()

    @property
    def changed_usage(self) -> list[SubmittedUsage]:
        return [one for one in self.usage if one.is_changed]

    @property
    def requested_lines(self) -> list[SubmittedLine]:
        """The lines to send: changed or excluded ones, and added ones with any content. All others are carried."""
        return [line for line in self.lines if line.changed or not line.is_included]

    @property
    def wrong_numbers(self) -> Refusals:
        """Why fields cannot be read as numbers."""
        others = {one.field: one.value for one in self.changed_usage} | {"discount_percent": self.top["discount_percent"]}
        found = {field: why for field, text in others.items() if (why := _number(text).wrong)}
        for line in self.lines:
            found |= line.wrong_numbers
        return found

    @property
    def emptied(self) -> Refusals:
        """Why fields may not be empty."""
        found = {one.field: _emptied(one.original) for one in self.usage if one.original and not one.value}
        for line in self.lines:
            found |= line.emptied
        return found

    def with_line(self) -> "SubmittedForm":
        number = max([self.last_line_no, *(line.line_no for line in self.lines)]) + 1
        return self._replace(lines=(*self.lines, added_line(number, {})))

    def without_changes(self, line_no: int) -> "SubmittedForm":
        """Return the form with one line reset to the original. An added line is removed."""
        kept = [line for line in self.lines if line.line_no != line_no or not line.is_added]
        return self._replace(lines=tuple(line.as_on_original() if line.line_no == line_no else line for line in kept))

    def with_for_all(self, values: Mapping[str, str]) -> "SubmittedForm":
        """Return the form with these values set on all lines that have such fields."""
        return self._replace(
            lines=tuple(
                line._replace(values={**line.values, **{name: values[name] for name in values if name in line.values}})
                for line in self.lines
            )
        )


def as_sent(text: str) -> str:
    """Return a text as a single-line field sends it: without line breaks and surrounding spaces."""
    return re.sub(r"[\r\n]", "", text).strip()


def untouched(
    original_values: Mapping[int, Mapping[str, str]], last_line_no: int, usage: Sequence[SubmittedUsage]
) -> SubmittedForm:
    lines = tuple(SubmittedLine(number, values, values) for number, values in original_values.items())
    return SubmittedForm(lines, dict.fromkeys(TOP_FIELDS, ""), last_line_no, tuple(usage))


def read_form(
    sent: QueryDict, original_values: Mapping[int, Mapping[str, str]], last_line_no: int, usage: Sequence[SubmittedUsage]
) -> SubmittedForm:
    """Return what the form sent. A missing field is as on the original, because scripts send only changed fields.

    So a line is left out only if the form says "no". If its box is ticked, "yes" follows and wins.
    """
    lines = []
    for number, values in original_values.items():
        line = SubmittedLine(number, values, {}, is_included=sent.get(f"line-{number}-include", "yes") == "yes")
        lines.append(line._replace(values={name: as_sent(sent.get(line.field(name), values[name])) for name in values}))
    for text in sent.getlist("added")[:MOST_ADDED]:
        if text.isdecimal() and len(text) < 9 and int(text) > last_line_no:
            lines.append(added_line(int(text), sent))
    submitted_usage = tuple(one._replace(value=sent.get(one.field, one.value).strip()) for one in usage)
    return SubmittedForm(tuple(lines), {name: sent.get(name, "").strip() for name in TOP_FIELDS}, last_line_no, submitted_usage)


def values_for_all(sent: QueryDict) -> dict[str, str]:
    values = {name: sent.get(f"all-{name}", "").strip() for name in FOR_ALL}
    return {name: value for name, value in values.items() if value}


def read(
    submitted: SubmittedForm, invoice_no: int, fingerprint: str = "", *, is_final: bool
) -> tuple[RebillRequest | None, Refusals]:
    """Return the requested rebill, or the errors of what cannot be read. Only a final one needs a reason."""
    lines = submitted.requested_lines
    body = {
        "invoice_no": invoice_no,
        "unlisted_lines": "carry",
        "lines": [line.as_request for line in lines],
        "usage_corrections": [{**one.names, "units": _number(one.value).plain} for one in submitted.changed_usage],
        "fingerprint": fingerprint,
        **_readable(submitted.top),
    }
    serializer = (RebillArguments if is_final else RebillPreviewArguments)(data=body)
    wrong = {**submitted.wrong_numbers, **submitted.emptied}
    if not serializer.is_valid() or wrong:
        return None, {**dict(_unread(serializer.errors, lines, submitted.changed_usage)), **wrong}
    request = rebill_request(serializer.validated_data)
    pairs = zip(request.lines, lines, strict=True)
    # The resource treats an empty text as not sent. Here, an emptied PO number is removed.
    cleared = tuple(one._replace(po_num="") if line.is_included and _clears_po(line) else one for one, line in pairs)
    return request._replace(lines=cleared), {}


def refusal_at(refusal: BillingError, submitted: SubmittedForm) -> Refusals:
    """Return a service's refusal at its field: lines[2].amount is about the third requested line."""
    field = refusal.field or ""
    message = refusal.shown
    if field and refusal.detail.startswith(f"{field}: "):
        message = shown_detail(refusal.detail).removeprefix(f"{field}: ")
    named = re.fullmatch(r"lines\[(\d+)\]\.(\w+)", field)
    if named is not None and int(named[1]) < len(submitted.requested_lines):
        return {submitted.requested_lines[int(named[1])].field(named[2]): message}
    usage = re.fullmatch(r"usage_corrections\[(\d+)\](\.\w+)?", field)
    if usage is not None and int(usage[1]) < len(submitted.changed_usage):
        return {submitted.changed_usage[int(usage[1])].field: message}
    return {field if field in TOP_FIELDS else "": message}


def _unread(
    errors: Mapping[str, Any], lines: Sequence[SubmittedLine], usage: Sequence[SubmittedUsage]
) -> Iterator[tuple[str, str]]:
    for name, error in errors.items():
        if name == "usage_corrections":
            for place, of_usage in error.items():
                yield usage[place].field, str(next(iter(of_usage.values()))[0])
            continue
        if name != "lines":
            yield name, str(error[0])
            continue
        for place, of_line in error.items():
            if place == "non_field_errors":
                yield "", str(of_line[0])  # About all lines, such as too many of them.
                continue
            for field, messages in of_line.items():
                yield lines[place].field(field), str(messages[0])


def _clears_po(line: SubmittedLine) -> bool:
    return "po_num" in line.changed and not line.values["po_num"]


def added_line(number: int, sent: Mapping[str, str]) -> SubmittedLine:
    """Return a line that is added, with what was sent for it."""
    blank = dict.fromkeys(CHARGE_FIELDS, "")
    line = SubmittedLine(number, blank, blank, is_added=True)
    return line._replace(values={name: sent.get(line.field(name), "").strip() for name in blank})


class _Number(NamedTuple):
    """A typed number as programs write it, or why it cannot be read."""

    plain: str
    wrong: str = ""


def _emptied(original: str) -> str:
    return _("This may not be empty. It was %(original)s.") % {"original": original}


def _number(text: str) -> _Number:
    try:
        return _Number(plain_number(text))
    except ValidationError as error:
        return _Number("", error.messages[0])


def _readable(values: Mapping[str, str]) -> dict[str, str]:
    """Return values of fields as the resource reads them. What is not a number is left out: `wrong_numbers` refuses it."""
    numbers = {name: _number(text) for name, text in values.items() if name in NUMBERS}
    plain = {name: number.plain for name, number in numbers.items() if not number.wrong}
    return {**{name: text for name, text in values.items() if name not in NUMBERS}, **plain}


def _same_number(one: str, other: str) -> bool:
    first, second = _number(one).plain, _number(other).plain
    return bool(first and second) and Decimal(first) == Decimal(second)
