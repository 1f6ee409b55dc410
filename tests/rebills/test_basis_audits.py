"""The audit proves what lines were counted from: planted damage is found, and nothing else is."""

import json
from decimal import Decimal as D

import pytest
from django.db import connection

from billing_site.common.guards import lifted
from invoices.audit import run_audits
from invoices.models import LineBasis
from tests.support.audits.names import BASES, LATE_USAGE
from tests.support.billing import JAN_31, bill
from tests.support.factories import some_usage
from tests.support.rebilling import line, rebilled
from tests.support.recounting import BANDS, CARRY, MAR_10, a_usage_bill, first_usage_line

pytestmark = pytest.mark.django_db


def findings():
    return {report.name: report.findings for report in run_audits() if report.findings}


def damaged(document, change):
    """Changes the terms that are kept of a document's usage, by SQL as nothing of ours would."""
    row = LineBasis.objects.get(invoice=document, line_type=6)
    change(row.terms)
    with lifted(), connection.cursor() as cursor:
        cursor.execute("UPDATE invoices_linebasis SET terms = %s WHERE id = %s", [json.dumps(row.terms), row.pk])


@pytest.fixture
def rebill(acme, process):
    """500 units, of 40.00 at most, corrected to 900: 90.00 and -50.00."""
    invoice = a_usage_bill(acme, process, "500", maximum_amount=D(40))
    return rebilled(invoice, process, line(first_usage_line(invoice), units="900"), **CARRY)


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("maximum", "45", "the charge of line 2 is adjusted to its minimum or maximum by -50, but should be by -45"),
        ("billed", ["800", "90", "-50"], "the charge of line 2 has 800 units in its basis, but 900 on its lines"),
        ("billed", ["900", "80", "-50"], "the charge of line 2 has 80 and -50 in its basis, but 90 and -50 on its lines"),
        ("lines", [77], "line 77 has a stored basis, but does not exist"),
    ],
)
def test_terms_that_do_not_give_the_lines_are_found(rebill, member, value, words):
    assert findings() == {}
    damaged(rebill, lambda terms: terms.update({member: value}))
    (finding,) = findings()[BASES]
    assert words in finding


def test_late_usage_that_does_not_go_on_from_the_corrected_total_is_found(acme, process):
    invoice = a_usage_bill(acme, process, "400", None, tiers=BANDS)
    first = first_usage_line(invoice)
    rebilled(invoice, process, line(first, units="50"), line(first + 1, exclude=True), **CARRY)
    some_usage(invoice.account.plan_instances.get(), "minutes", "100", JAN_31, "late")
    late = bill(invoice.account, process, MAR_10)
    assert findings() == {}
    row = LineBasis.objects.get(invoice=late, line_type=6, period_start=invoice.period_start)
    row.terms["before"] = ["400", "25", "0"]
    with lifted():
        row.save()
    assert findings()[LATE_USAGE] == [
        f"invoice {late.pk}: late usage of {invoice.period_start} starts after 400 units, but 50 were billed before it"
    ]
