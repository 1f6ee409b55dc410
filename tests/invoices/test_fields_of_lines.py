"""Each field of a line reaches every copy of a document, or the copy's list says why not.

A document is copied twice, the second time with another value in one field. A copy that has the field is then different. CSV
files list documents and accounts, and have no lines.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal as D
from types import SimpleNamespace

import pytest
from django.template.loader import render_to_string

from accounts.models import Account, Client
from invoices.api.serializers.documents import LineSerializer, document_of
from invoices.aria.documents import detail_rows
from invoices.document import LINE_FIELDS, Correction, Line
from invoices.fingerprints import fingerprint
from invoices.models import Invoice
from invoices.services.printing.printed import StatementParts, statement_context
from rebills.plan.differences import compared
from rebills.services.shown_changes import shown
from tests.support.contents import a_document
from tests.support.factories import ContactFactory

pytestmark = pytest.mark.django_db

FULL = {
    "line_no": (1, 3),
    "line_type": (1, 7),
    "service_id": (5, 6),
    "plan_instance_id": (6, 7),
    "description": ("Phone", "Telephone"),
    "plan_name": ("Basic", "Large"),
    "gl_code": ("4000", "4100"),
    "tax_category": ("standard", "telecom"),
    "units": (D("2"), D("3")),
    "rate_per_unit": (D("15.00"), D("14.00")),
    "unit_code": ("HUR", "DAY"),
    "price_units": (D("12"), D("10")),
    "list_rate_per_unit": (D("16.00"), D("17.00")),
    "rate_schedule_no": (9, 10),
    "tier_no": (1, 2),
    "tier_from": (D("0"), D("10")),
    "tier_to": (D("10"), D("20")),
    "percent": (D("50"), D("40")),
    "base_amount": (D("60.00"), D("61.00")),
    "explanation": ("late usage", "usage of January"),
    "order_no": (3, 4),
    "coupon_code": ("HALF", "THIRD"),
    "proration_factor": (D("0.5"), D("0.6")),
    "proration_text": ("15 of 30 days", "18 of 30 days"),
    "period_total_days": (30, 31),
    "proration_remaining_days": (15, 18),
    "amount": (D("30.00"), D("29.00")),
    "period_start": (date(2026, 1, 10), date(2026, 1, 11)),
    "period_end": (date(2026, 2, 9), date(2026, 2, 8)),
    "po_num": ("PO", "PO-2"),
    "order_line": ("5", "6"),
    "accounting_reference": ("B-1", "B-2"),
    "object_reference": ("AVE:1", "AVE:2"),
    "is_return": (False, True),
    "bill_from_location_id": (1, 2),
    "ship_from_location_id": (2, 3),
    "bill_to_contact_id": (7, 8),
    "ship_to_contact_id": (7, 8),
    "source_line_no": (4, 5),
    "comments": ("why", "because"),
}
"""Two values of each field."""

HOW_IT_WAS_PRICED = (
    "list_rate_per_unit",
    "rate_schedule_no",
    "tier_no",
    "tier_from",
    "tier_to",
    "percent",
    "explanation",
    "coupon_code",
    "proration_factor",
    "proration_text",
    "period_total_days",
    "proration_remaining_days",
)
BEHIND_THE_LINE = ("plan_instance_id", "plan_name", "gl_code", "tax_category", "order_no", "line_type")
REFERENCES = ("order_line", "accounting_reference", "object_reference")
ADDRESSES = ("bill_from_location_id", "ship_from_location_id", "bill_to_contact_id", "ship_to_contact_id")


def reasons(*rows):
    return {name: reason for reason, names in rows for name in names}


def content(line):
    return a_document(lines=(line,), taxes=(), correction=Correction(corrects_id=1))


def by_rest(line):
    (row,) = document_of(content(line))["lines"]
    return LineSerializer(row).data


def by_method_call(line):
    # The names of gen_invoice and gen_rb_m, and what get_invoice_details adds.
    return detail_rows(SimpleNamespace(client_acct_id="", transaction_no=None), content(line), ())


def in_the_fingerprint(line):
    return fingerprint(content(line))


def on_a_credit_memo(line):
    return line.negated()


def in_a_comparison(line):
    before = content(Line(**{name: first for name, (first, _) in FULL.items()}))
    return shown(compared(before, content(line), {line.line_no: 1}, {}), {})


def printed(line, template):
    account, client = Account(language="en"), Client(language="en")
    invoice = Invoice(pk=1, kind="recurring", status="approved", document_number="INV-1", currency="usd", account=account)
    invoice.client = client
    invoice.net_amount = invoice.total_amount = D("30.00")
    invoice.tax_amount = D("0.00")
    context = statement_context(invoice, StatementParts(content(line), D("30.00"), None))
    return render_to_string(template, context)


def on_paper(line):
    return printed(line, "invoices/_lines.html")


def in_an_e_mail(line):
    return printed(line, "invoices/_lines.txt")


NOT_PRINTED = reasons(
    ("customers see units, rate, days and amount; the explanation is on the page of the invoice", HOW_IT_WAS_PRICED),
    ("customers see the service by its description", ("service_id", "base_amount")),
    ("customers see the amount and the tax", ("is_return",)),
    ("a key or code of the back office", BEHIND_THE_LINE),
    ("the document has the addresses of its parties", ADDRESSES),
    ("the document names the original; its lines have their own numbers", ("source_line_no",)),
)
COPIES = {
    by_rest: {},
    by_method_call: reasons(
        ("Aria has no such field", ("tax_category", "list_rate_per_unit", "tier_from", "tier_to", "percent", "base_amount")),
        ("Aria has no such field", ("explanation", "source_line_no", "unit_code", "price_units")),
        ("Aria has no such field", (*REFERENCES, "is_return")),
    ),
    in_the_fingerprint: {},
    on_a_credit_memo: reasons(
        ("a memo credits an amount; how it came about is on its original", HOW_IT_WAS_PRICED),
        ("a memo credits an amount", ("units", "unit_code", "price_units", "rate_per_unit", "base_amount")),
        ("the memo's line names its original by line_no", ("source_line_no",)),
        ("the comment says why the original was changed", ("comments",)),
    ),
    in_a_comparison: reasons(
        ("follows from the price, units, days and service, which are compared", HOW_IT_WAS_PRICED),
        ("a rebill changes none of them, or with the service", (*BEHIND_THE_LINE, "unit_code", "price_units")),
        ("a rebill changes none of them", (*REFERENCES, "is_return")),
        ("pairs the lines", ("source_line_no",)),
    ),
    on_paper: NOT_PRINTED,
    in_an_e_mail: NOT_PRINTED,
}


@pytest.fixture(autouse=True)
def contacts(acme):
    account = ContactFactory(account__client=acme).account
    for number, key in ((2, 7), (3, 8)):
        ContactFactory(pk=key, account=account, contact_no=number)


def test_each_field_has_two_values():
    assert tuple(FULL) == LINE_FIELDS
    assert [name for name, (first, second) in FULL.items() if first == second] == []


@pytest.mark.parametrize("copy", COPIES, ids=lambda copy: copy.__name__)
def test_a_copy_has_each_field_that_it_does_not_list(copy):
    line = Line(**{name: first for name, (first, _) in FULL.items()})
    before = copy(line)
    missing = [name for name, (_, second) in FULL.items() if copy(replace(line, **{name: second})) == before]
    assert sorted(missing) == sorted(COPIES[copy])
